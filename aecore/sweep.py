"""A sweep: the same run with more and more units in a code, and where its error stops falling, the knee."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from aecore.data import Dataset
from aecore.measure.metrics import mse
from aecore.measure.pca import linear
from aecore.runs import Run
from aecore.store import DamagedRun, Store

LATENTS = range(1, 9)
"""The units of a sweep, unless told otherwise."""


def runs_of(run: Run, latents: Iterable[int] = LATENTS) -> list[Run]:
    """The runs of a sweep: all settings are those of `run`, except how many units a code has."""
    return [replace(run, model=replace(run.model, latent=latent)) for latent in latents]


def family(run: Run, others: Iterable[Run]) -> dict[int, str]:
    """Units -> id, in their order, of those of the other runs that differ from this one in nothing but their units."""
    same = runs_of(run, [1])
    return dict(sorted((other.model.latent, other.id) for other in others if runs_of(other, [1]) == same))


def errors(runs: Iterable[Run], dataset: Dataset, store: Store) -> dict[int, float]:
    """Units -> MSE on all test images, for those of the runs that are trained to their end in this store."""
    found, known, test = {}, set(store.ids()), dataset.test.images
    for run in runs:
        if run.id not in known:
            continue
        try:
            checkpoint = store.load(run.id)
        except DamagedRun:
            continue
        if checkpoint.done:
            found[run.model.latent] = mse(test, checkpoint.reconstruct(test))
    return found


def baseline(dataset: Dataset, latents: Iterable[int] = LATENTS) -> dict[int, float]:
    """Numbers -> MSE on all test images of PCA with so many; empty where images are too large for it."""
    pca, test = linear(dataset), dataset.test.images
    return {} if pca is None else {latent: mse(test, pca.rebuild(test, latent)) for latent in latents}


def mean_error(dataset: Dataset) -> float:
    """MSE on all test images of the mean training image: what can be rebuilt from no numbers at all."""
    mean = (dataset.train.images.mean(axis=0, dtype=np.float64) / 255).astype(np.float32)
    return mse(dataset.test.images, np.broadcast_to(mean, dataset.test.images.shape))


def knee(errors: Mapping[int, float], mean: float) -> int | None:
    """The number of units at which one more cuts the error the most, to less than a tenth; None where none does.

    errors: units -> MSE; mean: that of no units. A unit counts only where the number before it is known, too.
    """
    every = {0: mean} | dict(errors)
    ratios = {latent: every[latent] / every[latent - 1] for latent in errors if every.get(latent - 1)}
    best = min(ratios, key=ratios.__getitem__, default=None)
    return best if best is not None and ratios[best] < 0.1 else None
