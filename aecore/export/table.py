"""Tables: CSV that no spreadsheet takes for formulas, and NPZ without pickles."""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from aecore.export.cargo import Cargo
from aecore.text import cell, sound


def write_rows(file: TextIO, head: Sequence[object], rows: Iterable[Sequence[object]]) -> None:
    """Any table as CSV into an open file; floats are written so that they read back as they were."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([cell(name) for name in head])
    writer.writerows([value if type(value) in (int, float) else cell(value) for value in row] for row in rows)


def csv_text(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Any table as CSV, for a download."""
    out = io.StringIO(newline="")
    write_rows(out, head, rows)
    return out.getvalue()


def write_csv(cargo: Cargo, path: Path) -> list[str]:
    """Every image of the split with its class, its place and its code, as `codes.csv`; nothing to note."""
    head = ["row", "id", "file_name", "label", "split", "projection_x", "projection_y"]
    head += [f"unit_{unit}" for unit in range(1, cargo.codes.shape[1] + 1)]
    labels = cargo.labels or [""] * len(cargo.ids)

    def rows() -> Iterable[list[object]]:
        for row, about in enumerate(zip(cargo.ids, cargo.files, labels, strict=True)):
            numbers = [str(number) for number in (*cargo.places[row], *cargo.codes[row])]  # shortest exact float32
            yield [row, *about, cargo.split, *numbers]

    with path.open("w", encoding="utf-8", newline="") as file:
        write_rows(file, head, rows())
    return []


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Arrays as an NPZ file that holds no pickle; text as unicode. Raises ValueError for other objects."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            if array.dtype.kind == "O" and all(isinstance(value, str) for value in array.ravel()):
                array = array.astype(str)
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


def write_npz(cargo: Cargo, path: Path) -> list[str]:
    """codes (n, latent), places (n, 2), ids (n,) and, where there are classes, labels (n,) with classes (k,)."""
    arrays = {"codes": cargo.codes, "places": cargo.places, "ids": np.array(cargo.ids)}
    if cargo.labels is not None:
        classes = [sound(name) for name in cargo.dataset.classes]
        arrays |= {"labels": cargo.images.labels, "classes": np.array(classes)}
    write_arrays(path, arrays)
    return []
