"""Arrays from outside: NPY, IDX and CSV files become files of plain numbers on disk, whose size is known beforehand.

Headers are read here, and nothing is believed: a type that is not a number, or a size that is not there, is rejected.
"""

import ast
import csv
import gzip
import math
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from aecore.data.pictures import InputRejected

LARGEST_HEADER = 10_000
LARGEST_CELL = 200
"""Characters in a cell of a CSV file."""
LARGEST_ROW = 3 * 256 * 256 + 8
"""Cells in a row of a CSV file."""
LABEL_COLUMNS = ("label", "labels", "class", "target", "y", "category")
GZIPPED = (".gz", ".tgz")
_KINDS = r"[<>|=](?:[ui][1248]|f[248]|b1|[US]\d{1,3})"
_IDX = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_npy(file: IO[bytes], scratch: Path, most: float) -> np.ndarray:
    """An NPY file as a read-only map of a copy in the folder scratch; at most `most` bytes. Raises InputRejected.

    Numbers, truth values and words of up to 999 characters only: Python objects are never loaded.
    """
    start = _take(file, 8)
    if start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3):
        raise InputRejected("This is not a NumPy file.")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(_take(file, width), "little")
    if length > LARGEST_HEADER:
        raise InputRejected(f"The header of this NumPy file has {length:,} bytes; the limit is {LARGEST_HEADER:,}.")
    try:
        header = ast.literal_eval(_take(file, length).decode("latin-1"))
        kind, by_column, shape = header["descr"], header["fortran_order"], header["shape"]
        sound = isinstance(kind, str) and isinstance(shape, tuple) and all(type(side) is int for side in shape)
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
        sound = False
    if not sound:
        raise InputRejected("The header of this NumPy file is damaged.")
    if not re.fullmatch(_KINDS, kind):
        raise InputRejected(f"This NumPy file holds values of type {kind[:20]!r}; save plain numbers instead.")
    if by_column:
        raise InputRejected("This NumPy file is in column order; save it with numpy.ascontiguousarray.")
    return _copied(file, np.dtype(kind), shape, scratch, most)


def read_idx(file: IO[bytes], scratch: Path, most: float) -> np.ndarray:
    """An IDX file, the format of MNIST, as a read-only map of a copy in scratch. Raises InputRejected."""
    magic = _take(file, 4)
    if magic[:2] != b"\0\0" or magic[2] not in _IDX or not 1 <= magic[3] <= 4:
        raise InputRejected("This is not an IDX file of one to four dimensions.")
    shape = struct.unpack(f">{magic[3]}I", _take(file, 4 * magic[3]))
    return _copied(file, np.dtype(_IDX[magic[2]]), shape, scratch, most)


def read_csv(path: Path, scratch: Path, most: float) -> tuple[np.ndarray, list[str] | None]:
    """A CSV file with an image in every row -> pixels (n, d) float32, mapped, and labels. Raises InputRejected.

    A column named label, class, target or the like has the labels; all others are pixels.
    """
    labels: list[str] = []
    with _readable(), path.open(newline="", encoding="utf-8-sig") as file, (scratch / "rows").open("wb") as out:
        rows = csv.reader(_lines(file))
        head = next(rows, [])
        named = any(not _is_number(cell) for cell in head)
        found = [place for place, cell in enumerate(head) if cell.strip().lower() in LABEL_COLUMNS] if named else []
        width, count = len(head), 0
        if not 1 <= width <= LARGEST_ROW:
            raise InputRejected(f"The rows have {width:,} cells; an image has 1 to {LARGEST_ROW - 8:,} pixels.")
        for number, row in enumerate(rows if named else _again(head, rows), start=1 + named):
            if not row:
                continue
            if len(row) != width:
                raise InputRejected(f"Row {number:,} has {len(row):,} cells, but the first has {width:,}.")
            labels += [row[place].strip()[:LARGEST_CELL] for place in found[:1]]
            try:
                pixels = np.array([cell for place, cell in enumerate(row) if place not in found], np.float32)
            except ValueError:
                wrong = next(cell for place, cell in enumerate(row) if place not in found and not _is_number(cell))
                raise InputRejected(f"Row {number:,} has {wrong[:20]!r} where a pixel should be.") from None
            out.write(pixels.tobytes())
            count += 1
            if count * pixels.nbytes > most:
                raise InputRejected(f"This file unpacks to more than {most / 1e6:,.0f} MB; split it.")
    width -= len(found)
    if not count or not width:
        raise InputRejected("This file has no rows of pixels.")
    return np.memmap(scratch / "rows", np.float32, "r", shape=(count, width)), labels or None


def unpacked(path: Path) -> IO[bytes]:
    """The content of a file, unpacked where gzip has packed it."""
    return gzip.open(path) if path.suffix in GZIPPED else path.open("rb")


def as_images(array: np.ndarray) -> np.ndarray:
    """Numbers from outside as images (n, h, w) or (n, h, w, c) with 1 or 3 channels. Raises InputRejected."""
    if array.ndim == 2:  # rows of pixels: squares, gray or one channel after the other
        width = array.shape[1]
        for channels in (1, 3):
            side = math.isqrt(width // channels)
            if side * side * channels == width:
                array = array.reshape(len(array), *([channels] if channels > 1 else []), side, side)
                break
        else:
            raise InputRejected(f"Rows of {width:,} pixels are not square images with one or three channels.")
    if array.ndim == 4 and array.shape[-1] not in (1, 3) and array.shape[1] in (1, 3):
        array = array.transpose(0, 2, 3, 1)
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] not in (1, 3)) or 0 in array.shape:
        shape = " x ".join(map(str, array.shape))
        raise InputRejected(
            f"An array of {shape} is not a stack of images; give (n, h, w), (n, h, w, 3) or (n, 3, h, w)."
        )
    if array.dtype.kind not in "uifb":
        raise InputRejected("The images are words, not numbers.")
    return array


def white_of(images: np.ndarray) -> float:
    """The value that stands for white in images (n, ...): 1, 255 or 65,535. Raises InputRejected."""
    low, high = math.inf, -math.inf
    for start in range(0, len(images), 1024):
        block = images[start : start + 1024]
        low, high = min(low, float(block.min())), max(high, float(block.max()))
        if not (math.isfinite(low) and math.isfinite(high)):  # false for nan, too
            raise InputRejected("Some values are not finite numbers.")
    tops = (1.0, 255.0, 65535.0) if images.dtype.kind in "fb" or high <= 1 else (255.0, 65535.0)
    top = next((top for top in tops if high <= top), 0.0)
    if low < 0 or not top:
        raise InputRejected(
            f"The values run from {low:.6g} to {high:.6g}; they must lie between 0 and 1, 0 and 255, or 0 and 65,535."
        )
    return top


def _copied(file: IO[bytes], kind: np.dtype, shape: tuple[int, ...], scratch: Path, most: float) -> np.ndarray:
    """The numbers that follow a header, exactly as many as it says."""
    size = kind.itemsize * math.prod(shape)
    if not 1 <= len(shape) <= 4 or any(side < 1 for side in shape):
        raise InputRejected(f"This array has the shape {str(shape)[:60]}; give one to four sides of at least 1.")
    if size > most:
        raise InputRejected(f"This array unpacks to {size / 1e6:,.0f} MB; the limit is {most / 1e6:,.0f} MB.")
    path, left = scratch / f"array-{len(list(scratch.iterdir()))}", size
    with path.open("wb") as out:
        while left and (chunk := _take(file, min(left, 2**20), exactly=False)):
            out.write(chunk)
            left -= len(chunk)
    if left or _take(file, 1, exactly=False):
        raise InputRejected(f"This array should have {size:,} bytes, but has {'fewer' if left else 'more'}.")
    return np.memmap(path, kind, "r", shape=tuple(shape))


def _take(file: IO[bytes], count: int, exactly: bool = True) -> bytes:
    with _readable():
        content = file.read(count)
    if exactly and len(content) != count:
        raise InputRejected("This file ends too early.")
    return content


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, csv.Error) as error:
        if isinstance(error, InputRejected):
            raise
        raise InputRejected(f"This file is damaged ({str(error)[:100]}).") from error


def _lines(file: IO[str]) -> Iterator[str]:
    """Lines of bounded length."""
    most = LARGEST_ROW * 26
    while line := file.readline(most + 1):
        if len(line) > most:
            raise InputRejected(f"A line of this file has more than {most:,} characters.")
        yield line


def _again(head: list[str], rows: Iterator[list[str]]) -> Iterator[list[str]]:
    yield head
    yield from rows


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False
