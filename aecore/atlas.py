"""What the map sends to the browser, and what is measured on it.

It is sent in parts: points, colors, pictures, reconstructions and the decoder's lattice. Each is one block of bytes
with an id, by which the browser keeps it.
"""

import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from aecore import figures, manifold
from aecore.measure.metrics import mse_each
from aecore.pixels import flat, to_bytes
from aecore.tags import Tags

if TYPE_CHECKING:
    from aecore.data import Dataset
    from aecore.runs import Checkpoint

AXES = {"codes": ("unit 1", "unit 2"), "pca": ("first component", "second component")}
"""What the two directions of a map are called; those of other maps mean nothing."""
COLUMNS, LINES = 32, 64
"""Pictures side by side, and one below the other, in a sheet of sprites."""
LATTICE = 72
"""Cells of the decoder's lattice, each way."""


def drawn(count: int, most: int) -> np.ndarray:
    """At most `most` of `count` rows, drawn with seed 0, in order."""
    return np.sort(np.random.default_rng(0).permutation(count)[:most])


def points(id: str, rows: np.ndarray, places: np.ndarray, numbers: np.ndarray, way: str) -> bytes:
    """The points of a map: which rows (m,) are on it, at which places (m, 2), with which pictures.

    numbers (n,): for every row of the split, the number of its image among the distinct ones. way: see `AXES`.
    """
    x, y = places.astype(np.float32).T
    head = {"id": id, "of": len(rows), "box": manifold.bounds(places), "names": AXES.get(way, ("", ""))}
    arrays = {"x": x, "y": y, "tile": numbers[rows].astype(np.uint16 if numbers.max() < 2**16 else np.uint32)}
    if len(rows) < len(numbers):
        arrays["rows"] = rows.astype(np.uint32)
    return packed(head, arrays)


def colors(id: str, dataset: "Dataset", split: str, rows: np.ndarray, by: str, tags: Tags) -> bytes:
    """A class or a number for each of the rows (m,): its "class", "tag", "none", or the factor that `by` names."""
    images = dataset.split(split)
    if by == "none":
        return packed({"id": id, "kind": "none"}, {})
    if by == "class":
        return _classes(id, dataset.classes, images.labels[rows])
    if by == "tag":
        given = {tag: splits.get(split, []) for tag, splits in tags.items()}
        values = np.full(len(rows), len(given), np.uint8)
        for number, ids in enumerate(given.values()):
            values[np.isin(images.ids[rows], ids)] = number
        return _classes(id, [*given, "no tag"], values, rest=True)
    return shades(id, by, images.factors[by][rows])


def _classes(id: str, names: Sequence[str], values: np.ndarray, rest: bool = False) -> bytes:
    """A class for each point. rest: the last one is what belongs to none, and gray."""
    return packed({"id": id, "kind": "class", "names": list(names), "rest": rest}, {"values": values.astype(np.uint8)})


def shades(id: str, title: str, values: np.ndarray) -> bytes:
    """Colors by a number for each point, (m,), from its 1st to its 99th percentile; title says what it is."""
    low, high = np.quantile(values, [0.01, 0.99]).tolist()
    head = {"id": id, "kind": "number", "title": title, "low": low, "high": max(high, low + 1e-9)}
    return packed(head, {"values": values.astype(np.float32)})


def pictures(id: str, images: np.ndarray) -> bytes:
    """Images (n, c, h, w) as sprites, smaller where there are too many for a browser."""
    height, width = tile_side(len(images), *images.shape[2:])
    head = {"id": id, "height": height, "width": width, "columns": COLUMNS, "per": COLUMNS * LINES}
    return packed(head, {"sheets": sprites(resized(images, height, width), COLUMNS, LINES)})


def examples(id: str, dataset: "Dataset", count: int) -> bytes:
    """The first test images of a set as they are, uint8, each with a name for it: its class or its row."""
    test = dataset.test
    rows = range(min(count, len(test)))
    named = dataset.classes is not None and test.labels is not None
    names = [f"test image {row}{f', {dataset.classes[test.labels[row]]}' if named else ''}" for row in rows]
    return packed({"id": id, "shape": test.images.shape[1:], "names": names}, {"images": test.images[: len(rows)]})


def reconstructions(id: str, checkpoint: "Checkpoint", codes: np.ndarray) -> bytes:
    """What the decoder makes of codes (n, latent), as sprites."""
    side = tile_side(len(codes), *checkpoint.network.shape[1:])
    blocks = (codes[start : start + 2048] for start in range(0, len(codes), 2048))
    return pictures(id, np.concatenate([resized(checkpoint.decode(block), *side) for block in blocks]))


def lattice(id: str, checkpoint: "Checkpoint", codes: np.ndarray) -> bytes:
    """What the decoder makes of a dense lattice over the plane of two units, and which of it is far from any code.

    codes (n, 2): those of the training images.
    """
    box = manifold.decoded_box(codes, checkpoint.run.model.prior is not None)
    height, width = tile_side(LATTICE**2, *checkpoint.network.shape[1:], most=5_000_000)
    nodes = manifold.lattice(box, LATTICE)
    sheets = sprites(resized(checkpoint.decode(nodes), height, width), LATTICE, LATTICE, quality=90)
    head = {"id": id, "box": box, "count": LATTICE, "height": height, "width": width}
    return packed(head, {"sheets": sheets, "far": manifold.far(nodes, codes).astype(np.uint8)})


def thumbnail(images: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The map in small: of images (n, c, h, w) at places (n, 2), those that fit on 20 x 20 cells, as one picture."""
    rows, cells = manifold.tile(places, 20)
    return figures.picture_map(images[rows], cells, 20, tile=max(images.shape[2:]))


def errors(checkpoint: "Checkpoint", codes: np.ndarray, images: np.ndarray) -> np.ndarray:
    """MSE of the reconstruction of every image (n, c, h, w) from its code (n, latent), (n,)."""
    starts = range(0, len(images), 4096)  # floats take four times the room
    return np.concatenate([mse_each(images[s : s + 4096], checkpoint.decode(codes[s : s + 4096])) for s in starts])


def trust(images: np.ndarray, rows: np.ndarray, places: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Trust of every point of a map: are its 12 neighbors among 2,000 images alike as pixels? (m,)

    images (n, c, h, w) of the split, rows (m,) that are on the map, their places (m, 2); numbers (n,) as in `points`,
    since copies have no nearest neighbor.
    """
    distinct, first, back = np.unique(numbers[rows], return_index=True, return_inverse=True)
    anchors = drawn(len(distinct), 2000)
    most = min(12, (len(anchors) - 1) // 2)
    return manifold.trust(flat(images[rows[first]]), places[first], anchors, most)[back]


def mean_trust(images: np.ndarray, rows: np.ndarray, places: np.ndarray, numbers: np.ndarray) -> float | None:
    """Trustworthiness of a map (12 neighbors, against pixels) on up to 2,000 of its distinct images, seed 0.

    Arguments as in `trust`; None for fewer than 30 images.
    """
    _, first = np.unique(numbers[rows], return_index=True)
    chosen = np.random.default_rng(0).permutation(first)[:2000]
    if len(chosen) < 30:
        return None
    return float(manifold.trust(flat(images[rows[chosen]]), places[chosen], np.arange(len(chosen))).mean())


def units(checkpoint: "Checkpoint", images: np.ndarray) -> dict[str, np.ndarray]:
    """Per unit of a code, on images (n, c, h, w): "activity", "variance", "low" and "high" (1% and 99%), "order".

    Activity is the KL divergence in nats for a variational run, else the variance. order: most active first.
    """
    codes = checkpoint.encode(images)
    low, high = np.quantile(codes, [0.01, 0.99], axis=0)
    variance = codes.var(axis=0)
    activity = checkpoint.unit_kl(images) if checkpoint.run.model.prior else variance
    order = np.argsort(-activity, kind="stable")
    high = np.maximum(high, low + 1e-3)
    return {"activity": activity, "variance": variance, "low": low, "high": high, "order": order}


def packed(head: Mapping[str, Any], arrays: Mapping[str, np.ndarray | Sequence[bytes]]) -> bytes:
    """One block of bytes for the browser: the length of a JSON head (uint32), the head, then the arrays.

    head gains "arrays": name -> [type, offset, length]; offsets from the end of the head, in multiples of 8 bytes.
    A sequence of bytes becomes a list of such entries. Types: float32, uint32, uint16, uint8, int16, int8.
    """
    entries: dict[str, Any] = {}
    body = bytearray()

    def put(array: np.ndarray) -> list[Any]:
        entry = [array.dtype.name, len(body), array.size]
        body.extend(np.ascontiguousarray(array).tobytes())
        body.extend(b"\0" * (-len(body) % 8))
        return entry

    for name, array in arrays.items():
        if hasattr(array, "dtype"):
            entries[name] = put(array)
        else:
            entries[name] = [put(np.frombuffer(item, np.uint8)) for item in array]
    text = json.dumps({**head, "arrays": entries}).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return len(text).to_bytes(4, "little") + text + bytes(body)


def sprites(images: np.ndarray, columns: int = 32, lines: int = 64, quality: int = 75) -> list[bytes]:
    """images (n, c, h, w) edge to edge in WebP sheets of columns x lines; the last sheet may be shorter."""
    files = []
    for start in range(0, len(images), columns * lines):
        picture = figures.sheet(images[start : start + columns * lines], columns, scale=1, gap=0)
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "WEBP", quality=quality, method=0)
        files.append(buffer.getvalue())
    return files


def tile_side(count: int, height: int, width: int, most: int = 64_000_000) -> tuple[int, int]:
    """Height and width at which `count` images fit into `most` pixels: at most their own, one side at least 16."""
    shrink = min(1.0, max((most / max(count, 1) / (height * width)) ** 0.5, 16 / max(height, width)))
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def resized(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """images (n, c, h, w), uint8 or float in [0, 1] -> (n, c, height, width) uint8, averaged by area."""
    images = to_bytes(images)
    if images.shape[2:] == (height, width):
        return images
    how = Image.Resampling.BOX
    planes = images.reshape(-1, *images.shape[2:])
    small = [np.asarray(Image.fromarray(plane).resize((width, height), how)) for plane in planes]
    return np.stack(small).reshape(*images.shape[:2], height, width)
