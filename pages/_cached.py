"""The only caches. Arguments are a view, names and numbers; a view's stamp changes exactly when a run's weights
or the images of its set do.

Big things are shared between all visitors (cache_resource) and never changed; small results are copied (cache_data).
What they remember is computed in aecore.
"""

import time
from contextlib import suppress
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import streamlit as st

import aecore
from aecore import atlas, data, figures, manifold
from aecore.data import pictures
from aecore.folders import folder_of
from aecore.measure.metrics import mse
from aecore.process import questions
from aecore.process.jobs import LIVE, Job, shown_folder
from aecore.process.nursery import quiet
from aecore.process.tasks import Task
from aecore.whitening import Whitening
from pages._view import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from aecore import Checkpoint, Dataset, Index, Split, Store
    from aecore.data.pictures import Picture
    from aecore.measure.units import Units
    from aecore.moments import Moment
    from aecore.tags import Tags

    Function = Callable[..., Any]


class Known(NamedTuple):
    """A set as it was at a revision."""

    name: str
    revision: int


def _cache(kind: "Function", of: str, **settings: Any) -> "Callable[[Function], Function]":
    """A cache that is told only so much of a view as it is `of`: the "run", the "split" of its images, or their "map".

    The rest is empty when it arrives. So what is computed depends on nothing but its key, and no key holds too much.
    One that is of a "set" is called with its name, and is told its revision, too.
    """
    seen: Function = {
        "set": lambda name: Known(name, data.revision(name)),
        "run": lambda view: view.at(),
        "split": lambda view: view.at(view.split),
        "map": lambda view: view,
    }[of]

    def wrap(function: "Function") -> "Function":
        cached = kind(**settings)(function)
        return wraps(function)(lambda view, *rest: cached(seen(view), *rest))

    return wrap


_resource, _data = partial(_cache, st.cache_resource), partial(_cache, st.cache_data)


def store(run: str) -> "Store":
    """The store from which pages show a run."""
    from aecore.store import store_at

    return store_at(shown_folder(run))


def training_store(run: str) -> "Store":
    """The store in which a run trains or trained."""
    from aecore.store import store_at

    return store_at(folder_of(run))


@st.cache_data(max_entries=64, show_spinner=False)
def titles(runs: tuple[str, ...]) -> dict[str, str]:
    """What runs are called: their recipe's title, or their settings. An id is made of the settings, so both stay."""
    from aecore.recipes import titles

    return titles(runs)


@st.cache_data(max_entries=64, show_spinner=False)
def family(runs: tuple[str, ...], run: str) -> dict[int, str]:
    """Units -> id of those of the runs that differ from this one in nothing but their units; it is one of them."""
    from aecore.store import DamagedRun
    from aecore.sweep import family

    known = []
    for id in runs:
        with suppress(DamagedRun, KeyError):
            known.append(training_store(id).run(id))
    own = [other for other in known if other.id == run]
    return family(own[0], known) if own else {}


def newest(run: str) -> View:
    """A run as its newest snapshot has it; while it trains, as one does that is at most a minute old.

    A training saves every few seconds, and each new stamp would have every page encode all images anew.
    """
    kept = store(run)
    if not kept.read_only and Job(kept.path(run)).state in LIVE:
        return View(run, _stamp_of(run, int(time.monotonic() // 60)))
    return View(run, kept.state(run))


@st.cache_data(max_entries=64, show_spinner=False)
def _stamp_of(run: str, minute: int) -> str:
    return store(run).state(run)


@_resource("run", max_entries=12, show_spinner="Reading the run")
def checkpoint(view: View) -> "Checkpoint":
    quiet.wait()
    return store(view.run).load(view.run)


@_data("run", max_entries=1024, show_spinner=False)
def shape(view: View) -> tuple[int, int, int]:
    """Channels, height and width of the images of a run."""
    return checkpoint(view).network.shape


@_resource("set", max_entries=4, show_spinner="Reading the images")
def dataset(known: Known) -> "Dataset":
    quiet.wait()
    return aecore.load_dataset(known.name)


@_data("set", max_entries=32, show_spinner=False)
def originals(known: Known, split: str, rows: tuple[int, ...]) -> np.ndarray:
    """These images of a split as people like to see them: from the originals, where those were kept; (n, c, h, w)."""
    from aecore.data import DATASETS
    from aecore.data.originals import tiles

    found = None if known.name in DATASETS or not rows else tiles(known.name, split, rows)
    return dataset(known.name).split(split).images[list(rows)] if found is None else found


@_data("set", max_entries=32, show_spinner=False)
def original(known: Known, split: str, row: int) -> bytes | None:
    """The picture that an image of one's own was made of, as a JPEG; None where there is none."""
    from aecore.data import DATASETS
    from aecore.data.originals import large

    return None if known.name in DATASETS or row < 0 else large(known.name, split, row)


def images(view: View) -> "Dataset":
    """The dataset that a run was trained on."""
    return dataset(checkpoint(view).run.dataset)


def split(view: View) -> "Split":
    """The images that are looked at."""
    return images(view).split(view.split)


@_resource("set", max_entries=8, show_spinner=False)
def distinct(known: Known, split: str) -> tuple[np.ndarray, np.ndarray]:
    """First rows (t,) of the distinct images of a split, and for every row (n,) the number of its image among them."""
    return data.distinct(dataset(known.name).split(split).images)


@_resource("set", max_entries=8, show_spinner=False)
def copies(known: Known, split: str) -> np.ndarray:
    """How often each distinct image of a split is in it, (t,)."""
    return np.bincount(distinct(known.name, split)[1])


def _numbers(view: View) -> np.ndarray:
    """For every image of a split (n,), its number among the distinct ones."""
    return distinct(images(view).name, view.split)[1]


def _once(found: np.ndarray, name: str, split: str) -> np.ndarray:
    """Of rows (n, ...), one for every image of a split, those of the distinct images."""
    first, every = distinct(name, split)
    return found if len(first) == len(every) else found[first]


@_data("set", max_entries=16, show_spinner=False)
def border(known: Known) -> float:
    """The mean brightness of the borders of a set's images, 0 to 255: is the ground dark or light?"""
    return pictures.border(dataset(known.name).train.images[:1000])


@st.cache_resource(max_entries=128, show_spinner="Reading the picture")
def picture(digest: str, shape: tuple[int, int, int], invert: bool, _content: bytes) -> "tuple[Picture | None, str]":
    """A picture from outside, whose SHA-256 is `digest`, made to fit; or None and the sentence that says why not."""
    try:
        return pictures.read_picture(_content, shape, invert), ""
    except pictures.InputRejected as error:
        return None, str(error)


@_resource("split", max_entries=8, show_spinner="Encoding the images")
def codes(view: View) -> np.ndarray:
    return questions.codes(view.run, view.stamp, view.split)


def _distinct_codes(view: View) -> np.ndarray:
    return _once(codes(view), images(view).name, view.split)


@_resource("run", max_entries=12, show_spinner=False)
def axes(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Mean and directions of the plane of a run's codes, from its first 20,000 training images."""
    return manifold.axes(codes(view.at("train"))[:20_000])


@_resource("split", max_entries=12, show_spinner="Laying out the map")
def places(view: View) -> np.ndarray:
    """Every image of a split on the plane of a run's codes, (n, 2)."""
    return manifold.project(codes(view), *axes(view))


@_resource("split", max_entries=8, show_spinner="Reconstructing every image")
def errors(view: View) -> np.ndarray:
    """MSE of the reconstruction of every image of a split, (n,)."""
    distinct_images = _once(split(view).images, images(view).name, view.split)
    return atlas.errors(checkpoint(view), _distinct_codes(view), distinct_images)[_numbers(view)]


def by_tsne(view: View) -> Task:
    """The layout of a split by t-SNE: rows (m,) and places (m, 2)."""
    return questions.tsne(view.run, view.stamp, view.split)


def mapped(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Rows (m,) that are on the map and their places (m, 2); at most 80,000 rows, drawn with seed 0."""
    if view.way == "tsne" and (found := by_tsne(view).answer()):
        return found[0], found[1]
    every = places(view)
    rows = atlas.drawn(len(every), 80_000)
    return rows, every[rows]


@_resource("map", max_entries=12, show_spinner="Laying out the map")
def points_part(view: View, id: str) -> bytes:
    """Places, rows and picture numbers of all points of the map."""
    return atlas.points(id, *mapped(view), _numbers(view), view.way)


@_resource("map", max_entries=24, show_spinner="Coloring the map")
def colors_part(view: View, color: str, id: str, _tags: "Tags") -> bytes:
    """A class or a number for every point of the map, by what it is colored; the id says which tags there are."""
    rows, _ = mapped(view)
    if color == "loss":
        return atlas.shades(id, "MSE", errors(view)[rows])
    if color == "trust":
        return atlas.shades(id, "trust", trust(view))
    return atlas.colors(id, images(view), view.split, rows, color, _tags)


@_resource("map", max_entries=12, show_spinner="Measuring trust")
def trust(view: View) -> np.ndarray:
    """Trust of every point of the map: are its 12 neighbors among 2,000 images alike as pixels? (m,)"""
    return atlas.trust(split(view).images, *mapped(view), _numbers(view))


@_resource("set", max_entries=6, show_spinner=False)
def pictures_part(known: Known, split: str, id: str) -> bytes:
    """The distinct images of a split as sprites."""
    return atlas.pictures(id, _once(dataset(known.name).split(split).images, known.name, split))


@_resource("split", max_entries=6, show_spinner=False)
def rebuilt_part(view: View, id: str) -> bytes:
    """Reconstructions of the distinct images of a split as sprites."""
    return atlas.reconstructions(id, checkpoint(view), _distinct_codes(view))


@_resource("run", max_entries=6, show_spinner="Decoding the plane")
def lattice_part(view: View, id: str) -> bytes:
    """What the decoder makes of a dense lattice over the plane of two units, and which of it is far from any code."""
    return atlas.lattice(id, checkpoint(view), codes(view.at("train")))


@_resource("run", max_entries=6, show_spinner=False)
def decoder_part(view: View) -> bytes | None:
    """The decoder of a run, where the browser can run it."""
    from aecore import portable

    return portable.decoder(view.half("decoder"), checkpoint(view))


@_resource("run", max_entries=6, show_spinner=False)
def encoder_part(view: View) -> bytes | None:
    """The encoder of a run, where the browser can run it."""
    from aecore import portable

    return portable.encoder(view.half("encoder"), checkpoint(view))


@_resource("set", max_entries=6, show_spinner=False)
def examples_part(known: Known, count: int, id: str) -> bytes:
    """The first test images of a set, as they are."""
    return atlas.examples(id, dataset(known.name), count)


@_data("map", max_entries=32, show_spinner="Measuring trust")
def mean_trust(view: View, count: int) -> float | None:
    """Trustworthiness of a map (12 neighbors, against pixels) on up to 2,000 distinct images of its `count`, seed 0."""
    return atlas.mean_trust(split(view).images, *mapped(view), _numbers(view))


@_data("run", max_entries=32, show_spinner=False)
def units(view: View) -> dict[str, np.ndarray]:
    """What each unit of a code does, on up to 2,000 test images."""
    return atlas.units(checkpoint(view), images(view).test.images[:2000])


@_resource("split", max_entries=6, show_spinner="Looking at every unit")
def portraits(view: View) -> "Units":
    """What every unit of a code means, on the distinct images of a split; rows are those of the split."""
    from aecore.measure.units import described

    first, _ = distinct(images(view).name, view.split)
    labels, lengths = split(view).labels, checkpoint(view).network.unit_lengths().numpy()
    found = described(_distinct_codes(view), lengths, None if labels is None else labels[first])
    return found._replace(most=first[found.most], least=first[found.least])


@_data("run", max_entries=16, show_spinner="Drawing the map")
def map_picture(view: View) -> np.ndarray:
    """Test images at the places of their codes: the map in small."""
    return atlas.thumbnail(images(view).test.images, places(view.at("test")))


@_resource("run", max_entries=8, show_spinner=False)
def whitening(view: View) -> Whitening:
    """The map to half-whitened codes, fitted on the training images."""
    return Whitening.fit(codes(view.at("train")))


def vectors(view: View, space: str) -> np.ndarray:
    """What a search in a space compares: codes, half-whitened codes, or places on the map."""
    if space == "whitened":
        return whitening(view)(codes(view))
    return {"code": codes, "map": places}[space](view)


@_resource("split", max_entries=8, show_spinner="Building the index")
def index(view: View, space: str, metric: str) -> "Index":
    """The index of the vectors of a space, one for each distinct image of a split."""
    return aecore.Index(_once(vectors(view, space), images(view).name, view.split), metric)


@_data("split", max_entries=64, show_spinner=False)
def usual_distances(view: View, space: str, metric: str) -> np.ndarray:
    """How far 200 test images, by chance with seed 0, are from their nearest in a split, sorted."""
    from aecore.search import usual_distances

    return usual_distances(index(view, space, metric), vectors(view.at("test"), space), view.split == "test")


@_data("set", max_entries=256, show_spinner=False)
def pixel_neighbors(
    known: Known, split: str, digest: str, k: int, metric: str, _image: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distances to and numbers of the distinct raw images nearest to one, whose SHA-256 is `digest`."""
    from aecore.search import nearest_images

    return nearest_images(_once(dataset(known.name).split(split).images, known.name, split), _image, k, metric)


def measured(view: View) -> dict[str, Any]:
    """The parts of a run's evaluation that are known: name -> figures."""
    from aecore.measure.evaluate import measured

    return measured(store(view.run), view.run).get("parts", {})


def test_mse(view: View) -> tuple[float, float | None]:
    """Test MSE of a run and of PCA with as many numbers: from its evaluation, else computed."""
    if known := measured(view).get("reconstruction"):
        return known["rows"]["code"]["MSE"], known["rows"].get("PCA", {}).get("MSE")
    run = checkpoint(view).run
    return _reconstruction_mse(view), _pca_mse(run.dataset, run.model.latent)


@_data("run", max_entries=64, show_spinner="Measuring")
def _reconstruction_mse(view: View) -> float:
    test = images(view).test.images
    return mse(test, checkpoint(view).reconstruct(test))


@_data("set", max_entries=64, show_spinner="Measuring")
def _pca_mse(known: Known, components: int) -> float | None:
    from aecore.measure.pca import linear

    test, pca = dataset(known.name).test.images, linear(dataset(known.name))
    return mse(test, pca.rebuild(test, components)) if pca else None


@_data("set", max_entries=16, show_spinner="Measuring")
def sweep_baseline(known: Known, most: int) -> dict[int, float]:
    """Numbers -> test MSE of PCA with so many, up to `most`; with none, that of the mean image."""
    from aecore import sweep

    found = dataset(known.name)
    return {0: sweep.mean_error(found), **sweep.baseline(found, range(1, most + 1))}


@_data("run", max_entries=128, show_spinner=False)
def first_rebuilt(view: View, count: int) -> np.ndarray:
    """What a run makes of the first test images, (count, c, h, w) uint8."""
    from aecore.pixels import to_bytes

    return to_bytes(checkpoint(view).reconstruct(images(view).test.images[:count]))


@_data("set", max_entries=64, show_spinner=False)
def linear_rebuilt(known: Known, split: str, row: int, components: int) -> np.ndarray:
    """An image of a split as PCA rebuilds it from so many numbers, (1, c, h, w)."""
    from aecore.measure.pca import linear

    found = dataset(known.name)
    return linear(found).rebuild(found.split(split).images[row : row + 1], components)


@_data("set", max_entries=16, show_spinner=False)
def mean_image_mse(known: Known) -> float:
    """Of the images behind the curves, their MSE to the mean training image."""
    from aecore.training import HELD_OUT

    found = dataset(known.name)
    mean = found.train.images[:: max(1, len(found.train) // 10_000)].mean(axis=0, dtype=np.float64)
    return float(np.square((found.test.images[:HELD_OUT] - mean) / 255).mean())


@_data("run", max_entries=256, show_spinner=False)
def repaired_by_run(view: View, kind: str, level: float, clip: bool, seed: int) -> dict[str, float]:
    """PSNR of a run over 300 test images: mean, error."""
    from aecore.measure.repair import repaired_by_run

    return repaired_by_run(checkpoint(view), images(view), kind, level, clip, seed)


@_data("run", max_entries=64, show_spinner=False)
def strip(view: View) -> np.ndarray:
    """Eight test images over their reconstructions."""
    first = images(view).test.images[:8]
    return figures.pair(first, checkpoint(view).reconstruct(first))


@st.cache_data(max_entries=32, show_spinner=False)
def replay(run: str, newest: int) -> "list[Moment]":
    """The kept moments of a training up to this step, each map turned to fit the next."""
    from aecore.moments import replay

    return replay(training_store(run).path(run), newest)


@_data("set", max_entries=16, show_spinner=False)
def groups(known: Known, count: int) -> tuple[str, list[Any]]:
    """What colors the small map of the first test images, and its value for each."""
    from aecore.moments import groups

    return groups(dataset(known.name), count)


@_data("run", max_entries=4, show_spinner=False)
def parcel(view: View) -> bytes:
    """A run as one file."""
    from aecore.parcels import pack

    return pack(training_store(view.run), view.run)


@st.cache_data(max_entries=16, show_spinner=False)
def film(run: str, newest: int) -> bytes:
    """The kept moments of a training as an animated GIF."""
    from aecore.moments import film

    return film(replay(run, newest), dataset(training_store(run).run(run).dataset))


@st.cache_data(max_entries=1)
def recipes() -> dict[str, dict[str, Any]]:
    """name -> title, sentence, run as a dict, id."""
    return {name: recipe.to_dict() for name, recipe in aecore.RECIPES.items()}


@st.cache_data(max_entries=1)
def flavors() -> dict[str, tuple[str, str, str, str, str]]:
    """name -> its title, its idea in a sentence, the rest of its description, its formula, what to watch."""
    return {name: (kind.title, *kind.described(), kind.formula, kind.watch) for name, kind in aecore.FLAVORS.items()}
