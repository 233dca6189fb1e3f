"""Chosen images as a zip: PNG files in a folder for each class, and a table of what they are."""

import io
import zipfile
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aecore.export.names import file_names
from aecore.export.table import csv_text
from aecore.pixels import png
from aecore.text import sound

if TYPE_CHECKING:
    from aecore.data import Dataset


def selection(dataset: "Dataset", split: str, rows: Iterable[int]) -> bytes:
    """The images of these rows of a split as a zip: a folder for each class, or "images", and selection.csv.

    The table has row, id, class and file. A row that is named twice is there once. Raises ValueError for an unknown
    split, and for rows that are not in it.
    """
    images = dataset.split(split)
    chosen = list(dict.fromkeys(int(row) for row in rows))
    if strange := [row for row in chosen if not 0 <= row < len(images)]:
        raise ValueError(f"row is {strange[0]}; choose rows from 0 to {len(images) - 1}")
    classed = dataset.classes is not None and images.labels is not None
    folders = file_names(dataset.classes) if classed else ["images"]
    names = file_names([sound(images.ids[row]).removesuffix(".png") for row in chosen])
    table, out = [], io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for row, name in zip(chosen, names, strict=True):
            label = int(images.labels[row]) if classed else 0
            file = f"{folders[label]}/{name}.png"
            archive.writestr(zipfile.ZipInfo(file), png(images.images[row]))
            table.append([row, images.ids[row], dataset.classes[label] if classed else "", file])
        text = csv_text(["row", "id", "class", "file"], table)
        archive.writestr(zipfile.ZipInfo("selection.csv"), text.encode(), zipfile.ZIP_DEFLATED)
    return out.getvalue()
