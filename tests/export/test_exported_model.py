"""A model folder works in an interpreter that has never heard of this package, for every kind of network."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from aecore import Checkpoint, export, models
from aecore.data import Dataset, Split, load_dataset
from aecore.export import Cargo
from aecore.export.card import UNKNOWN, card
from aecore.export.model import EXAMPLE, source, write_model
from aecore.networks import NETWORKS, Conv
from aecore.runs import Run
from aecore.store import Store, showcase

ALONE = "import runpy, sys; sys.modules['aecore'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"


def _run(folder: Path, out: Path) -> dict[str, np.ndarray]:
    """What example.py made, run without aecore by an interpreter that looks nowhere but at what is installed."""
    command = [sys.executable, "-I", "-W", "error", "-c", ALONE, str(folder / "example.py"), str(out)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(command, cwd=out.parent, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "squared error" in result.stdout
    return load_file(out)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_the_example_gives_what_the_checkpoint_gives(network: str, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 30, 20), np.uint8)
    dataset = Dataset("digits", Split(images), Split(images[::-1].copy()))
    run = Run("digits", models.VAE(latent=5), network, width=64, seed=3)
    checkpoint = Checkpoint(run, run.build((3, 30, 20)))
    checkpoint.network.calibrate(torch.tensor(images / np.float32(255)))
    assert write_model(Cargo(checkpoint, dataset), tmp_path / "model") == [
        "example.safetensors holds the first test image"
    ]
    made = _run(tmp_path / "model", tmp_path / "rebuilt.safetensors")
    first = dataset.test.images[:1]
    np.testing.assert_allclose(made["codes"], checkpoint.encode(first), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(made["rebuilt"], checkpoint.reconstruct(first), rtol=1e-5, atol=1e-6)
    assert made["rebuilt"].std() > 0


def test_a_trained_model_with_codes_above_zero_does_too(tmp_path: Path) -> None:
    run = Run("digits", models.Sparse(latent=16), "dense", width=64, epochs=1)
    checkpoint = Checkpoint(run, run.build((1, 8, 8)))
    assert checkpoint.network.rectify
    dataset = load_dataset("digits")
    write_model(Cargo(checkpoint, dataset), tmp_path / "model")
    made = _run(tmp_path / "model", tmp_path / "out.safetensors")
    np.testing.assert_allclose(made["codes"], checkpoint.encode(dataset.test.images[:1]), rtol=1e-5, atol=1e-6)
    assert (made["codes"] >= 0).all()


def test_the_folder_says_what_it_is(cargo: Cargo, tmp_path: Path) -> None:
    write_model(cargo, tmp_path / "model")
    names = {path.name for path in (tmp_path / "model").iterdir()}
    wanted = {"config.json", "README.md", "network.py", "example.py", "model.safetensors", "example.safetensors"}
    assert names == wanted
    settings = json.loads((tmp_path / "model" / "config.json").read_text())
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    assert settings["sha256"] == {"model.safetensors": hashlib.sha256(weights).hexdigest()}
    assert Run.from_dict(settings["settings"]) == cargo.checkpoint.run
    assert len(EXAMPLE.splitlines()) <= 30
    assert not any(b"pickle" in path.read_bytes() for path in (tmp_path / "model").iterdir())


def test_the_weights_are_the_file_that_the_store_keeps(cargo: Cargo, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(cargo.checkpoint)
    (file,) = tmp_path.rglob("weights.safetensors")
    assert hashlib.sha256(file.read_bytes()).hexdigest() == cargo.sha256


def test_a_network_from_elsewhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(Conv):
        pass

    run = Run("digits", models.VAE(latent=2))
    monkeypatch.setitem(NETWORKS, "dense", Elsewhere)
    stranger = Cargo(Checkpoint(run, run.build((1, 8, 8))), load_dataset("digits"))
    with pytest.raises(ValueError, match=r"Elsewhere is not in aecore/networks\.py"):
        source(stranger)
    with pytest.raises(ValueError, match="Elsewhere"):
        write_model(stranger, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


# The card.


def _front(text: str) -> dict[str, object]:
    """The YAML front matter; every value is JSON, which is YAML too."""
    lines = text.split("---\n")[1].splitlines()
    return {line.partition(": ")[0]: json.loads(line.partition(": ")[2]) for line in lines}


def test_the_card_has_data_settings_baselines_and_limits() -> None:
    store = showcase()
    (id,) = (id for id in store.ids() if id.startswith("digits"))
    loaded = export.load(store, id)
    text = card(loaded)
    front = _front(text)
    assert "CC BY 4.0" in front["data"]["source"]
    assert front["settings"] == loaded.checkpoint.run.to_dict()
    assert front["evaluation"]["reconstruction"]["PCA"]["MSE"] == pytest.approx(
        loaded.parts["reconstruction"]["rows"]["PCA"]["MSE"], rel=1e-3
    )
    assert "| PCA | 0.0524 |" in text
    assert "principal components" in text
    assert loaded.sha256 in text


def test_the_card_is_yaml() -> None:
    yaml = pytest.importorskip("yaml")
    store = showcase()
    loaded = export.load(store, next(id for id in store.ids() if id.startswith("digits")))
    text = card(loaded)
    assert yaml.safe_load(text.split("---\n")[1]) == _front(text)


def test_hostile_names_stay_text_in_the_card(hostile: Cargo) -> None:
    text = card(hostile)
    assert _front(text)["limits"][-1].startswith("It has not been measured")
    body = text.split("---\n", 2)[2]
    for tag in ("<script", "<img", "](http", "http://"):
        assert tag not in body.replace("\\" + tag, "")
    assert "\nevil" not in text


def test_figures_that_are_no_numbers_are_null(cargo: Cargo) -> None:
    rows = {"code": {"MSE": float("nan"), "units": 3, "KL per unit": [0.123456, float("inf")]}}
    front = _front(card(replace(cargo, parts={"code": {"split": "test", "rows": rows}, "samples": None})))
    assert front["evaluation"] == {"code": {"code": {"MSE": None, "units": 3, "KL per unit": [0.1235, None]}}}


def test_unknown_owners_are_named_as_such(cargo: Cargo) -> None:
    assert UNKNOWN in card(replace(cargo, dataset=replace(cargo.dataset, source="")))
