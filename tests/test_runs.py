"""Runs, checkpoints and the store: equal settings have equal ids, and what was saved loads, whatever happened since."""

import contextlib
import dataclasses
import hashlib
import json
import lzma
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from aecore import store as store_module
from aecore.data import load_dataset
from aecore.models import VAE, Contractive, Denoising, Flavor, Sparse, Vanilla
from aecore.networks import NETWORKS
from aecore.runs import Checkpoint, Run, id_of
from aecore.store import DamagedRun, NewerRun, Store, read_tensors

SHAPE = (1, 8, 8)
RUN = Run("digits", Vanilla(latent=2), network="shallow")
FLAVORS = [Vanilla(), Sparse(weight=2e-3), Denoising(noise="masking", level=0.25), Contractive(), VAE(beta=0.5)]
IMAGES = np.random.default_rng(0).integers(0, 256, (5, *SHAPE), np.uint8)


def checkpoint_at(step: int, run: Run = RUN, seed: int = 0) -> Checkpoint:
    """A checkpoint whose every part tells its step."""
    network = run.build(SHAPE)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(step + 1000 * seed))
    history = ({"epoch": float(step), "reconstruction": 0.1, "test": {"mse": 1 / (step + 1)}},)
    return Checkpoint(run, network, history, step, 100, {"rng": torch.full((9,), step)})


def same(loaded: Checkpoint, expected: Checkpoint) -> bool:
    """Bit for bit, training state included where it was loaded."""
    ours, theirs = loaded.network.state_dict(), expected.network.state_dict()
    return (
        loaded.run == expected.run
        and (loaded.step, loaded.steps, loaded.history) == (expected.step, expected.steps, expected.history)
        and loaded.network.shape == expected.network.shape
        and all(torch.equal(ours[name], theirs[name]) for name in theirs)
        and all(torch.equal(loaded.state[name], expected.state[name]) for name in loaded.state)
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home" / "runs")


def _snapshot(store: Store, run: Run = RUN) -> Path:
    return store.path(run.id) / "snapshots" / store.stamp(run.id)


# Settings.


@pytest.mark.parametrize("model", FLAVORS, ids=lambda model: model.name)
def test_a_run_survives_json(model: Flavor) -> None:
    run = Run("fashion_mnist", model, network="conv", loss="kl", epochs=3, batch_size=64, lr=0.01, seed=5)
    back = Run.from_dict(json.loads(json.dumps(run.to_dict())))
    assert back == run
    assert back.id == run.id
    assert back.id.startswith(f"fashion_mnist-{model.name}-")


CHANGES: list[dict[str, Any]] = [
    {"dataset": "blocks"},
    {"model": Vanilla(latent=3)},
    {"model": Sparse(latent=2)},
    {"network": "dense"},
    {"width": 64},
    {"loss": "kl"},
    {"epochs": 11},
    {"batch_size": 129},
    {"lr": 2e-3},
    {"seed": 1},
]


def test_equal_settings_have_equal_ids_and_others_do_not() -> None:
    others = [dataclasses.replace(RUN, **change) for change in CHANGES]
    assert Run("digits", Vanilla(latent=2), "shallow").id == RUN.id
    assert len({run.id for run in [RUN, *others]}) == 1 + len(CHANGES)


@pytest.mark.parametrize(
    ("whole", "real"),
    [
        (Run("digits", VAE(beta=2)), Run("digits", VAE(beta=2.0))),
        (Run("digits", Vanilla(), lr=1), Run("digits", Vanilla(), lr=1.0)),
    ],
    ids=["a knob", "a setting"],
)
def test_a_number_written_with_or_without_a_point_gives_the_same_id(whole: Run, real: Run) -> None:
    assert whole == real
    assert whole.id == real.id


def test_ids_do_not_change_from_version_to_version() -> None:
    """Folders on people's disks are named by them."""
    assert Run("digits", Vanilla(latent=8)).id == "digits-vanilla-24b74772"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dataset": "../digits"}, "dataset is '../digits'"),
        ({"dataset": "Digits"}, "lowercase letters"),
        ({"dataset": ""}, "dataset is ''"),
        ({"dataset": "x" * 65}, "lowercase letters"),
        ({"dataset": "digits\n"}, "lowercase letters"),
        ({"network": "resnet"}, "network is 'resnet'; choose one of dense, conv, shallow"),
        ({"loss": "bce"}, "loss is 'bce'; choose one of mse, kl"),
        ({"epochs": 0}, "epochs is 0; choose a number from 1 to 1000"),
        ({"epochs": 1.5}, "epochs is 1.5; choose a whole number from 1 to 1000"),
        ({"batch_size": 5000}, "batch_size is 5000; choose a number from 1 to 4096"),
        ({"lr": 0.0}, "lr is 0.0; choose a number from 1e-06 to 1"),
        ({"lr": float("nan")}, "lr is nan; choose a number"),
        ({"seed": -1}, "seed is -1; choose a number from 0"),
        ({"seed": 2**31}, "choose a number from 0 to 2.14748e+09"),
    ],
)
def test_settings_out_of_range_are_refused_with_a_sentence(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        dataclasses.replace(RUN, **change)
    assert said in str(error.value)


def test_a_strange_knob_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="vae has no knob 'gamma'; it has beta, latent, warmup"):
        Run.from_dict({"dataset": "digits", "model": {"flavor": "vae", "gamma": 1}})


# Checkpoints: numpy in, numpy out.


def test_bytes_and_floats_are_coded_alike_in_batches_of_any_size() -> None:
    checkpoint = checkpoint_at(3)
    many = np.tile(IMAGES, (300, 1, 1, 1))
    codes = checkpoint.encode(many)
    assert codes.shape == (1500, 2)
    assert codes.dtype == np.float32
    np.testing.assert_allclose(codes[-5:], checkpoint.encode(IMAGES), rtol=1e-5)
    np.testing.assert_allclose(checkpoint.encode(IMAGES / np.float32(255)), checkpoint.encode(IMAGES), rtol=1e-5)
    np.testing.assert_allclose(checkpoint.decode(checkpoint.encode(IMAGES)), checkpoint.reconstruct(IMAGES), rtol=1e-5)
    assert checkpoint.reconstruct(IMAGES).shape == IMAGES.shape
    assert checkpoint.encode(IMAGES[:0]).shape == (0, 2)


def test_arrays_of_another_shape_are_refused_with_the_right_one() -> None:
    checkpoint = checkpoint_at(0)
    with pytest.raises(ValueError, match=r"images have shape \(5, 8, 8\); this run takes \(n, 1, 8, 8\)"):
        checkpoint.encode(IMAGES[:, 0])
    with pytest.raises(ValueError, match=r"this run takes \(n, 1, 8, 8\)"):
        checkpoint.reconstruct(np.zeros((2, 3, 8, 8), np.uint8))
    with pytest.raises(ValueError, match=r"codes have shape \(2, 3\); this run takes \(n, 2\)"):
        checkpoint.decode(np.zeros((2, 3)))


def test_only_the_vae_makes_new_images_and_the_seed_decides_them() -> None:
    run = Run("digits", VAE(latent=2))
    checkpoint = Checkpoint(run, run.build(SHAPE))
    first = checkpoint.sample(4, seed=1)
    assert first.shape == (4, *SHAPE)
    np.testing.assert_array_equal(first, checkpoint.sample(4, seed=1))
    assert (first != checkpoint.sample(4, seed=2)).any()
    with pytest.raises(ValueError, match="vanilla has no prior"):
        checkpoint_at(0).sample(1)


def test_a_checkpoint_says_how_far_itsame() -> None:
    assert checkpoint_at(33).epoch == 3.3
    assert repr(checkpoint_at(50)) == f"<{RUN.id}: epoch 5 of 10, test MSE 0.0196>"
    assert not checkpoint_at(99).done
    assert checkpoint_at(100).done


# The store.


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("model", FLAVORS, ids=lambda model: model.name)
def test_what_is_loaded_gives_the_same_outputs(store: Store, model: Flavor, kind: str) -> None:
    checkpoint = checkpoint_at(7, Run("digits", model, kind))
    store.save(checkpoint)
    loaded = store.load(checkpoint.run.id, training=True)
    assert same(loaded, checkpoint)
    np.testing.assert_array_equal(loaded.encode(IMAGES), checkpoint.encode(IMAGES))
    np.testing.assert_array_equal(loaded.reconstruct(IMAGES), checkpoint.reconstruct(IMAGES))
    assert store.load(checkpoint.run.id).state == {}


def test_the_stamp_changes_exactly_with_the_content(store: Store) -> None:
    first = store.save(checkpoint_at(1))
    assert store.stamp(RUN.id) == first
    assert store.save(checkpoint_at(1)) == first
    second = store.save(checkpoint_at(2))
    assert second != first
    assert store.stamp(RUN.id) == second
    assert len(list((store.path(RUN.id) / "snapshots").iterdir())) == 1


@pytest.mark.parametrize("steps", [(5, 5), (9, 4)], ids=["the same step", "an earlier step"])
def test_what_was_saved_last_is_what_loads(store: Store, steps: tuple[int, int]) -> None:
    """A notebook may train the same settings twice, on other images, or save a checkpoint from before."""
    for seed in range(6):
        for place, step in enumerate(steps):
            saved = checkpoint_at(step, seed=2 * seed + place)
            stamp = store.save(saved)
            assert store.stamp(RUN.id) == stamp
            assert same(store.load(RUN.id, training=True), saved)


def test_saving_again_heals_a_damaged_snapshot(store: Store) -> None:
    store.save(checkpoint_at(4))
    (_snapshot(store) / "weights.safetensors").write_bytes(b"spoiled")
    store.save(checkpoint_at(4))
    assert same(store.load(RUN.id, training=True), checkpoint_at(4))


def test_a_run_from_before_a_setting_was_added_still_loads(store: Store) -> None:
    """Its id is the hash of the settings that there were; what came later has its default."""
    store.save(checkpoint_at(3))
    settings = {name: value for name, value in RUN.to_dict().items() if name != "width"}
    id = f"digits-vanilla-{hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]}"
    store.path(RUN.id).rename(store.folder / id)
    (store.folder / id / "run.json").write_text(json.dumps(settings))
    assert store.ids() == [id]
    assert same(store.load(id, training=True), checkpoint_at(3))


def test_ids_come_newest_first_and_only_of_runs_with_a_snapshot(store: Store) -> None:
    others = [dataclasses.replace(RUN, seed=seed) for seed in (1, 2, 3)]
    assert store.ids() == []
    for run in others:
        store.save(checkpoint_at(1, run))
    store.create(RUN)
    for place, run in enumerate((others[2], others[0], others[1])):
        for path in (_snapshot(store, run), _snapshot(store, run).parent):
            os.utime(path, (place, place))
    assert store.ids() == [others[1].id, others[0].id, others[2].id]
    with pytest.raises(DamagedRun, match="no snapshot yet"):
        store.load(RUN.id)
    with pytest.raises(DamagedRun, match="no snapshot yet"):
        store.stamp(RUN.id)


def test_strange_things_in_the_folder_are_passed_over(store: Store) -> None:
    store.save(checkpoint_at(1))
    (store.folder / "notes.txt").write_text("hello")
    (store.folder / ".queue").mkdir()
    (store.folder / "empty").mkdir()
    (store.path(RUN.id) / "snapshots" / ".saving-dead").mkdir()
    (store.path(RUN.id) / "snapshots" / "old").mkdir()
    assert store.ids() == [RUN.id]
    assert same(store.load(RUN.id, training=True), checkpoint_at(1))


def test_a_deleted_run_is_gone_and_its_neighbor_is_not(store: Store) -> None:
    other = dataclasses.replace(RUN, seed=1)
    store.save(checkpoint_at(1))
    store.save(checkpoint_at(1, other))
    store.delete(RUN.id)
    assert store.ids() == [other.id]
    assert [path.name for path in store.folder.iterdir()] == [other.id]
    with pytest.raises(KeyError):
        store.load(RUN.id)


def test_the_root_is_aecore_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_HOME", str(tmp_path / "elsewhere"))
    assert Store().folder == tmp_path / "elsewhere" / "runs"
    monkeypatch.delenv("AECORE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert Store().folder == tmp_path / "me" / ".aecore" / "runs"


TRICKS = [
    *("", ".", "..", "../x", "../../etc", "/etc", "/etc/passwd", "~", "./", "runs", "../runs", "x/../y", "..\\x"),
    *("a\0b", "\0", "x" * 10_000, "%2e%2e%2f", "..%2f", "con", "*", "?", "[a-z]*", ".queue", ".saving-x", "\n", "🙂"),
    *(f"{RUN.id}/", f"./{RUN.id}", f"{RUN.id}/../{RUN.id}", f"../runs/{RUN.id}", f"{RUN.id}\0", RUN.id.upper()),
    *(f"{RUN.id}/snapshots", f" {RUN.id}", f"{RUN.id} ", RUN.id[:-1], "digits-vanilla-*"),
]


@pytest.mark.parametrize("id", TRICKS, ids=lambda id: repr(id)[:30])
def test_an_unknown_id_is_a_key_error_and_touches_nothing(store: Store, id: str) -> None:
    store.save(checkpoint_at(1))
    outside = store.folder.parent / "run.json"
    outside.write_text("{}")
    listing = {path: path.stat().st_mtime_ns for path in store.folder.parent.rglob("*")}
    for ask in (store.load, store.run, store.stamp, store.path, store.delete):
        with pytest.raises(KeyError) as error:
            ask(id)
        assert len(str(error.value)) < 250
        assert "python -m aecore runs" in str(error.value)
    assert {path: path.stat().st_mtime_ns for path in store.folder.parent.rglob("*")} == listing


# Damage.

FILES = ["run.json", "manifest.json", "history.json", "weights.safetensors", "training.safetensors"]


def _file(store: Store, name: str) -> Path:
    return (store.path(RUN.id) if name == "run.json" else _snapshot(store)) / name


@pytest.mark.parametrize("mask", [0x01, 0x10, 0xFF], ids="mask {:#04x}".format)
@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_noticed_or_does_no_harm(store: Store, name: str, mask: int) -> None:
    saved = checkpoint_at(12)
    store.save(saved)
    path = _file(store, name)
    content, unnoticed = path.read_bytes(), []
    positions = range(len(content)) if len(content) < 1000 else np.linspace(0, len(content) - 1, 40).astype(int)
    for position in positions:
        path.write_bytes(content[:position] + bytes([content[position] ^ mask]) + content[position + 1 :])
        assert store.ids() == [RUN.id]
        with contextlib.suppress(DamagedRun):
            if not same(store.load(RUN.id, training=True), saved):
                unnoticed.append(path.read_bytes()[max(0, position - 20) : position + 10])
    assert unnoticed == []
    path.write_bytes(content)
    assert same(store.load(RUN.id, training=True), saved)


@pytest.mark.parametrize("name", FILES[1:])
def test_a_missing_file_is_a_damaged_run_that_is_still_listed(store: Store, name: str) -> None:
    store.save(checkpoint_at(1))
    _file(store, name).unlink()
    assert store.ids() == [RUN.id]
    with pytest.raises(DamagedRun, match=rf"'{RUN.id}' is damaged: .*{name}.*delete it and train again"):
        store.load(RUN.id, training=True)


def test_without_its_settings_a_folder_is_no_run(store: Store) -> None:
    store.save(checkpoint_at(1))
    _file(store, "run.json").unlink()
    assert store.ids() == []
    with pytest.raises(KeyError):
        store.load(RUN.id)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"{}", b"7", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"model": 3}', b'{"model": "vae"}'],
    ids=lambda content: repr(content)[:20],
)
def test_a_file_with_other_content_is_a_damaged_run(store: Store, name: str, content: bytes) -> None:
    store.save(checkpoint_at(1))
    _file(store, name).write_bytes(content)
    assert store.ids() == [RUN.id]
    with pytest.raises(DamagedRun, match=RUN.id):
        store.load(RUN.id, training=True)


def test_an_older_whole_snapshot_stands_in_for_a_damaged_one(store: Store, tmp_path: Path) -> None:
    store.save(checkpoint_at(1))
    old = _snapshot(store)
    shutil.copytree(old, tmp_path / "kept")
    store.save(checkpoint_at(2))
    shutil.copytree(tmp_path / "kept", old)
    assert same(store.load(RUN.id, training=True), checkpoint_at(2))
    (_snapshot(store) / "weights.safetensors").unlink()
    assert same(store.load(RUN.id, training=True), checkpoint_at(1))


def test_a_snapshot_of_a_newer_version_is_refused_by_its_number(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(store_module, "SCHEMA", store_module.SCHEMA + 1)
        store.save(checkpoint_at(1))
    assert store.ids() == [RUN.id]
    with pytest.raises(
        NewerRun, match=rf"a newer version wrote it .schema {store_module.SCHEMA + 1}.*update this app$"
    ):
        store.load(RUN.id)


@pytest.mark.parametrize(
    "change",
    [{"rotation": "random"}, {"network": "mixer"}, {"model": {"flavor": "quantum"}},
     {"model": {"flavor": "vae", "latent": 2, "depth": 3}}],
    ids=["setting", "network", "flavor", "knob"],
)  # fmt: skip
def test_settings_that_only_a_newer_version_knows_are_no_damage(store: Store, change: dict[str, Any]) -> None:
    settings = RUN.to_dict() | change
    folder = store.folder / id_of(settings)
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(settings))
    with pytest.raises(NewerRun, match=r"does not know \(.*\); a newer one may have made it: update this app$"):
        store.load(folder.name)
    settings["seed"] = 99  # not those of its id any more
    (folder / "run.json").write_text(json.dumps(settings))
    with pytest.raises(DamagedRun, match="delete its folder"):
        store.load(folder.name)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused(store: Store, value: float) -> None:
    checkpoint = checkpoint_at(1)
    next(iter(checkpoint.network.parameters()))[0, 0] = value
    store.save(checkpoint)
    with pytest.raises(DamagedRun, match="NaN or infinity"):
        store.load(RUN.id)


def test_weights_of_another_shape_than_the_settings_are_refused(store: Store) -> None:
    other = dataclasses.replace(RUN, model=Vanilla(latent=3))
    store.save(dataclasses.replace(checkpoint_at(1), network=other.build(SHAPE)))
    with pytest.raises(DamagedRun, match="weights do not match the settings"):
        store.load(RUN.id)


@pytest.mark.parametrize(
    "content",
    [
        safetensors.torch.save({"a": torch.zeros(1)}, {"note": "x" * 2**20}),
        (2**63).to_bytes(8, "little") + b"{}",
        (100).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"{}" + b"more than it says",
        (17).to_bytes(8, "little") + b'{"a":{"dtype":1}}',
        (58).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,999999]}}'[:58],
        b"",
        b"\x80\x04\x95",
        b"PK\x03\x04" * 9,
    ],
    ids=["large", "huge", "short", "long", "strange", "beyond", "empty", "a pickle", "a zip"],
)
def test_what_is_not_a_small_safetensors_file_is_refused(content: bytes) -> None:
    with pytest.raises(DamagedRun, match="the weights"):
        read_tensors(content)


def test_the_posterior_of_a_variational_run_is_what_its_encoder_says(digits_runs: list[Checkpoint]) -> None:
    variational, other = digits_runs
    images = load_dataset("digits").test.images[:20]
    mean, deviation = variational.posterior(images)
    np.testing.assert_allclose(mean, variational.encode(images), rtol=1e-5, atol=1e-6)
    _, log_variance = variational.network.heads(torch.tensor(images / np.float32(255))).unbind(dim=1)
    np.testing.assert_allclose(np.square(deviation), log_variance.exp(), rtol=1e-4)
    with pytest.raises(ValueError, match="choose a flavor with a prior: vae"):
        other.posterior(images)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cut off or larger"),
        (b"not compressed", "cannot be unpacked"),
        (lzma.compress(b"weights")[:-1], "cut off or larger"),
        (lzma.compress(bytes(2**21)), "larger than 1 MiB"),
    ],
    ids=["empty", "plain", "cut", "bomb"],
)
def test_compressed_weights_are_unpacked_whole_and_within_a_limit_or_not_at_all(content: bytes, said: str) -> None:
    assert store_module._inflated(lzma.compress(b"weights"), 2**20) == b"weights"
    with pytest.raises(DamagedRun, match=said):
        store_module._inflated(content, 2**20)
