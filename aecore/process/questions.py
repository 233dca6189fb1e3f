"""The questions that pages ask and that take long to answer: each is a task, its last argument its progress.

A stamp in the arguments names the weights that an answer is about. Whoever changes how one is found raises its number.
"""

from typing import TYPE_CHECKING

import numpy as np

from aecore.kept import room
from aecore.process.jobs import shown_folder
from aecore.process.tasks import Progress, task

if TYPE_CHECKING:
    from aecore.store import Store

BLOCK = 4096
"""Images that are encoded between two looks at the progress."""


@task(1)
def coded(run: str, stamp: str, split: str, progress: Progress) -> list[np.ndarray]:
    """The codes of a split (n, latent)."""
    from aecore.data import load_dataset

    checkpoint = _store(run).load(run)
    images = load_dataset(checkpoint.run.dataset).split(split).images
    found = room((len(images), checkpoint.run.model.latent))
    for start in range(0, len(images), BLOCK):
        progress(start, len(images))
        found[start : start + BLOCK] = checkpoint.encode(images[start : start + BLOCK])
    return [found]


@task(1)
def nearest(run: str, stamp: str, split: str, metric: str, progress: Progress) -> list[np.ndarray]:
    """Distances to and numbers of the four nearest codes, for every distinct image of a split with two or more."""
    from aecore.data import distinct, load_dataset
    from aecore.search import all_nearest

    first, _ = distinct(load_dataset(_store(run).run(run).dataset).split(split).images)
    found = codes(run, stamp, split)[first]
    return list(all_nearest(found, min(4, len(found) - 1), metric, progress))


@task(1)
def tsne(run: str, stamp: str, split: str, progress: Progress) -> list[np.ndarray]:
    """Rows (m,) of up to 5,000 images, drawn with seed 0, and their places (m, 2) by t-SNE of their codes."""
    from aecore import atlas, manifold

    every = codes(run, stamp, split)
    rows = atlas.drawn(len(every), 5000)
    found = []
    for done, places in manifold.tsne(every[rows], min(30.0, len(rows) / 4)):
        progress(done, 4)
        found = [rows, places]
    return found


@task(1)
def labels(run: str, stamp: str, amount: int, seed: int, progress: Progress) -> list[np.ndarray]:
    """A classifier on codes, from `amount` labels per class: what it said of every test image, and how surely."""
    from aecore.data import load_dataset
    from aecore.measure.few_labels import learn

    known = load_dataset(_store(run).run(run).dataset).train.labels
    return list(learn(codes(run, stamp, "train"), codes(run, stamp, "test"), known, amount, seed))


@task(1)
def labels_of_pixels(dataset: str, revision: int, amount: int, seed: int, progress: Progress) -> list[np.ndarray]:
    """The same on raw pixels. The revision of the set makes another question of it where images were added."""
    from aecore.data import load_dataset
    from aecore.measure.few_labels import learn

    images = load_dataset(dataset)
    pixels = (split.images.reshape(len(split), -1) for split in (images.train, images.test))
    return list(learn(*pixels, images.train.labels, amount, seed))


@task(1)
def filtered(dataset: str, revision: int, kind: str, clip: bool, seed: int, progress: Progress) -> list[np.ndarray]:
    """PSNR of doing nothing and of every filter at every level of noise, mean and error: (levels, names, 2).

    NaN where a filter cannot be used.
    """
    from aecore.data import load_dataset
    from aecore.measure.filters import FILTERS
    from aecore.measure.repair import LEVELS, NOTHING, repaired_by_filters

    images, names = load_dataset(dataset), (NOTHING, *FILTERS)
    scores = np.full((len(LEVELS), len(names), 2), np.nan)
    for place, level in enumerate(LEVELS):
        progress(place, len(LEVELS))
        for name, score in repaired_by_filters(images, kind, level, clip, seed).items():
            scores[place, names.index(name)] = score["mean"], score["error"]
    return [scores]


@task(1)
def durations(dataset: str, revision: int, progress: Progress) -> list[np.ndarray]:
    """Seconds that each recipe for a set takes to train on this machine, in the order of `recipes_for`."""
    from aecore.data import load_dataset
    from aecore.recipes import recipes_for
    from aecore.training import duration

    images = load_dataset(dataset)
    recipes = recipes_for(images.name, len(images.train)).values()
    return [np.array([duration(recipe.run, images) for recipe in recipes])]


@task(1)
def exported(run: str, stamp: str, split: str, way: str, progress: Progress) -> list[np.ndarray]:
    """A run in one of the forms of `export`: the name of the file, and its content."""
    from aecore import export

    name, content = export.download(export.load(_store(run), run, split), way)
    return [np.frombuffer(part, np.uint8) for part in (name.encode(), content)]


def _store(run: str) -> "Store":
    from aecore.store import store_at

    return store_at(shown_folder(run))


def codes(run: str, stamp: str, split: str) -> np.ndarray:
    """The codes of a split (n, latent), read-only: found here, unless they are known."""
    return coded(run, stamp, split).compute()[0]
