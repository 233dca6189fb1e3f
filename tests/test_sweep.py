"""A sweep: its runs, its errors, its knee."""

from pathlib import Path

import pytest

import aecore
from aecore import sweep
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
