"""A folder for the TensorBoard Projector: https://www.tensorflow.org/tensorboard/tensorboard_projector_plugin"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from aecore.atlas import drawn, resized
from aecore.export.cargo import Cargo
from aecore.text import one_line

SIDE = 8192
"""Pixels a side that the Projector takes of a sheet of images."""
SMALLEST = 8
"""Pixels of the longer side of an image in the sheet; for more images than fit then, some are left out."""


def layout(count: int, height: int, width: int, side: int = SIDE) -> tuple[int, int, int, int]:
    """How many of `count` images fit into a sheet, their height and width in it, and its columns.

    Images are made smaller only where they must be, and left out only where they would become smaller than SMALLEST.
    """
    longest = max(height, width)
    for length in range(min(longest, side), min(SMALLEST, longest) - 1, -1):
        high, wide = max(1, round(height * length / longest)), max(1, round(width * length / longest))
        most = (side // high) * (side // wide)
        if count <= most:
            break
    shown = min(count, most)
    columns = max(int(np.ceil(shown**0.5)), -(-shown // (side // high)))
    return shown, high, wide, min(columns, side // wide)


def write_projector(cargo: Cargo, folder: Path) -> list[str]:
    """tensors.tsv, metadata.tsv, sprite.png, projector_config.pbtxt and its JSON twin.

    Returns notes on what had to be smaller or left out.
    """
    folder.mkdir()
    count, (height, width) = len(cargo.ids), cargo.images.images.shape[2:]
    shown, high, wide, columns = layout(count, height, width)
    rows, notes = drawn(count, shown), []
    if (high, wide) != (height, width):
        notes.append(f"images are {wide}x{high} pixels here instead of {width}x{height}: a sheet has {SIDE} a side")
    if shown < count:
        notes.append(f"{shown:,} of {count:,} images are here, drawn with seed 0: more do not fit into a sheet")
    _sprite(cargo, rows, high, wide, columns).save(folder / "sprite.png", "PNG")
    with (folder / "tensors.tsv").open("w", encoding="utf-8", newline="") as file:
        for row in rows:
            file.write("\t".join(map(str, cargo.codes[row])) + "\n")
    with (folder / "metadata.tsv").open("w", encoding="utf-8", newline="") as file:
        if cargo.labels is not None:  # the Projector takes the first line for data where there is one column
            file.write("label\tid\n")
        for row in rows:
            about = [cargo.ids[row]] if cargo.labels is None else [cargo.labels[row], cargo.ids[row]]
            file.write("\t".join(one_line(text) or "(empty)" for text in about) + "\n")
    _configure(folder, f"{cargo.checkpoint.run.id} {cargo.split}", (shown, cargo.codes.shape[1]), (wide, high))
    return notes


def _sprite(cargo: Cargo, rows: np.ndarray, high: int, wide: int, columns: int) -> Image.Image:
    """The images of these rows edge to edge, line by line."""
    channels, images = cargo.dataset.shape[0], cargo.images.images
    sheet = np.zeros((-(-len(rows) // columns) * high, columns * wide, channels), np.uint8)
    for start in range(0, len(rows), columns):
        line = resized(images[rows[start : start + columns]], high, wide)
        top = start // columns * high
        sheet[top : top + high, : len(line) * wide] = line.transpose(2, 0, 3, 1).reshape(high, -1, channels)
    return Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet)


def _configure(folder: Path, name: str, shape: tuple[int, int], tile: tuple[int, int]) -> None:
    """What says which file is which, twice: for TensorBoard, and for the Projector as a page of its own."""
    wide, high = tile
    text = f"""embeddings {{
  tensor_name: "{name}"
  tensor_path: "tensors.tsv"
  metadata_path: "metadata.tsv"
  sprite {{
    image_path: "sprite.png"
    single_image_dim: {wide}
    single_image_dim: {high}
  }}
}}
"""
    sprite = {"imagePath": "sprite.png", "singleImageDim": [wide, high]}
    paths = {"tensorPath": "tensors.tsv", "metadataPath": "metadata.tsv", "sprite": sprite}
    twin = {"embeddings": [{"tensorName": name, "tensorShape": list(shape), **paths}]}
    (folder / "projector_config.pbtxt").write_text(text, encoding="utf-8")
    (folder / "projector_config.json").write_text(json.dumps(twin, indent=1), encoding="utf-8")
