"""Chosen images as a zip: files in a folder for each class or group, and a table of what they are."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from aecore.data.pictures import SUFFIXES
from aecore.export.names import file_names
from aecore.export.table import csv_text
from aecore.pixels import png
from aecore.text import sound

if TYPE_CHECKING:
    from aecore.data import Dataset


MOST_BYTES = 500_000_000
"""Bytes of pictures in one zip."""


def selection(
    dataset: "Dataset",
    split: str,
    rows: Iterable[int],
    groups: Iterable[str] | None = None,
    originals: bool = False,
) -> bytes:
    """The images of these rows of a split as a zip: a folder for each class, or "images", and selection.csv.

    groups: for each row the folder instead, such as a tag. originals: the pictures of which the images were made, where
    there are any, instead of PNG files of the images. The table has row, id, class and file. A row that is named twice
    is there once. Pictures beyond MOST_BYTES are left out: in the table, they have no file. Raises ValueError for an
    unknown split and for rows that are not in it.
    """
    from aecore.data.originals import packed as original

    rows = list(map(int, rows))
    grouped = dict(zip(rows, map(str, groups), strict=True)) if groups is not None else {}
    images = dataset.split(split)
    chosen = list(dict.fromkeys(rows))
    if strange := [row for row in chosen if not 0 <= row < len(images)]:
        raise ValueError(f"row is {strange[0]}; choose rows from 0 to {len(images) - 1}")
    classed = dataset.classes is not None and images.labels is not None
    kinds = list(dict.fromkeys(grouped.values())) or (list(dataset.classes) if classed else ["images"])
    folders = dict(zip(kinds, file_names(kinds), strict=True))
    names = file_names([_stem(sound(images.ids[row])) for row in chosen])
    table, out = [], io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for row, name in zip(chosen, names, strict=True):
            kind = dataset.classes[int(images.labels[row])] if classed else ""
            found = original(dataset.name, split, row) if originals else None
            content, suffix = found or (png(images.images[row]), ".png")
            fits = out.tell() + len(content) <= MOST_BYTES
            file = f"{folders[grouped.get(row, kind or 'images')]}/{name}{suffix}" if fits else ""
            if fits:
                archive.writestr(zipfile.ZipInfo(file), content)
            table.append([row, images.ids[row], kind, file])
        text = csv_text(["row", "id", "class", "file"], table)
        archive.writestr(zipfile.ZipInfo("selection.csv"), text.encode(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _stem(id: str) -> str:
    """The name of the file that an id names, without folders and the suffix of a picture."""
    name = PurePosixPath(id)
    return name.stem if name.suffix.lower().removeprefix(".") in SUFFIXES else name.name
