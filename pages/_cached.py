"""The only caches. Arguments are names, numbers and stamps; a stamp changes exactly when a run's weights do.

Big things are shared between all visitors (cache_resource) and never changed; small results are copied (cache_data).
"""

from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    import numpy as np
    from plotly.graph_objects import Figure

    from aecore import Checkpoint, Dataset, Index, Store


def warm_up() -> None:
    """Import what pages need, before a visitor asks."""
    import aecore.evaluate
    import aecore.figures
    import aecore.manifold
    import aecore.noise
    import aecore.recipes
    import aecore.search  # noqa: F401


@st.cache_resource(max_entries=4, show_spinner="Reading the images")
def dataset(name: str) -> "Dataset":
    from aecore.datasets import load_dataset

    return load_dataset(name)


def store(run: str) -> "Store":
    """The store that has a run: the visitors' own, also when it has just begun there, or the shipped one."""
    from aecore import Store, showcase
    from aecore.files import run_folders

    own = Store()
    return own if run in [path.name for path in run_folders(own.folder)] else showcase()


def stamp(run: str) -> str:
    """The stamp of a run's newest snapshot."""
    return store(run).stamp(run)


@st.cache_resource(max_entries=12, show_spinner="Reading the run")
def checkpoint(run: str, stamp: str) -> "Checkpoint":
    return store(run).load(run)


@st.cache_resource(max_entries=8, show_spinner="Encoding the images")
def codes(run: str, stamp: str, split: str) -> "np.ndarray":
    loaded = checkpoint(run, stamp)
    found = loaded.encode(getattr(dataset(loaded.run.dataset), split).images)
    found.flags.writeable = False
    return found


@st.cache_resource(max_entries=8, show_spinner="Building the index")
def index(run: str, stamp: str, split: str) -> "Index":
    from aecore import Index

    return Index(codes(run, stamp, split))


@st.cache_data(max_entries=256, show_spinner=False)
def pixel_neighbors(name: str, split: str, row: int, k: int) -> "tuple[np.ndarray, np.ndarray]":
    """Distances and rows of the nearest raw images to a test image: the baseline of every code."""
    from aecore.search import nearest_images

    return nearest_images(getattr(dataset(name), split).images, dataset(name).test.images[row], k)


@st.cache_data(max_entries=64, show_spinner=False)
def reconstruction_mse(run: str, stamp: str) -> float:
    from aecore.metrics import mse

    loaded = checkpoint(run, stamp)
    images = dataset(loaded.run.dataset).test.images
    return mse(images, loaded.reconstruct(images))


@st.cache_data(max_entries=64, show_spinner=False)
def pca_mse(name: str, components: int) -> float | None:
    from aecore.metrics import mse
    from aecore.pca import linear

    test, pca = dataset(name).test.images, linear(dataset(name))
    return mse(test, pca.rebuild(test, components)) if pca else None


@st.cache_data(max_entries=256, show_spinner="Measuring")
def denoising_psnr(run: str, stamp: str, noise: str, level: float, seed: int, count: int) -> tuple[float, float]:
    """Mean PSNR in dB over the first `count` test images: noisy, restored."""
    from aecore.metrics import psnr
    from aecore.noise import corrupt

    loaded = checkpoint(run, stamp)
    clean = dataset(loaded.run.dataset).test.images[:count]
    noisy = corrupt(clean, noise, level, seed)
    return float(psnr(clean, noisy).mean()), float(psnr(clean, loaded.reconstruct(noisy)).mean())


@st.cache_resource(max_entries=16, show_spinner="Drawing the map")
def map_figure(run: str, stamp: str, split: str, mode: str, cells: int, color: str, count: int) -> "Figure":
    """The map in one of its modes: Images, Points or Decoder."""
    import numpy as np

    from aecore import figures, manifold

    loaded, images = checkpoint(run, stamp), getattr(dataset(checkpoint(run, stamp).run.dataset), split)
    places = manifold.plane(codes(run, stamp, split))
    box = manifold.bounds(places)
    if mode == "Decoder":
        lattice = manifold.lattice(box, cells)
        grid = figures.sheet(loaded.decode(lattice), columns=cells, scale=max(1, 1120 // cells // 28), gap=1)
        return figures.map_figure(lattice, np.arange(len(lattice)), box, backdrop=grid)
    if mode == "Images":
        rows, spots = manifold.tile(places, cells)
        picture = figures.picture_map(images.images[rows], spots, cells, tile=max(16, 1120 // cells))
        return figures.map_figure(manifold.centers(spots, cells, box), rows, box, backdrop=picture)
    rows = np.sort(np.random.default_rng(0).permutation(len(places))[:count])
    if color in images.factors:
        return figures.map_figure(places[rows], rows, box, values=(color, images.factors[color][rows]))
    if color == "class":
        classes = dataset(loaded.run.dataset).classes
        return figures.map_figure(places[rows], rows, box, groups=images.labels[rows], names=classes)
    return figures.map_figure(places[rows], rows, box)


@st.cache_data(max_entries=64, show_spinner=False)
def strip(run: str, stamp: str) -> "np.ndarray":
    """Eight test images over their reconstructions."""
    import numpy as np

    from aecore.figures import sheet

    loaded = checkpoint(run, stamp)
    images = dataset(loaded.run.dataset).test.images[:8]
    both = np.concatenate([images / np.float32(255), loaded.reconstruct(images)])
    return sheet(both, columns=len(images), scale=max(1, 56 // images.shape[2]))


@st.cache_data(max_entries=1)
def recipes() -> dict[str, dict[str, Any]]:
    """name -> title, sentence, run as a dict, id."""
    from aecore import RECIPES

    return {
        name: {"title": recipe.title, "sentence": recipe.sentence, "run": recipe.run.to_dict(), "id": recipe.run.id}
        for name, recipe in RECIPES.items()
    }


@st.cache_data(max_entries=1)
def flavors() -> dict[str, tuple[str, str, str]]:
    """name -> its idea in a sentence, the rest of its description, its formula."""
    from inspect import cleandoc

    from aecore import FLAVORS

    described = {}
    for name, flavor in FLAVORS.items():
        idea, _, rest = cleandoc(flavor.__doc__).partition("\n\n")
        described[name] = (idea.replace("\n", " "), rest.replace("\n", " "), flavor.formula)
    return described


def measured(run: str, stamp: str) -> dict[str, Any]:
    """The parts of a run's evaluation that are known: name -> figures."""
    from aecore.evaluate import measured

    return measured(store(run), run).get("parts", {})


def measure(run: str, progress: Any) -> None:
    """Evaluate a run into its folder."""
    from aecore.evaluate import measure

    measure(store(run), run, progress=progress)


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
    from aecore.labels import learn

    images = dataset(name)
    said, confidence = learn(train, test, images.train.labels, amount, seed)
    return {"accuracy": float((said == images.test.labels).mean()), "said": said, "confidence": confidence}


# The latent map: what the browser gets, in parts that each travel once.


@st.cache_resource(max_entries=12, show_spinner=False)
def axes(run: str, stamp: str) -> "tuple[np.ndarray, np.ndarray]":
    """Mean and directions of the plane of a run's codes, from its first 20,000 training images."""
    from aecore.manifold import axes

    loaded = checkpoint(run, stamp)
    return axes(loaded.encode(dataset(loaded.run.dataset).train.images[:20_000]))


@st.cache_resource(max_entries=12, show_spinner="Laying out the map")
def places(run: str, stamp: str, split: str) -> "np.ndarray":
    """Every image of a split on the plane of a run's codes, (n, 2)."""
    from aecore.manifold import project

    return project(codes(run, stamp, split), *axes(run, stamp))


@st.cache_resource(max_entries=8)
def tsne_kept(run: str, stamp: str, split: str) -> "dict[str, np.ndarray]":
    """Where the page keeps a t-SNE that was run: empty, or "rows" (m,) and "places" (m, 2)."""
    return {}


def mapped(run: str, stamp: str, split: str, way: str) -> "tuple[np.ndarray, np.ndarray]":
    """Rows (m,) that are on the map and their places (m, 2); at most 80,000 rows, drawn with seed 0."""
    import numpy as np

    kept = tsne_kept(run, stamp, split)
    if way == "t-SNE" and kept:
        return kept["rows"], kept["places"]
    every = places(run, stamp, split)
    rows = np.sort(np.random.default_rng(0).permutation(len(every))[:80_000])
    return rows, every[rows]


@st.cache_resource(max_entries=8, show_spinner=False)
def distinct(name: str, split: str) -> "tuple[np.ndarray, np.ndarray]":
    """First rows (t,) of the distinct images of a split, and for every row (n,) the number of its image among them."""
    import numpy as np

    numbers: dict[bytes, int] = {}
    images = getattr(dataset(name), split).images
    every = np.array([numbers.setdefault(image.tobytes(), len(numbers)) for image in images], np.uint32)
    _, first = np.unique(every, return_index=True)
    return first, every


@st.cache_resource(max_entries=12, show_spinner="Laying out the map")
def points_part(run: str, stamp: str, split: str, way: str, id: str) -> bytes:
    """Places, rows and picture numbers of all points of the map."""
    import numpy as np

    from aecore.figures import packed
    from aecore.manifold import bounds

    name = checkpoint(run, stamp).run.dataset
    rows, spots = mapped(run, stamp, split, way)
    titles = {"codes": ["first number", "second number"], "PCA": ["first component", "second component"]}
    head = {"id": id, "of": len(rows), "box": bounds(spots), "names": titles.get(way, ["", ""])}
    x, y = spots.astype(np.float32).T
    first, every = distinct(name, split)
    arrays = {"x": x, "y": y, "tile": every[rows].astype(np.uint16 if len(first) < 2**16 else np.uint32)}
    if len(rows) < len(every):
        arrays["rows"] = rows.astype(np.uint32)
    return packed(head, arrays)


@st.cache_resource(max_entries=24, show_spinner="Coloring the map")
def colors_part(run: str, stamp: str, split: str, way: str, color: str, id: str) -> bytes:
    """A class or a number for every point of the map, by what it is colored."""
    import numpy as np

    from aecore.figures import packed

    name = checkpoint(run, stamp).run.dataset
    images, (rows, _) = getattr(dataset(name), split), mapped(run, stamp, split, way)
    if color == "none":
        return packed({"id": id, "kind": "none"}, {})
    if color == "class":
        values = images.labels[rows].astype(np.uint8)
        return packed({"id": id, "kind": "class", "names": list(dataset(name).classes)}, {"values": values})
    if color == "tag":
        from aecore.tags import tags

        given = {label: splits.get(split, []) for label, splits in tags(name).items()}
        values = np.full(len(rows), len(given), np.uint8)
        for number, ids in enumerate(given.values()):
            values[np.isin(images.ids[rows], ids)] = number
        return packed({"id": id, "kind": "class", "names": [*given, "no label"]}, {"values": values})
    if color == "loss":
        values, title = errors(run, stamp, split)[rows], "MSE"
    elif color == "trust":
        values, title = trust(run, stamp, split, way), "trust"
    else:
        values, title = images.factors[color][rows], color
    low, high = np.quantile(values, [0.01, 0.99]).tolist()
    head = {"id": id, "kind": "number", "title": title, "low": low, "high": max(high, low + 1e-9)}
    return packed(head, {"values": values.astype(np.float32)})


@st.cache_resource(max_entries=12, show_spinner="Measuring trust")
def trust(run: str, stamp: str, split: str, way: str) -> "np.ndarray":
    """Trust of every point of the map: are its 12 neighbors among 2,000 images alike as pixels? (m,)"""
    import numpy as np

    from aecore.manifold import trust

    name = checkpoint(run, stamp).run.dataset
    images, (rows, spots) = getattr(dataset(name), split).images, mapped(run, stamp, split, way)
    numbers, first, back = np.unique(distinct(name, split)[1][rows], return_index=True, return_inverse=True)
    anchors = np.sort(np.random.default_rng(0).permutation(len(numbers))[:2000])
    pixels = images[rows[first]].reshape(len(first), -1).astype(np.float32) / 255
    return trust(pixels, spots[first], anchors, min(12, (len(anchors) - 1) // 2))[back]


@st.cache_resource(max_entries=6, show_spinner=False)
def pictures_part(name: str, split: str, id: str) -> bytes:
    """The distinct images of a split as sprites."""
    images = getattr(dataset(name), split).images[distinct(name, split)[0]]
    return _sprites(id, images)


@st.cache_resource(max_entries=6, show_spinner=False)
def rebuilt(run: str, stamp: str, split: str, id: str) -> "tuple[bytes, np.ndarray]":
    """Reconstructions of the distinct images of a split as sprites, and their squared errors per pixel (t,)."""
    import numpy as np

    from aecore.figures import resized, tile_side

    loaded = checkpoint(run, stamp)
    split_ = getattr(dataset(loaded.run.dataset), split)
    first, _ = distinct(loaded.run.dataset, split)
    side = tile_side(len(first), *split_.images.shape[2:])
    small, wrong = [], []
    for start in range(0, len(first), 2048):
        images = split_.images[first[start : start + 2048]]
        made = loaded.reconstruct(images)
        wrong.append(np.square(made - images / np.float32(255)).mean(axis=(1, 2, 3)))
        small.append(resized(made, *side))
    return _sprites(id, np.concatenate(small)), np.concatenate(wrong)


def errors(run: str, stamp: str, split: str) -> "np.ndarray":
    """Squared error per pixel of every image of a split, (n,)."""
    _, every = distinct(checkpoint(run, stamp).run.dataset, split)
    return rebuilt(run, stamp, split, f"{run} {stamp} {split} rebuilt")[1][every]


def _sprites(id: str, images: "np.ndarray") -> bytes:
    from aecore.figures import packed, resized, sprites, tile_side

    height, width = tile_side(len(images), *images.shape[2:])
    head = {"id": id, "height": height, "width": width, "columns": 32, "per": 2048}
    return packed(head, {"sheets": sprites(resized(images, height, width), 32, 64)})


@st.cache_resource(max_entries=6, show_spinner="Decoding the plane")
def lattice_part(run: str, stamp: str, id: str) -> bytes:
    """What the decoder makes of a dense lattice over the plane of two numbers, and which of it is far from any code."""
    import numpy as np

    from aecore import figures, manifold

    loaded = checkpoint(run, stamp)
    trained = codes(run, stamp, "train")
    box = manifold.PRIOR_BOX if loaded.run.model.heads == 2 else manifold.middle_box(trained)
    height, width = figures.tile_side(72 * 72, *loaded.network.shape[1:], most=5_000_000)
    count = 72
    nodes = manifold.lattice(box, count)
    sheets = figures.sprites(figures.resized(loaded.decode(nodes), height, width), count, count, quality=90)
    head = {"id": id, "box": box, "count": count, "height": height, "width": width}
    return figures.packed(head, {"sheets": sheets, "far": manifold.far(nodes, trained).astype(np.uint8)})


@st.cache_data(max_entries=32, show_spinner="Measuring trust")
def mean_trust(run: str, stamp: str, split: str, way: str, count: int) -> float | None:
    """Trustworthiness of a map (12 neighbors, against pixels) on up to 2,000 distinct images of its `count`, seed 0."""
    import numpy as np

    from aecore.manifold import trust

    name = checkpoint(run, stamp).run.dataset
    images, (rows, spots) = getattr(dataset(name), split).images, mapped(run, stamp, split, way)
    _, first = np.unique(distinct(name, split)[1][rows], return_index=True)  # copies have no nearest neighbor
    drawn = np.random.default_rng(0).permutation(first)[:2000]
    if len(drawn) < 30:
        return None
    pixels = images[rows[drawn]].reshape(len(drawn), -1).astype(np.float32) / 255
    return float(trust(pixels, spots[drawn], np.arange(len(drawn))).mean())


@st.cache_data(max_entries=32, show_spinner=False)
def units(run: str, stamp: str) -> "dict[str, np.ndarray]":
    """Per unit of a code, on up to 2,000 test images: "activity", "variance", "low" and "high" (1% and 99%), "order".

    Activity is the KL divergence in nats for a variational run, else the variance. order: most active first.
    """
    import numpy as np

    from aecore.manifold import unit_kl

    loaded = checkpoint(run, stamp)
    images = dataset(loaded.run.dataset).test.images[:2000]
    found = loaded.encode(images)
    low, high = np.quantile(found, [0.01, 0.99], axis=0)
    variance = found.var(axis=0)
    activity = unit_kl(*loaded.posterior(images)) if loaded.run.model.heads == 2 else variance
    order = np.argsort(-activity, kind="stable")
    high = np.maximum(high, low + 1e-3)
    return {"activity": activity, "variance": variance, "low": low, "high": high, "order": order}
