"""The only caches. Arguments are names, numbers and stamps; a stamp changes exactly when a run's weights do.

Big things are shared between all visitors (cache_resource) and never changed; small results are copied (cache_data).
"""

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from aecore import Checkpoint, Dataset, Index, Store
    from aecore.data.pictures import Picture
    from aecore.moments import Moment
    from aecore.whitening import Whitening


def warm_up() -> None:
    """Import what pages need, before a visitor asks.

    Streamlit collects garbage after every page run, with all visitors waiting. The imported modules are 300,000 objects
    that stay: looking at them again takes 0.15 s each time, unless they are frozen.
    """
    import gc

    import aecore.charts
    import aecore.figures
    import aecore.manifold
    import aecore.measure.evaluate
    import aecore.measure.repair
    import aecore.noise
    import aecore.recipes
    import aecore.search  # noqa: F401

    gc.collect()
    gc.freeze()
    _warm_opening_views()


def _warm_opening_views() -> None:
    """What the experiments show first, so that it is known when the first visitor comes."""
    import logging

    from aecore.data import is_here

    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel(logging.ERROR)  # no visitor
    known = recipes()
    for name, views in (("blocks-map", (places,)), ("fashion-search", (index,)), ("fashion-labels", (codes,))):
        run = known[name]["id"]
        if is_here(known[name]["run"]["dataset"]):
            for look in views:
                look(run, stamp(run), "train")


@st.cache_resource(max_entries=4, show_spinner="Reading the images")
def dataset(name: str) -> "Dataset":
    from aecore.data import load_dataset

    return load_dataset(name)


def store(run: str) -> "Store":
    """The store from which pages show a run."""
    from aecore.process.jobs import shown_folder
    from aecore.store import store_at

    return store_at(shown_folder(run))


def training_store(run: str) -> "Store":
    """The store in which a run trains or trained."""
    from aecore.folders import folder_of
    from aecore.store import store_at

    return store_at(folder_of(run))


@st.cache_data(max_entries=64, show_spinner=False)
def titles(runs: tuple[str, ...]) -> dict[str, str]:
    """What runs are called: their recipe's title, or their settings. An id is made of the settings, so both stay."""
    from aecore.runs import titles
    from aecore.store import DamagedRun

    of_recipes, known = {recipe["id"]: recipe["title"] for recipe in recipes().values()}, []
    for run in runs:
        with suppress(DamagedRun, KeyError):
            if run not in of_recipes:
                known.append(training_store(run).run(run))
    return {run: of_recipes.get(run, run) for run in runs} | titles(known)


def stamp(run: str) -> str:
    """The stamp of a run's newest snapshot; while it trains, of one at most a minute old.

    A training saves every few seconds, and each new stamp would have every page encode all images anew.
    """
    from aecore.process.jobs import LIVE, Job

    if Job(store(run).path(run)).state in LIVE:
        return _stamp_of(run, int(time.monotonic() // 60))
    return store(run).stamp(run)


@st.cache_data(max_entries=64, show_spinner=False)
def _stamp_of(run: str, minute: int) -> str:
    return store(run).stamp(run)


@st.cache_resource(max_entries=12, show_spinner="Reading the run")
def checkpoint(run: str, stamp: str) -> "Checkpoint":
    return store(run).load(run)


@st.cache_data(max_entries=1024, show_spinner=False)
def shape(run: str, stamp: str) -> tuple[int, int, int]:
    """Channels, height and width of the images of a run."""
    return checkpoint(run, stamp).network.shape


@st.cache_resource(max_entries=8, show_spinner="Encoding the images")
def codes(run: str, stamp: str, split: str) -> "np.ndarray":
    loaded = checkpoint(run, stamp)
    images = dataset(loaded.run.dataset).split(split).images
    return _shipped(run, stamp, f"codes-{split}", lambda: [loaded.encode(images)])[0]


def _shipped(run: str, stamp: str, what: str, compute: "Callable[[], list[np.ndarray]]") -> "list[np.ndarray]":
    """Arrays that take long, on disk for a run that comes with the app: it is what every visitor sees first."""
    from aecore.kept import kept

    if store(run).read_only:
        return kept(f"{run}-{stamp}-{what}", compute)
    arrays = compute()
    for array in arrays:
        array.flags.writeable = False
    return arrays


@st.cache_resource(max_entries=12, show_spinner=False)
def axes(run: str, stamp: str) -> "tuple[np.ndarray, np.ndarray]":
    """Mean and directions of the plane of a run's codes, from its first 20,000 training images."""
    from aecore.manifold import axes

    return axes(codes(run, stamp, "train")[:20_000])


@st.cache_resource(max_entries=12, show_spinner="Laying out the map")
def places(run: str, stamp: str, split: str) -> "np.ndarray":
    """Every image of a split on the plane of a run's codes, (n, 2)."""
    from aecore.manifold import project

    return project(codes(run, stamp, split), *axes(run, stamp))


@st.cache_resource(max_entries=8, show_spinner=False)
def distinct(name: str, split: str) -> "tuple[np.ndarray, np.ndarray]":
    """First rows (t,) of the distinct images of a split, and for every row (n,) the number of its image among them."""
    import numpy as np

    numbers: dict[bytes, int] = {}
    images = dataset(name).split(split).images
    every = np.array([numbers.setdefault(image.tobytes(), len(numbers)) for image in images], np.uint32)
    _, first = np.unique(every, return_index=True)
    return first, every


@st.cache_resource(max_entries=8, show_spinner=False)
def copies(name: str, split: str) -> "np.ndarray":
    """How often each distinct image of a split is in it, (t,)."""
    import numpy as np

    return np.bincount(distinct(name, split)[1])


@st.cache_resource(max_entries=8, show_spinner="Reconstructing every image")
def errors(run: str, stamp: str, split: str) -> "np.ndarray":
    """MSE of the reconstruction of every image of a split, (n,)."""
    import numpy as np

    from aecore.measure.metrics import mse_each

    loaded = checkpoint(run, stamp)
    first, every = distinct(loaded.run.dataset, split)
    images = dataset(loaded.run.dataset).split(split).images[first]
    known = of_distinct(codes(run, stamp, split), run, stamp, split)
    starts = range(0, len(images), 4096)  # floats take four times the room
    return np.concatenate([mse_each(images[s : s + 4096], loaded.decode(known[s : s + 4096])) for s in starts])[every]


@st.cache_data(max_entries=16, show_spinner="Drawing the map")
def map_picture(run: str, stamp: str) -> "np.ndarray":
    """Test images at the places of their codes, 20 across: the map in small."""
    from aecore import figures, manifold

    images = dataset(checkpoint(run, stamp).run.dataset).test.images
    rows, spots = manifold.tile(places(run, stamp, "test"), 20)
    return figures.picture_map(images[rows], spots, 20, tile=max(images.shape[2:]))


@st.cache_resource(max_entries=8, show_spinner=False)
def whitening(run: str, stamp: str) -> "Whitening":
    """The map to half-whitened codes, fitted on the training images."""
    from aecore.whitening import Whitening

    return Whitening.fit(codes(run, stamp, "train"))


def vectors(run: str, stamp: str, split: str, space: str) -> "np.ndarray":
    """What a search in a space compares: codes, half-whitened codes, or places on the map."""
    if space == "whitened":
        return whitening(run, stamp)(codes(run, stamp, split))
    return {"code": codes, "map": places}[space](run, stamp, split)


@st.cache_resource(max_entries=8, show_spinner="Building the index")
def index(run: str, stamp: str, split: str, space: str = "code", metric: str = "cosine") -> "Index":
    """The index of the vectors of a space, one for each distinct image of a split."""
    from aecore import Index

    return Index(of_distinct(vectors(run, stamp, split, space), run, stamp, split), metric)


def of_distinct(found: "np.ndarray", run: str, stamp: str, split: str) -> "np.ndarray":
    """Of rows (n, ...), one for every image of a split, those of the distinct images."""
    first, every = distinct(checkpoint(run, stamp).run.dataset, split)
    return found if len(first) == len(every) else found[first]


@st.cache_data(max_entries=64, show_spinner=False)
def usual_distances(run: str, stamp: str, split: str, space: str, metric: str) -> "np.ndarray":
    """How far 200 test images, by chance with seed 0, are from their nearest in a split, sorted."""
    import numpy as np

    asked = vectors(run, stamp, "test", space)
    rows = np.random.default_rng(0).permutation(len(asked))[:200]
    distances, _ = index(run, stamp, split, space, metric).nearest(asked[rows], 2)
    return np.sort(distances[:, -1 if split == "test" else 0])


@st.cache_data(max_entries=256, show_spinner=False)
def pixel_neighbors(
    name: str, split: str, digest: str, k: int, metric: str, _image: "np.ndarray"
) -> "tuple[np.ndarray, np.ndarray]":
    """Distances to and numbers of the distinct raw images nearest to one, whose SHA-256 is `digest`."""
    from aecore.search import nearest_images

    images, (first, every) = dataset(name).split(split).images, distinct(name, split)
    return nearest_images(images if len(first) == len(every) else images[first], _image, k, metric)


@st.cache_resource(max_entries=4)
def _kept(what: str, run: str, stamp: str, split: str, metric: str) -> dict[str, Any]:
    """A place for what takes long and shows its progress, so that it is worked out outside of a cache."""
    return {}


def all_nearest(run: str, stamp: str, split: str, metric: str, progress: Any) -> "tuple[np.ndarray, np.ndarray]":
    """Distances to and numbers of the four nearest codes, for every distinct image of a split with two or more."""
    from aecore.search import all_nearest

    kept = _kept("all_nearest", run, stamp, split, metric)
    if "found" not in kept:
        found = of_distinct(codes(run, stamp, split), run, stamp, split)
        kept["found"] = _shipped(
            run,
            stamp,
            f"nearest-{split}-{metric}",
            lambda: all_nearest(found, min(4, len(found) - 1), metric, progress),
        )
    return kept["found"]


@st.cache_resource(max_entries=128, show_spinner="Reading the picture")
def picture(digest: str, shape: tuple[int, int, int], invert: bool, _content: bytes) -> "tuple[Picture | None, str]":
    """A picture from outside, whose SHA-256 is `digest`, made to fit; or None and the sentence that says why not."""
    from aecore.data.pictures import InputRejected, read_picture

    try:
        return read_picture(_content, shape, invert), ""
    except InputRejected as error:
        return None, str(error)


@st.cache_data(max_entries=16, show_spinner=False)
def edge(name: str) -> float:
    """The mean brightness of the borders of a set's images, 0 to 255: is the ground dark or light?"""
    images = dataset(name).train.images[:1000]
    sides = [images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]]
    return float(sum(side.mean() for side in sides)) / 4


@st.cache_data(max_entries=256, show_spinner=False)
def repaired_by_run(run: str, stamp: str, kind: str, level: float, clip: bool, seed: int) -> dict[str, float]:
    """PSNR of a run over 300 test images: mean, error."""
    from aecore.measure.repair import repaired_by_run

    loaded = checkpoint(run, stamp)
    return repaired_by_run(loaded, dataset(loaded.run.dataset), kind, level, clip, seed)


@st.cache_data(max_entries=256, show_spinner=False)
def repaired_by_filters(name: str, kind: str, level: float, clip: bool, seed: int) -> dict[str, dict[str, float]]:
    """The same of doing nothing and of every filter."""
    from aecore.measure.repair import repaired_by_filters

    return repaired_by_filters(dataset(name), kind, level, clip, seed)


def test_mse(run: str, stamp: str) -> tuple[float, float | None]:
    """Test MSE of a run and of PCA with as many numbers: from its evaluation, else computed."""
    if known := measured(run, stamp).get("reconstruction"):
        return known["rows"]["code"]["MSE"], known["rows"].get("PCA", {}).get("MSE")
    loaded = checkpoint(run, stamp)
    return _reconstruction_mse(run, stamp), _pca_mse(loaded.run.dataset, loaded.run.model.latent)


@st.cache_data(max_entries=64, show_spinner="Measuring")
def _reconstruction_mse(run: str, stamp: str) -> float:
    from aecore.measure.metrics import mse

    loaded = checkpoint(run, stamp)
    images = dataset(loaded.run.dataset).test.images
    return mse(images, loaded.reconstruct(images))


@st.cache_data(max_entries=64, show_spinner="Measuring")
def _pca_mse(name: str, components: int) -> float | None:
    from aecore.measure.metrics import mse
    from aecore.measure.pca import linear

    test, pca = dataset(name).test.images, linear(dataset(name))
    return mse(test, pca.rebuild(test, components)) if pca else None


@st.cache_data(max_entries=64, show_spinner=False)
def strip(run: str, stamp: str) -> "np.ndarray":
    """Eight test images over their reconstructions."""
    import numpy as np

    from aecore.figures import sheet

    loaded = checkpoint(run, stamp)
    images = dataset(loaded.run.dataset).test.images[:8]
    both = np.concatenate([images / np.float32(255), loaded.reconstruct(images)])
    return sheet(both, columns=len(images), scale=max(1, 56 // images.shape[2]))


@st.cache_data(max_entries=32, show_spinner=False)
def replay(run: str, newest: int) -> "list[Moment]":
    """The kept moments of a training up to this step, each map turned to fit the next."""
    from dataclasses import replace

    from aecore.moments import aligned, kept

    moments = [moment for moment in kept(training_store(run).path(run)) if moment.step <= newest]
    maps = aligned([moment.places for moment in moments])
    return [replace(moment, places=places) for moment, places in zip(moments, maps, strict=True)]


@st.cache_data(max_entries=16, show_spinner=False)
def probes(name: str, count: int) -> tuple[str, list[Any]]:
    """What colors the small map of the first test images, and its value for each: the class, else the first factor."""
    images = dataset(name)
    if images.classes:
        return "class", [images.classes[label] for label in images.test.labels[:count]]
    for factor, values in images.test.factors.items():
        return factor, values[:count].tolist()
    return "image", ["image"] * count


def moment_strip(name: str, rebuilt: "np.ndarray") -> "np.ndarray":
    """The first test images over what was made of them at a moment, (k, c, h, w) uint8."""
    import numpy as np

    from aecore.figures import sheet

    both = np.concatenate([dataset(name).test.images[: len(rebuilt)], rebuilt])
    return sheet(both, columns=len(rebuilt), scale=max(1, 56 // rebuilt.shape[2]))


@st.cache_data(max_entries=16, show_spinner=False)
def film(run: str, newest: int) -> bytes:
    """The kept moments of a training as an animated GIF."""
    import numpy as np

    from aecore import figures
    from aecore.manifold import bounds

    moments, name = replay(run, newest), training_store(run).run(run).dataset
    maps = [moment.places for moment in moments]
    strips = [moment_strip(name, moment.rebuilt) for moment in moments]
    captions = [f"epoch {moment.epoch:g}, batch {moment.step:,}" for moment in moments]
    return figures.film(maps, bounds(np.concatenate(maps)), probes(name, len(maps[0]))[1], strips, captions)


@st.cache_data(max_entries=1)
def recipes() -> dict[str, dict[str, Any]]:
    """name -> title, sentence, run as a dict, id."""
    from aecore import RECIPES

    return {
        name: {"title": recipe.title, "sentence": recipe.sentence, "run": recipe.run.to_dict(), "id": recipe.run.id}
        for name, recipe in RECIPES.items()
    }


@st.cache_data(max_entries=1)
def flavors() -> dict[str, tuple[str, str, str, str, str]]:
    """name -> its title, its idea in a sentence, the rest of its description, its formula, what to watch."""
    from inspect import cleandoc

    from aecore import FLAVORS

    described = {}
    for name, flavor in FLAVORS.items():
        idea, _, rest = cleandoc(flavor.__doc__).partition("\n\n")
        described[name] = (flavor.title, idea.replace("\n", " "), rest.replace("\n", " "), flavor.formula, flavor.watch)
    return described


def measured(run: str, stamp: str) -> dict[str, Any]:
    """The parts of a run's evaluation that are known: name -> figures."""
    from aecore.measure.evaluate import measured

    return measured(store(run), run).get("parts", {})


@st.cache_data(max_entries=64, show_spinner="Learning from the labels")
def classified(run: str, stamp: str, amount: int, seed: int) -> dict[str, Any]:
    """A classifier on codes, from `amount` labels per class: accuracy, what it said of every test image, how surely."""
    return _classified(
        checkpoint(run, stamp).run.dataset, codes(run, stamp, "train"), codes(run, stamp, "test"), amount, seed
    )


@st.cache_data(max_entries=64, show_spinner="Learning from the labels")
def classified_pixels(name: str, amount: int, seed: int) -> dict[str, Any]:
    """The same on raw pixels."""
    train, test = (split.images.reshape(len(split), -1) for split in (dataset(name).train, dataset(name).test))
    return _classified(name, train, test, amount, seed)


def _classified(name: str, train: "np.ndarray", test: "np.ndarray", amount: int, seed: int) -> dict[str, Any]:
    from aecore.measure.few_labels import learn

    images = dataset(name)
    said, confidence = learn(train, test, images.train.labels, amount, seed)
    return {"accuracy": float((said == images.test.labels).mean()), "said": said, "confidence": confidence}
