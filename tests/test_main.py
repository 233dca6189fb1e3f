"""The command line, in this process: what it prints for people and for machines, and how it refuses."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from aecore import Checkpoint, Store, recipes
from aecore.__main__ import main
from aecore.data import DATASETS, load_dataset
from aecore.export import FORMATS
from aecore.measure.metrics import psnr
from aecore.models import DISTANCES, FLAVORS, VAE
from aecore.networks import NETWORKS
from aecore.noise import NOISES, corrupt
from aecore.process.worker import working
from aecore.runs import Run

ROOT = Path(__file__).parents[1]
TRAIN = ["train", "digits", "--network", "shallow", "--epochs", "1", "--batch-size", "256"]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must succeed; what it printed."""

    def run(*words: str) -> str:
        capsys.readouterr()
        assert main(list(words)) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def tell(say: Callable[..., str]) -> Callable[..., Any]:
    """Run a command with --json; what it printed, parsed as one line of strict JSON."""

    def run(*words: str) -> Any:
        out = say(*words, "--json")
        assert out.count("\n") == 1
        return json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    return run


@pytest.fixture
def run_id(home_with_runs: Path, digits_runs: list[Checkpoint]) -> str:
    return digits_runs[0].run.id


# Training.


def test_train_saves_the_run_and_says_where_to_look(home: Path, say: Callable[..., str]) -> None:
    out = say(*TRAIN, "--flavor", "vae", "--latent", "2", "--loss", "kl", "--seed", "3", "--knob", "beta=0.5")
    (id,) = Store().ids()
    assert f"{id}: done at epoch 1, test MSE 0." in out
    assert f"manifold?run={id}" in out
    expected = Run("digits", VAE(latent=2, beta=0.5), "shallow", loss="kl", epochs=1, batch_size=256, seed=3)
    assert Store().load(id).run == expected
    assert Store().load(id).done


def test_train_tells_machines_the_last_row(home: Path, tell: Callable[..., Any]) -> None:
    told = tell(*TRAIN, "--lr", "0.01")
    checkpoint = Store().load(told["run"])
    assert told == {"run": checkpoint.run.id, "state": "done", **checkpoint.history[-1]}
    assert tell(*TRAIN, "--lr", "0.01") == told  # finished already: nothing is trained again
    assert tell("train", "--resume", told["run"]) == told


def test_a_progress_bar_shows_epochs_and_loss(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(TRAIN)
    bar = capsys.readouterr().err
    assert "100%" in bar
    assert "1.0/1 epochs" in bar
    assert "test MSE 0." in bar


def test_options_take_precedence_over_a_recipe(
    home: Path, tell: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Run("digits", VAE(latent=2), "shallow", epochs=5)
    monkeypatch.setitem(recipes.RECIPES, "small", recipes.Recipe("Small", "Small.", small))
    told = tell("train", "--recipe", "small", "--epochs", "1", "--latent", "3", "--knob", "beta=2.5")
    run = Store().load(told["run"]).run
    assert run == Run("digits", VAE(latent=3, beta=2.5), "shallow", epochs=1)


def test_a_training_that_diverges_exits_1_and_keeps_the_last_good_state(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    distance = lambda logits, target: (logits - target).square().mean() * 1e38  # noqa: E731
    monkeypatch.setattr("aecore.training.DISTANCES", {"mse": distance})
    assert main([*TRAIN, "--json"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("aecore: ")
    assert "became NaN or infinite at epoch 0.00" in said
    assert said.count("\n") == 1
    (id,) = Store().ids()
    assert not Store().load(id).done
    assert json.loads((home / "runs" / id / "progress.json").read_text())["state"] == "failed"


# Using runs.


def test_a_run_gets_a_name_and_loses_it(run_id: str, say: Callable[..., str], tell: Callable[..., Any]) -> None:
    assert say("rename", run_id, "First steps") == f"{run_id}: First steps\n"
    assert "First steps" in say("runs")
    assert {row["run"]: row["name"] for row in tell("runs")}[run_id] == "First steps"
    assert say("rename", run_id, "") == f"{run_id}: no name\n"


def test_embed_writes_codes_ids_and_labels(
    run_id: str, tmp_path: Path, tell: Callable[..., Any], digits_runs: list[Checkpoint]
) -> None:
    told = tell("embed", run_id, "--split", "train", "--out", str(tmp_path / "codes"))
    train = load_dataset("digits").train
    assert told == {"file": str(tmp_path / "codes.npz"), "codes": [len(train), 2]}
    with np.load(told["file"]) as file:
        assert sorted(file) == ["codes", "ids", "labels"]
        np.testing.assert_allclose(file["codes"], digits_runs[0].encode(train.images), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(file["ids"], train.ids)
        np.testing.assert_array_equal(file["labels"], train.labels)


def test_export_writes_a_new_folder_and_says_what_is_in_it(
    run_id: str, tmp_path: Path, tell: Callable[..., Any], say: Callable[..., str]
) -> None:
    told = tell("export", run_id, "--to", str(tmp_path / "out"), "--as", "npz,projector", "--split", "train")
    assert told["files"] == {"npz": str(tmp_path / "out" / "codes.npz"), "projector": str(tmp_path / "out/projector")}
    assert all(Path(file).exists() for file in told["files"].values())
    with np.load(told["files"]["npz"], allow_pickle=False) as file:
        assert file["codes"].shape == (len(load_dataset("digits").train), 2)
    lines = say("export", run_id, "--to", str(tmp_path / "all")).splitlines()
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == sorted(
        Path(line).name for line in lines if not line.startswith(" ")
    )
    assert len(FORMATS) <= len(lines)


def test_search_finds_the_query_itself_in_its_own_split(
    run_id: str, tmp_path: Path, say: Callable[..., str], tell: Callable[..., Any]
) -> None:
    words = ["search", run_id, "--query", "7", "-k", "3", "--gallery", "test", "--out", str(tmp_path / "hits.png")]
    told = tell(*words)
    test = load_dataset("digits").test
    assert (told["query"], told["class"]) == (7, str(test.labels[7]))
    assert len(told["hits"]) == 3
    assert told["hits"][0]["row"] == 7
    assert told["hits"][0]["distance"] == pytest.approx(0, abs=1e-5)
    for hit in told["hits"]:
        assert (hit["id"], hit["class"]) == (test.ids[hit["row"]], str(test.labels[hit["row"]]))
    assert [hit["distance"] for hit in told["hits"]] == sorted(hit["distance"] for hit in told["hits"])
    with Image.open(tmp_path / "hits.png") as drawing:
        assert drawing.width > 4 * 8 > drawing.height / 4
    lines = say(*words).splitlines()
    assert lines[0].startswith("test image 7")
    assert len(lines) == 5


def test_denoise_measures_noisy_and_restored_images(
    home_with_runs: Path, tmp_path: Path, tell: Callable[..., Any], digits_runs: list[Checkpoint]
) -> None:
    checkpoint = digits_runs[1]
    options = ["--noise", "masking", "--level", "0.25", "--seed", "4", "--count", "50"]
    told = tell("denoise", checkpoint.run.id, *options, "--out", str(tmp_path / "sheet.png"))
    clean = load_dataset("digits").test.images[:50]
    noisy = corrupt(clean, "masking", 0.25, seed=4)
    assert (told["noise"], told["level"], told["images"]) == ("masking", 0.25, 50)
    assert told["psnr_noisy"] == pytest.approx(psnr(clean, noisy).mean(), rel=1e-5)
    assert told["psnr_restored"] == pytest.approx(psnr(clean, checkpoint.reconstruct(noisy)).mean(), rel=1e-4)
    with Image.open(tmp_path / "sheet.png") as drawing:
        assert drawing.width > drawing.height


def test_runs_are_listed_with_their_state(
    home_with_runs: Path, say: Callable[..., str], tell: Callable[..., Any], digits_runs: list[Checkpoint]
) -> None:
    told = {row["run"]: row for row in tell("runs")}
    for checkpoint in digits_runs:
        row = told.pop(checkpoint.run.id)
        assert (row["state"], row["epoch"]) == ("done", 2)
        assert row["test_mse"] == checkpoint.history[-1]["test"]["mse"]
        assert checkpoint.run.id in say("runs")
    assert told == {}


def test_a_damaged_run_is_listed_as_damaged_and_hides_no_other(
    home_with_runs: Path, say: Callable[..., str], tell: Callable[..., Any], digits_runs: list[Checkpoint]
) -> None:
    bad, good = (checkpoint.run.id for checkpoint in digits_runs)
    (home_with_runs / "runs" / bad / "run.json").write_text("{")
    told = {row["run"]: row["state"] for row in tell("runs")}
    assert told == {bad: "damaged", good: "done"}
    assert "unreadable settings" in say("runs")


def test_without_runs_the_list_says_how_to_get_one(
    home: Path, say: Callable[..., str], tell: Callable[..., Any]
) -> None:
    assert say("runs") == "no runs yet; train one: python -m aecore train digits\n"
    assert tell("runs") == []


def test_images_of_ones_own_come_in_and_are_trained_on(
    home: Path, tmp_path: Path, say: Callable[..., str], tell: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 20, 20), np.uint8)
    np.savez(tmp_path / "in.npz", x=images, y=np.arange(30) % 3)
    path = str(tmp_path / "in.npz")
    assert "Suggested: --side 20 --channels 1" in say("import", path, "--look")
    seen = tell("import", path, "--look", "--side", "8")
    assert (seen["count"], seen["classes"], seen["suggested"]["side"]) == (30, {"0": 10, "1": 10, "2": 10}, 20)
    assert "pets: 24 images to train on, 6 held out, 0 skipped" in say("import", path, "--name", "pets", "--side", "8")
    assert {
        "name": "pets",
        "title": "Pets",
        "here": True,
        "train": 24,
        "test": 6,
        "source": "",
        "kind": "NumPy file",
    } in tell("sets")
    assert "pets" in say("train", "pets", *TRAIN[2:])
    np.savez(tmp_path / "more.npz", x=images[::-1] ^ 1, y=np.arange(30) % 3)
    assert tell("import", str(tmp_path / "more.npz"), "--add", "pets")["revision"] == 2
    assert main(["import", path, "--add", "nothing"]) == 2
    assert "not one of your sets; choose one of pets" in capsys.readouterr().err
    assert main(["import", path, "--name", "pets"]) == 2
    assert "There is a set named pets already" in capsys.readouterr().err
    assert "pets is deleted" in say("sets", "--delete", "pets")
    assert main(["train", "pets"]) == 2
    assert "dataset is 'pets'; choose one of" in capsys.readouterr().err


def test_recipes_are_listed_with_a_sentence(say: Callable[..., str], tell: Callable[..., Any]) -> None:
    told = tell("recipes")
    assert told.keys() == recipes.RECIPES.keys() >= {"blocks-map", "fashion-search"}
    for name, recipe in recipes.RECIPES.items():
        assert Run.from_dict({key: value for key, value in told[name].items() if key != "sentence"}) == recipe.run
        assert f"{name} " in say("recipes")


def test_the_map_experiment_trains_and_draws_in_one_go(
    home: Path, tmp_path: Path, tell: Callable[..., Any], say: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Run("digits", VAE(latent=2), "shallow", epochs=1)
    monkeypatch.setitem(recipes.RECIPES, "blocks-map", recipes.Recipe("Small", "Small.", small))
    out = tmp_path / "map.png"
    assert str(out) in say("experiment", "blocks-map", "--out", str(out))
    assert Store().load(small.id).done
    with Image.open(out) as drawing:
        assert drawing.width == drawing.height >= 28 * 10
    assert tell("experiment", "blocks-map", "--out", str(out)) == {"run": small.id, "file": str(out)}


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["--help"])
    assert leaving.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("train", "embed", "search", "denoise", "runs", "recipes", "experiment"))


REGISTRIES = {"train": (DATASETS, FLAVORS, NETWORKS, DISTANCES), "denoise": (NOISES,), "export": (FORMATS,)}


@pytest.mark.parametrize(("command", "registry"), [(name, one) for name, every in REGISTRIES.items() for one in every])
def test_help_lists_what_a_registry_holds_whoever_registered_it(
    command: str, registry: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry, "newcomer", None)
    with pytest.raises(SystemExit) as leaving:
        main([command, "--help"])
    assert leaving.value.code == 0
    assert f"one of {', '.join(registry)}" in " ".join(capsys.readouterr().out.split())


def _modules_after(arguments: list[str]) -> set[str]:
    """What a process of its own has imported, by first names, once the command has ended well."""
    script = """
        import sys
        from aecore.__main__ import main
        try:
            code = main(sys.argv[1:])
        except SystemExit as leaving:
            code = leaving.code
        print(*{name.partition(".")[0] for name in sys.modules})
        sys.exit(code)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["runs", "--help"], ["embed", "--help"]], ids=" ".join)
def test_help_that_lists_nothing_imports_nothing_heavy(arguments: list[str]) -> None:
    assert not _modules_after(arguments) & {"torch", "numpy", "sklearn", "pooch"}


def test_a_training_that_waits_for_its_turn_has_not_imported_torch(home: Path) -> None:
    store = Store()
    ahead, waiting = (store.create(Run("digits", VAE(latent=2), seed=seed)) for seed in (0, 1))
    (waiting / "orders.txt").write_text("go\n\nstop\n")  # it goes, waits, and while it waits it is stopped
    with working(ahead, background=True) as worker:
        assert list(worker.turns()) == []
        assert not _modules_after(["train", "--background", "--resume", waiting.name]) & {"torch", "numpy", "sklearn"}
    assert json.loads((waiting / "progress.json").read_text())["ahead"] == 1


# Bad input: exit code 2 and one sentence.

BAD = [
    "",
    "fly",
    "train",
    "train mnist",
    "train digits extra",
    "train digits --flavor gan",
    "train digits --network transformer",
    "train digits --loss bce",
    "train digits --latent 0",
    "train digits --latent two",
    "train digits --latent 1e1",
    "train digits --latent 99999999999999999999999999",
    f"train digits --epochs 1{'0' * 400}",
    "train digits --epochs 0",
    "train digits --epochs -3",
    "train digits --batch-size 0",
    "train digits --lr 0",
    "train digits --lr nan",
    "train digits --lr fast",
    "train digits --seed -1",
    "train digits --seed 2147483648",
    "train digits --knob",
    "train digits --knob weight",
    "train digits --knob weight=1",
    "train digits --knob =1",
    "train digits --flavor vae --knob beta=-1",
    "train digits --flavor vae --knob beta=1e999",
    "train digits --flavor vae --knob beta=NaN",
    "train digits --flavor vae --knob beta=true",
    "train digits --flavor vae --knob beta=",
    "train digits --flavor vae --knob beta={}",
    "train digits --flavor denoising --knob noise=fog",
    "train digits --flavor denoising --knob noise=[]",
    "train --recipe none",
    "train digits --recipe blocks-map",
    "train --recipe blocks-map --flavor vae",
    "train --resume nowhere",
    "train --resume ../../etc",
    "train digits --unknown",
    "embed",
    "embed nowhere",
    "embed RUN --split validation",
    "embed RUN --out nowhere/codes.npz",
    "embed RUN --out .",
    "search",
    "search nowhere",
    "search RUN --query -1",
    "search RUN --query 360",
    "search RUN --query one",
    "search RUN -k 0",
    "search RUN -k 1438",
    "search RUN --gallery all",
    "search RUN --out nowhere/hits.png",
    "denoise nowhere",
    "denoise RUN --noise fog",
    "denoise RUN --level -0.1",
    "denoise RUN --level 1.1",
    "denoise RUN --level nan",
    "denoise RUN --count 0",
    "denoise RUN --count -5",
    f"denoise RUN --seed 1{'0' * 30}",
    "denoise RUN --out nowhere/sheet.png",
    "export",
    "export RUN",
    "export nowhere --to new",
    "export RUN --to .",
    "export RUN --to nowhere/new",
    "export RUN --to new --as fog",
    "export RUN --to new --as csv,",
    "export RUN --to new --split all",
    "experiment",
    "experiment none",
    "runs extra",
    "import",
    "import nowhere --name pets",
    "import . --name pets",
    "import . --name Pets --side 8 --channels 1",
    "import . --name pets --side 4 --channels 1",
    "import . --name pets --side 8 --channels 2",
    "import . --name pets --side 8 --channels 1 --fit tile",
    "sets --delete nowhere",
]


@pytest.mark.parametrize("words", BAD, ids=lambda words: words[:50] or "nothing")
def test_bad_input_exits_2_with_one_sentence(
    run_id: str, tmp_path: Path, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = Store().ids()
    try:
        code: object = main(words.replace("RUN", run_id).split())
    except SystemExit as leaving:
        code = leaving.code
    out, said = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert said.startswith("aecore: ")
    assert said.count("\n") == 1
    assert len(said) > 30
    assert Store().ids() == runs
    assert len(list((tmp_path / "home" / "runs").iterdir())) == len(runs)


@pytest.mark.parametrize("name", ["run.json", "weights.safetensors"])
def test_a_damaged_run_exits_2_with_one_sentence(
    run_id: str, home: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = (home / "runs" / run_id).rglob(name)
    path.write_bytes(b"spoiled")
    for command in ("embed", "search", "denoise"):
        assert main([command, run_id]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"aecore: run '{run_id}'")
        assert said.count("\n") == 1


@pytest.mark.usefixtures("home", "offline")
def test_images_that_are_not_to_be_had_exit_2_with_both_ways_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "fashion_mnist", "--json"]) == 2
    said = capsys.readouterr().err
    assert "Connect to the internet" in said
    assert "set AECORE_FASHION_MNIST" in said
    assert said.count("\n") == 1
