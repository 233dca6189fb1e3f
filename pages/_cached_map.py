"""The caches of the Manifold page: the parts of the map as bytes for the browser, and what is measured on it."""

from typing import TYPE_CHECKING

import streamlit as st

from pages._cached import checkpoint, codes, dataset, distinct, errors, of_distinct, places

if TYPE_CHECKING:
    import numpy as np


@st.cache_resource(max_entries=8)
def tsne_kept(run: str, stamp: str, split: str) -> "dict[str, np.ndarray]":
    """Where the page keeps a t-SNE that was run: empty, or "rows" (m,) and "places" (m, 2)."""
    return {}


def mapped(run: str, stamp: str, split: str, way: str) -> "tuple[np.ndarray, np.ndarray]":
    """Rows (m,) that are on the map and their places (m, 2); at most 80,000 rows, drawn with seed 0."""
    import numpy as np

    kept = tsne_kept(run, stamp, split)
    if way == "tsne" and kept:
        return kept["rows"], kept["places"]
    every = places(run, stamp, split)
    rows = np.sort(np.random.default_rng(0).permutation(len(every))[:80_000])
    return rows, every[rows]


@st.cache_resource(max_entries=12, show_spinner="Laying out the map")
def points_part(run: str, stamp: str, split: str, way: str, id: str) -> bytes:
    """Places, rows and picture numbers of all points of the map."""
    import numpy as np

    from aecore.figures import packed
    from aecore.manifold import bounds

    name = checkpoint(run, stamp).run.dataset
    rows, spots = mapped(run, stamp, split, way)
    titles = {"codes": ["unit 1", "unit 2"], "pca": ["first component", "second component"]}
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
    images, (rows, _) = dataset(name).split(split), mapped(run, stamp, split, way)
    if color == "none":
        return packed({"id": id, "kind": "none"}, {})
    if color == "class":
        values = images.labels[rows].astype(np.uint8)
        return packed({"id": id, "kind": "class", "names": list(dataset(name).classes)}, {"values": values})
    if color == "tag":
        from aecore.tags import tags

        given = {tag: splits.get(split, []) for tag, splits in tags(name).items()}
        values = np.full(len(rows), len(given), np.uint8)
        for number, ids in enumerate(given.values()):
            values[np.isin(images.ids[rows], ids)] = number
        return packed({"id": id, "kind": "class", "names": [*given, "no tag"]}, {"values": values})
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
    images, (rows, spots) = dataset(name).split(split).images, mapped(run, stamp, split, way)
    numbers, first, back = np.unique(distinct(name, split)[1][rows], return_index=True, return_inverse=True)
    anchors = np.sort(np.random.default_rng(0).permutation(len(numbers))[:2000])
    pixels = images[rows[first]].reshape(len(first), -1).astype(np.float32) / 255
    return trust(pixels, spots[first], anchors, min(12, (len(anchors) - 1) // 2))[back]


@st.cache_resource(max_entries=6, show_spinner=False)
def pictures_part(name: str, split: str, id: str) -> bytes:
    """The distinct images of a split as sprites."""
    images = dataset(name).split(split).images[distinct(name, split)[0]]
    return _sprites(id, images)


@st.cache_resource(max_entries=6, show_spinner=False)
def rebuilt_part(run: str, stamp: str, split: str, id: str) -> bytes:
    """Reconstructions of the distinct images of a split as sprites."""
    import numpy as np

    from aecore.figures import resized, tile_side

    loaded = checkpoint(run, stamp)
    known = of_distinct(codes(run, stamp, split), run, stamp, split)
    side = tile_side(len(known), *loaded.network.shape[1:])
    blocks = (known[start : start + 2048] for start in range(0, len(known), 2048))
    return _sprites(id, np.concatenate([resized(loaded.decode(block), *side) for block in blocks]))


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
    box = manifold.PRIOR_BOX if loaded.run.model.prior else manifold.middle_box(trained)
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
    images, (rows, spots) = dataset(name).split(split).images, mapped(run, stamp, split, way)
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

    loaded = checkpoint(run, stamp)
    images = dataset(loaded.run.dataset).test.images[:2000]
    found = loaded.encode(images)
    low, high = np.quantile(found, [0.01, 0.99], axis=0)
    variance = found.var(axis=0)
    activity = loaded.unit_kl(images) if loaded.run.model.prior else variance
    order = np.argsort(-activity, kind="stable")
    high = np.maximum(high, low + 1e-3)
    return {"activity": activity, "variance": variance, "low": low, "high": high, "order": order}
