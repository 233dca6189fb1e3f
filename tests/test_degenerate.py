"""Degenerate data: every cell of the grid trains and is of use, or says in a sentence why not."""

from collections import deque

import numpy as np
import pytest
from conftest import matrix

from aecore import charts, figures, manifold
from aecore.data import Dataset, Split
from aecore.measure.few_labels import learn
from aecore.measure.metrics import mse
from aecore.models import FLAVORS
from aecore.moments import moment_of
from aecore.networks import NETWORKS
from aecore.runs import Run
from aecore.search import Index
from aecore.training import train

COUNTS = (0, 1, 2, 3, 7, 9)  # 9 is a batch and one
KINDS = ("random", "black", "white", "duplicate")
SIDES = (1, 2, 7, 8, 29, 31, 128, 257)


def _images(kind: str, count: int, shape: tuple[int, int, int] = (1, 8, 8)) -> np.ndarray:
    rng = np.random.default_rng(count)
    if kind == "duplicate":
        return np.repeat(rng.integers(0, 256, (1, *shape), dtype=np.uint8), count, axis=0)
    fill = {"black": 0, "white": 255}.get(kind)
    if fill is None:
        return rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    return np.full((count, *shape), fill, np.uint8)


def _dataset(images: np.ndarray, classes: int | None = None) -> Dataset:
    labels = None if classes is None else np.arange(len(images)) % max(classes, 1)
    names = None if classes is None else tuple(f"class {number}" for number in range(classes))
    split = Split(images, labels, np.array([f"image-{row}" for row in range(len(images))]))
    return Dataset("odd", split, split, names)


def _run(flavor: str, **settings: object) -> Run:
    return Run("odd", FLAVORS[flavor](latent=settings.pop("latent", 2)), width=32, epochs=2, batch_size=8, **settings)


def _is_of_use(dataset: Dataset, run: Run) -> None:
    """Train, then do what the pages do; nothing may be NaN."""
    checkpoint = deque(train(run, dataset), maxlen=1)[0]
    images = dataset.test.images
    codes = checkpoint.encode(images)
    assert np.isfinite(codes).all()
    assert np.isfinite(mse(images, checkpoint.reconstruct(images)))
    for row in checkpoint.history:
        assert all(np.isfinite(value) for value in row["test"].values())
    places = manifold.plane(codes)
    box = manifold.bounds(places)
    rows, cells = manifold.tile(places, cells=5)
    assert 1 <= len(rows) <= len(images)
    assert figures.picture_map(images[rows], cells, cells=5).dtype == np.uint8
    assert np.isfinite(manifold.lattice(box, 3)).all()
    k = min(4, len(images))
    distances, found = Index(codes).nearest(codes[0], k)
    assert len(set(found.tolist())) == k
    assert np.isfinite(distances).all()
    moment = moment_of(checkpoint, dataset.test)
    assert charts.small_map(moment.places, box, ["image"] * len(moment.places), "image").to_dict()
    assert charts.curves(checkpoint.history, log=True).to_dict()


@pytest.mark.slow
@pytest.mark.parametrize(("count", "kind", "flavor"), matrix(COUNTS, KINDS, FLAVORS.keys(), rounds=4))
def test_any_number_of_any_images(count: int, kind: str, flavor: str) -> None:
    dataset = _dataset(_images(kind, count))
    if not count:
        with pytest.raises(ValueError, match="has no images to train on; add some, or choose another"):
            next(train(_run(flavor), dataset))
        return
    for settings in ({"loss": "mse"}, {"loss": "kl"}, {"latent": 100}, {"latent": 1}):  # 100 is more than the pixels
        _is_of_use(dataset, _run(flavor, **settings))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("side", SIDES)
def test_any_side_and_any_channels(side: int, channels: int, network: str) -> None:
    dataset = _dataset(_images("random", 3, (channels, side, max(1, side - 1))))
    if not (side - 1 >= 8 and side <= 128 and channels in (1, 3)):
        with pytest.raises(ValueError, match="a network takes 1 or 3 channels and sides from 8 to 128: resize"):
            next(train(_run("vae", network=network), dataset))
        return
    _is_of_use(dataset, _run("vae", network=network))


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("classes", [1, 2, 1000])
def test_any_number_of_classes(classes: int, flavor: str) -> None:
    dataset = _dataset(_images("random", 12), classes)
    _is_of_use(dataset, _run(flavor))
    codes = deque(train(_run(flavor), dataset), maxlen=1)[0].encode(dataset.train.images)
    if classes == 1:
        with pytest.raises(ValueError, match="class"):
            learn(codes, codes, dataset.train.labels, 1, 0)
    else:
        said, confidence = learn(codes, codes, dataset.train.labels, 1, 0)
        assert len(said) == len(confidence) == 12


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_batch_larger_than_the_dataset_is_the_dataset(flavor: str) -> None:
    dataset = _dataset(_images("random", 5))
    run = Run("odd", FLAVORS[flavor](latent=2), width=32, epochs=3, batch_size=4096)
    assert [checkpoint.step for checkpoint in train(run, dataset)] == [0, 1, 2, 3]
