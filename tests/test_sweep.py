"""A sweep: its runs, its errors, its knee."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import aecore
from aecore import recipes, sweep
from aecore.__main__ import main
from aecore.measure.metrics import mse
from aecore.runs import Run

RUN = Run("digits", aecore.FLAVORS["vanilla"](latent=5), width=32, epochs=1, batch_size=512)


def test_the_runs_of_a_sweep_differ_in_nothing_but_their_units() -> None:
    runs = sweep.runs_of(RUN, [1, 2, 3])
    assert [run.model.latent for run in runs] == [1, 2, 3]
    assert len({run.id for run in runs}) == 3
    for run in runs:
        settings = run.to_dict()
        assert settings | {"model": settings["model"] | {"latent": 5}} == RUN.to_dict()
    assert [run.model.latent for run in sweep.runs_of(RUN)] == [*sweep.LATENTS]


def test_the_family_of_a_run_differs_in_nothing_but_its_units() -> None:
    runs = sweep.runs_of(RUN, [3, 1, 2])
    strangers = [replace(RUN, seed=1), replace(RUN, model=aecore.FLAVORS["sparse"](latent=5)), replace(RUN, epochs=2)]
    for run in runs:
        assert list(sweep.family(run, [*strangers, *runs]).items()) == [
            (1, runs[1].id), (2, runs[2].id), (3, runs[0].id),
        ]  # fmt: skip
    assert sweep.family(RUN, strangers) == {}


def test_errors_are_those_of_the_runs_that_are_trained(tmp_path: Path) -> None:
    store, digits, runs = aecore.Store(tmp_path), aecore.load_dataset("digits"), sweep.runs_of(RUN, [1, 2, 3])
    first, *_, last = aecore.train(runs[1], digits)
    store.save(last)
    store.save(next(aecore.train(runs[2], digits)))  # only begun
    assert not first.done
    found = sweep.errors(runs, digits, store)
    assert found == {2: pytest.approx(mse(digits.test.images, last.reconstruct(digits.test.images)))}


def test_pca_gets_better_with_each_number_and_is_better_than_none() -> None:
    digits = aecore.load_dataset("digits")
    every = [sweep.mean_error(digits), *sweep.baseline(digits, [1, 2, 3]).values()]
    assert every == sorted(every, reverse=True)
    assert len(set(every)) == 4


@pytest.mark.parametrize(
    ("errors", "place"),
    [
        ({1: 0.002, 2: 0.0019, 3: 0.0015}, 1),
        ({1: 0.08, 2: 0.04, 3: 0.001, 4: 0.0008}, 3),
        ({1: 0.08, 2: 0.05, 3: 0.03}, None),
        ({4: 0.001}, None),  # what comes before it is not known yet
        ({}, None),
    ],
)
def test_the_knee_is_where_one_more_unit_helps_most(errors: dict[int, float], place: int | None) -> None:
    assert sweep.knee(errors, mean=0.1) == place


@pytest.fixture
def short(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps of a second."""
    monkeypatch.setattr(recipes, "sweep_settings", lambda name, count: replace(RUN, dataset=name))


def test_a_sweep_on_the_command_line_trains_what_is_missing(
    short: None, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "digits", "--most", "2", "--json"]) == 0
    told, runs = json.loads(capsys.readouterr().out), sweep.runs_of(RUN, [1, 2, 3])
    store, digits = aecore.Store(home / "runs"), aecore.load_dataset("digits")
    assert {row["units"]: row["mse"] for row in told["rows"]} == sweep.errors(runs[:2], digits, store)
    assert [row["run"] for row in told["rows"]] == [run.id for run in runs[:2]]
    assert told["mean"] > told["rows"][1]["pca"] > 0
    stamps = {run.id: store.stamp(run.id) for run in runs[:2]}
    assert main(["sweep", "digits", "--most", "3"]) == 0
    printed = capsys.readouterr().out
    assert f"    3   {sweep.errors(runs, digits, store)[3]:.6f}" in printed
    assert "no knee" in printed
    assert {run.id: store.stamp(run.id) for run in runs[:2]} == stamps, "what was trained stays as it was"


@pytest.mark.parametrize(
    ("words", "problem"),
    [(["sweep", "nothing"], "dataset is 'nothing'"), (["sweep", "digits", "--most", "0"], "--most is 0; choose 1 or")],
)
def test_a_sweep_of_nothing_is_refused(words: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert problem in capsys.readouterr().err
