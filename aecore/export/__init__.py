"""Useful files from a trained run: for other tools, for a page of its own, for a program without this package."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from aecore.export.cargo import Cargo, load
from aecore.export.model import write_model
from aecore.export.onnx_model import write_onnx
from aecore.export.parquet import write_parquet
from aecore.export.projector import write_projector
from aecore.export.report import write_report
from aecore.export.selection import selection
from aecore.export.table import csv_text, write_arrays, write_csv, write_npz
from aecore.files import arriving

__all__ = [
    "FORMATS",
    "Cargo",
    "Format",
    "csv_text",
    "download",
    "load",
    "possible",
    "selection",
    "write",
    "write_arrays",
]


@dataclass(frozen=True)
class Format:
    """A form that a run goes out in: what it is called, its file or folder, what writes it, what it is good for in a
    sentence, the package it needs, and whether it has a split of the images, or their codes.

    write(cargo, path) makes the file or folder at path, where nothing is yet, and returns notes on what was left out.
    """

    title: str
    file: str
    write: Callable[[Cargo, Path], list[str]]
    help: str
    needs: str | None = None
    images: bool = True


FORMATS: dict[str, Format] = {
    "projector": Format("TensorBoard Projector", "projector", write_projector, "Codes and images to fly through."),
    "parquet": Format(
        "Parquet: images, codes, neighbors",
        "codes.parquet",
        write_parquet,
        "For pandas, Hugging Face datasets and Embedding Atlas.",
        "pyarrow",
    ),
    "npz": Format("NumPy arrays", "codes.npz", write_npz, "Codes, ids, labels and places on the map."),
    "csv": Format(
        "Table of codes", "codes.csv", write_csv, "Codes, ids, labels and places on the map, for a spreadsheet."
    ),
    "model": Format(
        "Model for torch",
        "model",
        write_model,
        "Weights, settings, a model card and an example without this app.",
        images=False,
    ),
    "onnx": Format(
        "ONNX: encoder and decoder",
        "onnx",
        write_onnx,
        "For ONNX Runtime, which runs it in other languages and in browsers.",
        "onnx",
        images=False,
    ),
    "report": Format(
        "Report, one page",
        "report.html",
        write_report,
        "Settings, curves, map and measurements; opens without a network.",
        images=False,
    ),
}


def possible() -> list[str]:
    """The formats that this installation can write."""
    return [name for name, form in FORMATS.items() if form.needs is None or find_spec(form.needs)]


def write(
    cargo: Cargo,
    to: Path,
    ways: Sequence[str] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, list[str]]:
    """Write a run into a new folder in these formats, by default in all that are possible -> notes by format.

    The folder appears when all of it is on disk, or not at all. progress gets the formats done and the total.
    Raises ValueError for formats that are unknown or not possible, FileExistsError unless the folder is new or empty,
    FileNotFoundError when the folder around it is missing.
    """
    ways = _checked(possible() if ways is None else ways)
    notes = {}
    with arriving(to) as folder:
        for done, way in enumerate(ways, 1):
            notes[way] = FORMATS[way].write(cargo, folder / FORMATS[way].file)
            if progress:
                progress(done, len(ways))
    return notes


def download(cargo: Cargo, way: str) -> tuple[str, bytes]:
    """One format as a file for a browser: its name, and its content; a folder becomes a zip. Raises ValueError."""
    _checked([way])
    form = FORMATS[way]
    stem = "-".join([cargo.checkpoint.run.id, *([cargo.split] if form.images else [])])
    with tempfile.TemporaryDirectory(prefix="aecore-export-") as place:
        path = Path(place) / form.file
        form.write(cargo, path)
        if path.is_file():
            return f"{stem}-{form.file}", path.read_bytes()
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(path.iterdir()):
                archive.writestr(zipfile.ZipInfo(f"{form.file}/{file.name}"), file.read_bytes(), zipfile.ZIP_DEFLATED)
        return f"{stem}-{form.file}.zip", out.getvalue()


def _checked(ways: Sequence[str]) -> list[str]:
    """The formats, each once. Raises ValueError."""
    for way in ways:
        if way not in FORMATS:
            raise ValueError(f"format is {way!r}; choose from {', '.join(FORMATS)}")
        if way not in possible():
            needs = FORMATS[way].needs
            raise ValueError(f"{way} needs {needs}: pip install {needs}, or choose from {', '.join(possible())}")
    if not ways:
        raise ValueError(f"no format is named; choose from {', '.join(FORMATS)}")
    return list(dict.fromkeys(ways))
