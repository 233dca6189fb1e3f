"""Images from outside in the forms in which people keep them, one after the other: a folder, a zip, a tar.gz, NumPy
arrays, IDX files, a Parquet file, a CSV file.

Nothing that is read decides how much is read: every count and every size has a limit. In folders, zips and tars the
class of a picture is the folder it is in, and a folder `train` or `test` above that (or `val`) its part, as the image
folders of Hugging Face have it; a `metadata.csv` or `metadata.jsonl` with a column file_name may say more.
"""

import csv
import io
import json
import math
import os
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from aecore.data.arrays import GZIPPED, LABEL_COLUMNS, as_images, read_csv, read_idx, read_npy, unpacked, white_of
from aecore.data.pictures import LARGEST_BYTES, SUFFIXES, InputRejected, entry_problem, zip_entries
from aecore.pixels import png
from aecore.text import one_line

PARTS = {
    "train": "train", "training": "train", "test": "test", "testing": "test", "t10k": "test",
    "val": "test", "valid": "test", "validation": "test", "dev": "test",
}  # fmt: skip
"""Words for a part of the images -> the split that it becomes."""
METADATA = ("metadata.csv", "metadata.jsonl")
ARCHIVES = (".zip", ".tar", ".tgz", ".npz", ".npy", ".csv", ".parquet", ".gz")
LONGEST = 200
"""Characters in an id or a label; what is longer is cut."""


@dataclass(frozen=True)
class Bounds:
    """How many images may come, how many bytes they may unpack to, and how many pixels they may have in all."""

    images: float = math.inf
    bytes: float = math.inf
    pixels: float = math.inf

    def check(self, images: int, size: int) -> None:
        """Raises InputRejected for more."""
        if images > self.images:
            raise InputRejected(f"More than {self.images:,.0f} images; bring fewer.")
        if size > self.bytes:
            raise InputRejected(f"This unpacks to more than {self.bytes / 1e6:,.0f} MB; split it.")

    def check_pixels(self, pixels: int) -> None:
        """Raises InputRejected for more: a megapixel takes as long to decode whatever it is packed into."""
        if pixels > self.pixels:
            raise InputRejected(f"The pictures have more than {self.pixels / 1e6:,.0f} megapixels in all; split them.")


@dataclass(frozen=True)
class Item:
    """An image from outside, not yet decoded, or why there is none.

    id: its path or number; label: its class in a word; part: train or test, where that is known.
    """

    id: str
    content: bytes | np.ndarray = b""
    label: str | None = None
    part: str | None = None
    problem: str = ""


@dataclass(frozen=True)
class Source:
    """Images from outside: what they come as, how many there are (0: not known yet), and a function that reads them."""

    kind: str
    count: int
    items: Callable[[], Iterator[Item]] = field(repr=False)


@contextmanager
def opened(path: Path, bounds: Bounds | None = None) -> Iterator[Source]:
    """What a path holds. Raises InputRejected for what cannot be read, with the forms that can.

    Copies that are unpacked for it are gone at the end.
    """
    bounds = bounds or Bounds()
    with tempfile.TemporaryDirectory(prefix="aecore-") as scratch:
        yield _source(path, bounds, Path(scratch))


def _source(path: Path, bounds: Bounds, scratch: Path) -> Source:
    if path.is_dir():
        return _folder(path, bounds, scratch)
    if not path.is_file():
        raise InputRejected(f"There is no file or folder {str(path)[:LONGEST]!r}.")
    name = path.name.lower()
    for suffixes, read in _READERS.items():
        if name.endswith(suffixes):
            return read(path, bounds, scratch)
    if "ubyte" in name or name.endswith((".idx", ".gz")):
        return _idx([path], bounds, scratch)
    raise InputRejected(
        f"The file type {path.suffix[:20] or '(no suffix)'} is not supported; bring a folder of pictures, or a zip, "
        "tar.gz, npz, npy, IDX, Parquet or CSV file."
    )


# Pictures in folders.


def _folder(path: Path, bounds: Bounds, scratch: Path) -> Source:
    files = [name for name in sorted(os.listdir(path)) if name[0] != "." and (path / name).is_file()]
    if files and all("ubyte" in name for name in files):
        return _idx([path / name for name in files], bounds, scratch)
    if len(files) == 1 and files[0].lower().endswith(ARCHIVES) and len(os.listdir(path)) == 1:
        return _source(path / files[0], bounds, scratch)
    notes = _notes({name: (path / name).read_bytes() for name in METADATA if name in files and _small(path / name)})

    def items() -> Iterator[Item]:
        seen = size = 0
        for name in _walked(path):
            file = path / name
            if problem := _name_problem(PurePosixPath(name)):
                yield Item(_short(name), problem=problem)
                continue
            if not _small(file):
                yield Item(_short(name), problem=f"Larger than {LARGEST_BYTES // 10**6} MB, or a link.")
                continue
            try:
                content = file.read_bytes()
            except OSError as error:
                yield Item(_short(name), problem=f"It cannot be read ({error.strerror}).")
                continue
            seen, size = seen + 1, size + len(content)
            bounds.check(seen, size)
            yield _named(name, content, notes)

    count = sum(not _name_problem(PurePosixPath(name)) for name in _walked(path))
    bounds.check(count, 0)
    if not count:
        raise InputRejected("There is no picture in it, a file such as .png or .jpg.")
    return Source("folder", count, items)


def _walked(path: Path) -> Iterator[str]:
    """Paths of all files below, relative, in order; neither hidden ones nor what links lead to."""
    for folder, inner, names in os.walk(path):
        inner[:] = sorted(name for name in inner if name[0] != ".")
        for name in sorted(names):
            if name[0] != "." and name not in METADATA:
                yield (Path(folder) / name).relative_to(path).as_posix()


def _small(file: Path) -> bool:
    try:
        about = file.lstat()
    except OSError:
        return False
    return stat.S_ISREG(about.st_mode) and about.st_size <= LARGEST_BYTES


def _zip(path: Path, bounds: Bounds, scratch: Path) -> Source:
    with path.open("rb") as file, zip_entries(file, bounds.images) as (_, entries):
        names = [entry.filename for entry in entries]
        if names and all(name.endswith(".npy") for name in names):
            return _npz(path, bounds, scratch)
        problems = [entry_problem(entry) for entry in entries]
        count = problems.count(None)
    if not count:
        first = f" The first file: {problems[0]}" if problems else ""
        raise InputRejected(f"There is no picture in this zip, a file such as .png or .jpg.{first}")

    def items() -> Iterator[Item]:
        with path.open("rb") as file, zip_entries(file, bounds.images) as (archive, entries):
            small = {entry.filename: entry for entry in entries if entry.file_size <= LARGEST_BYTES}
            notes = _notes({name: _content(archive, small[name]) or b"" for name in METADATA if name in small})
            seen, size = set(), 0
            for entry in sorted(entries, key=lambda entry: entry.filename):
                name = entry.filename
                if name in METADATA:
                    continue
                problem = entry_problem(entry) or ("Another file has the same name." if name in seen else "")
                content = None if problem else _content(archive, entry)
                if problem or content is None:
                    yield Item(_short(name), problem=problem or "The file is damaged.")
                    continue
                seen.add(name)
                size += len(content)
                bounds.check(len(seen), size)
                yield _named(name, content, notes)

    return Source("zip", count, items)


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes | None:
    """What an entry of a zip holds; None where it is damaged or larger than it says."""
    try:
        with archive.open(entry) as packed:
            content = packed.read(LARGEST_BYTES + 1)
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError, zlib.error):
        return None
    return content if len(content) <= LARGEST_BYTES else None


def _tar(path: Path, bounds: Bounds, scratch: Path) -> Source:
    def items() -> Iterator[Item]:
        seen: set[str] = set()
        size = read = 0
        most = bounds.bytes if math.isfinite(bounds.bytes) else 2**50
        with path.open("rb") as raw:
            try:
                file = _Limited(unpacked(path) if path.suffix in GZIPPED else raw, most)
                with tarfile.open(fileobj=file, mode="r|") as archive:
                    for entry in archive:
                        read += 1
                        bounds.check(read, 0)
                        if entry.isdir():
                            continue
                        name = entry.name.removeprefix("./")
                        pure = PurePosixPath(name)
                        problem = _name_problem(pure) or ("" if entry.isreg() else "A link or a device, not a file.")
                        problem = problem or ("Another file has the same name." if name in seen else "")
                        if not problem and entry.size > LARGEST_BYTES:
                            problem = f"Larger than {LARGEST_BYTES // 10**6} MB."
                        if problem:
                            yield Item(_short(name), problem=problem)
                            continue
                        content = archive.extractfile(entry).read()
                        seen.add(name)
                        size += len(content)
                        bounds.check(len(seen), size)
                        yield _named(name, content, {})
            except InputRejected:
                raise
            except (tarfile.TarError, OSError, EOFError, ValueError, ArithmeticError, MemoryError, zlib.error) as error:
                raise InputRejected(f"This tar file is damaged ({str(error)[:100]}).") from error
        if not seen:
            raise InputRejected("There is no picture in this tar, a file such as .png or .jpg.")

    return Source("tar", 0, items)


class _Limited(io.RawIOBase):
    """A file of which no more than so many bytes are read."""

    def __init__(self, file: IO[bytes], most: float) -> None:
        self.file, self.left = file, most

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > 2**20:
            size = 2**20
        content = self.file.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise InputRejected("This file unpacks to more than the limit; split it.")
        return content


def _name_problem(path: PurePosixPath) -> str:
    """Why a file of this name is not taken; empty for a picture."""
    if path.is_absolute() or ".." in path.parts or not path.name:
        return "Its name points outside."
    if path.name.startswith(".") or path.parts[0] == "__MACOSX" or path.suffix[1:].lower() not in SUFFIXES:
        return "Not a picture file, judging by its name."
    return ""


def _named(name: str, content: bytes, notes: Mapping[str, dict[str, str]]) -> Item:
    """A picture file and what its folders and the metadata say of it."""
    folders = list(PurePosixPath(name).parts[:-1])
    part = next((PARTS[folder.lower()] for folder in folders[:2] if folder.lower() in PARTS), None)
    folders = [folder for folder in folders if folder.lower() not in PARTS]
    label = folders[-1] if folders else None
    for column in LABEL_COLUMNS:
        label = notes.get(name, {}).get(column, label)
    return Item(_short(name), content, None if label is None else _short(label), part)


def _notes(files: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    """file name -> column -> value, from a metadata.csv or metadata.jsonl. Raises InputRejected."""
    found: dict[str, dict[str, str]] = {}
    for name, content in files.items():
        try:
            text = content.decode("utf-8-sig")
            rows = csv.DictReader(io.StringIO(text)) if name.endswith("csv") else map(json.loads, text.splitlines())
            for row in rows:
                found[str(row["file_name"])] = {
                    str(key).lower(): str(value) for key, value in row.items() if isinstance(value, str | int)
                }
        except (ValueError, KeyError, TypeError, AttributeError, csv.Error, RecursionError) as error:
            raise InputRejected(f"{name} cannot be read: every row needs a file_name.") from error
    return found


def _short(text: str) -> str:
    """One line of bounded length; what is too much is cut from its middle, since paths differ at their ends."""
    line = one_line(text, len(text))
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]}…{line[-LONGEST // 2 + 1 :]}"


# Arrays.


def _npz(path: Path, bounds: Bounds, scratch: Path) -> Source:
    arrays: dict[str, np.ndarray] = {}
    with path.open("rb") as file, zip_entries(file, 100) as (archive, entries):
        for entry in entries:
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 0x1:
                raise InputRejected("Its compression is not supported; save it with numpy.savez.")
            try:
                with archive.open(entry) as packed:
                    arrays[entry.filename.removesuffix(".npy")] = read_npy(packed, scratch, bounds.bytes)
            except (zipfile.BadZipFile, OSError, RuntimeError, EOFError, zlib.error) as error:
                raise InputRejected(f"{entry.filename[:40]!r} in this file is damaged.") from error
    names = {name.lower(): name for name in arrays}

    def of(*wanted: str) -> np.ndarray | None:
        return next((arrays[names[name]] for name in wanted if name in names), None)

    pairs = [(of("x_train"), of("y_train"), "train"), (of("x_test"), of("y_test"), "test")]
    pairs = [pair for pair in pairs if pair[0] is not None]
    if not pairs and (whole := of("x", "images", "arr_0")) is not None:
        pairs = [(whole, of("y", "labels", "label"), None)]
    if not pairs:
        raise InputRejected(f"It holds {', '.join(arrays)[:100]}; name the images x or images, or x_train and x_test.")
    return _arrays("NumPy file", pairs, bounds)


def _npy(path: Path, bounds: Bounds, scratch: Path) -> Source:
    with path.open("rb") as file:
        return _arrays("NumPy file", [(read_npy(file, scratch, bounds.bytes), None, None)], bounds)


def _idx(paths: list[Path], bounds: Bounds, scratch: Path) -> Source:
    """One file of images, or files of images and labels, paired by the beginnings of their names."""
    images, labels = {}, {}
    for path in paths:
        with unpacked(path) as file:
            array = read_idx(file, scratch, bounds.bytes)
        part = next((PARTS[word] for word in ("train", "t10k", "test", "val") if word in path.name.lower()), None)
        (labels if array.ndim == 1 else images)[part] = array
    if not images:
        raise InputRejected("These IDX files hold labels, but no images.")
    return _arrays("IDX files", [(array, labels.get(part), part) for part, array in images.items()], bounds)


def _csv(path: Path, bounds: Bounds, scratch: Path) -> Source:
    pixels, labels = read_csv(path, scratch, bounds.bytes)
    return _arrays("CSV file", [(pixels, labels, None)], bounds)


def _arrays(kind: str, pairs: list[tuple[np.ndarray, Any, str | None]], bounds: Bounds) -> Source:
    """Arrays of images with their labels and parts."""
    checked = []
    for array, labels, part in pairs:
        images = as_images(array)
        if labels is not None and len(labels) != len(images):
            raise InputRejected(f"{len(images):,} images, but {len(labels):,} labels; give one each.")
        if labels is not None and isinstance(labels, np.ndarray) and (labels.ndim != 1 or labels.dtype.kind == "f"):
            raise InputRejected("The labels must be whole numbers or words, one for each image.")
        checked.append((images, labels, part, white_of(images)))
    count = sum(len(images) for images, *_ in checked)
    bounds.check(count, 0)

    def items() -> Iterator[Item]:
        for images, labels, part, white in checked:
            for row, image in enumerate(images):
                label = None if labels is None else labels[row]
                label = label.decode("utf-8", "replace") if isinstance(label, bytes) else label
                scaled = np.asarray(image) if white == 255 and image.dtype == np.uint8 else _levels(image, white)
                pixels = scaled.transpose(2, 0, 1) if scaled.ndim == 3 else scaled[None]
                name = str(row) if len(checked) == 1 else f"{part}-{row}"
                yield Item(name, pixels, None if label is None else _short(str(label)), part)

    return Source(kind, count, items)


def _levels(image: np.ndarray, white: float) -> np.ndarray:
    return np.round(np.asarray(image, np.float64) * (255 / white)).astype(np.uint8)


def _parquet(path: Path, bounds: Bounds, scratch: Path) -> Source:
    """Rows with an image as bytes, or as a struct of bytes and path, and perhaps a label."""
    import pyarrow
    from pyarrow import parquet

    def damaged(error: Exception) -> InputRejected:
        return InputRejected(f"This Parquet file is damaged ({str(error).splitlines()[0][:100]}).")

    try:
        file = parquet.ParquetFile(path, memory_map=True)
        schema, rows = file.schema_arrow, file.metadata.num_rows
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        bounds.check(rows, sum(max(0, group.total_byte_size) for group in groups))
    except (pyarrow.ArrowException, OSError, ValueError, TypeError) as error:
        raise error if isinstance(error, InputRejected) else damaged(error) from error
    columns = {name.lower(): name for name in schema.names}
    image = next((columns[name] for name in ("image", "img", "images", "picture", "bytes") if name in columns), None)
    if image is None:
        raise InputRejected(
            f"It has the columns {', '.join(schema.names)[:100]}; rename the column that holds the images to 'image'."
        )
    label = next((columns[name] for name in LABEL_COLUMNS if name in columns), None)
    names = _class_names(schema, label)

    def items() -> Iterator[Item]:
        row = 0
        wanted = [image] + ([label] if label else [])
        try:
            for batch in file.iter_batches(64, columns=wanted):
                for line in batch.to_pylist():
                    value, said = line[image], line.get(label)
                    path = (value.get("path") if isinstance(value, dict) else None) or str(row)
                    content = value.get("bytes") if isinstance(value, dict) else value
                    if isinstance(said, int) and 0 <= said < len(names):
                        said = names[said]
                    known = None if said is None else _short(str(said))
                    if isinstance(content, bytes):
                        yield Item(_short(f"{row}-{path}" if path != str(row) else path), content, known)
                    else:
                        yield Item(_short(str(path)), problem="There are no bytes of a picture in this row.")
                    row += 1
        except (pyarrow.ArrowException, OSError, ValueError, TypeError) as error:
            raise error if isinstance(error, InputRejected) else damaged(error) from error

    return Source("Parquet file", rows, items)


def _class_names(schema: Any, label: str | None) -> list[str]:
    """What the numbers in a column of labels stand for, as Hugging Face notes it in a file."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return [str(name)[:LONGEST] for name in features[label]["names"]]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []


_READERS: dict[tuple[str, ...], Callable[[Path, Bounds, Path], Source]] = {
    (".zip",): _zip,
    (".npz",): _npz,
    (".npy",): _npy,
    (".tar", ".tar.gz", ".tgz"): _tar,
    (".csv",): _csv,
    (".parquet",): _parquet,
}


def as_picture(item: Item) -> bytes:
    """An item as the bytes of a picture file."""
    return item.content if isinstance(item.content, bytes) else png(item.content)
