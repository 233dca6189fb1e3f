"""Images, codes, places and neighbors as one Parquet file, for pandas, Hugging Face datasets and Embedding Atlas."""

import json
from pathlib import Path

import numpy as np

from aecore.export.cargo import Cargo
from aecore.pixels import png

GROUP = 1000
"""Images in a group of rows: no more than so many are in memory as PNG."""
NEIGHBORS = 10
MOST = 100_000
"""Images up to which each one's neighbors are looked for; the time grows with the square of their number."""


def write_parquet(cargo: Cargo, path: Path) -> list[str]:
    """Columns id, file_name, label, split, image, embedding, projection_x, projection_y and neighbors.

    image {bytes, path}: a PNG. embedding: list of float32. neighbors {ids, distances}: the nearest codes in the split
    by cosine distance, nearest first; ids are rows of this file, from 0, as Embedding Atlas reads them.
    Returns notes on what had to be left out. Needs pyarrow.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    count, notes = len(cargo.ids), []
    distances, rows = np.empty((count, 0), np.float32), np.empty((count, 0), np.int64)
    if count > MOST:
        notes.append(f"no neighbors: there are more than {MOST:,} images")
    elif count > 1:
        from aecore.search import all_nearest

        distances, rows = all_nearest(cargo.codes, min(NEIGHBORS, count - 1))
    fields = {
        **{name: pa.string() for name in ("id", "file_name", "label", "split")},
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        "embedding": pa.list_(pa.float32()),
        **{name: pa.float32() for name in ("projection_x", "projection_y")},
        "neighbors": pa.struct({"ids": pa.list_(pa.int64()), "distances": pa.list_(pa.float32())}),
    }
    schema = pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": _features()}})})
    labels = cargo.labels or [None] * count
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, count, GROUP):
            block = slice(start, min(start + GROUP, count))
            names = cargo.files[block]
            columns = {
                "id": cargo.ids[block],
                "file_name": names,
                "label": labels[block],
                "split": [cargo.split] * len(names),
                "image": [
                    {"bytes": png(image), "path": name}
                    for image, name in zip(cargo.images.images[block], names, strict=True)
                ],
                "embedding": list(cargo.codes[block]),
                "projection_x": cargo.places[block, 0],
                "projection_y": cargo.places[block, 1],
                "neighbors": [
                    {"ids": near, "distances": apart} for near, apart in zip(rows[block], distances[block], strict=True)
                ],
            }
            writer.write_table(pa.table(columns, schema))
    return notes


def _features() -> dict[str, object]:
    """The columns as Hugging Face datasets calls them; without this, it would not show the images."""
    text, number = {"dtype": "string", "_type": "Value"}, {"dtype": "float32", "_type": "Value"}
    row = {"dtype": "int64", "_type": "Value"}
    many = lambda feature: {"feature": feature, "_type": "Sequence"}  # noqa: E731
    return {
        **{name: text for name in ("id", "file_name", "label", "split")},
        "image": {"_type": "Image"},
        "embedding": many(number),
        **{name: number for name in ("projection_x", "projection_y")},
        "neighbors": {"ids": many(row), "distances": many(number)},
    }
