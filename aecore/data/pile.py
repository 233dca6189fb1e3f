"""Images that are to become a set: piled up in the order in which they come, then sorted into splits."""

import csv
import hashlib
import shutil
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

from aecore.data.datasets import Dataset
from aecore.data.own import SKIPPED
from aecore.data.pictures import InputRejected, Picture
from aecore.data.sources import Item
from aecore.text import cell

HELD_OUT, MOST_HELD_OUT = 1 / 6, 10_000
"""Share of the images that is held out where the source does not say which, and the most of it."""
MOST_CLASSES = 1000
CHUNK = 4096
"""Images that are copied at a time."""
SPLITS = ("train", "test")


class Pile:
    """Pictures on their way into a folder. In memory there are but a few dozen bytes for each.

    before: the set that they are added to, if any, and the folder of its arrays.
    """

    def __init__(
        self, folder: Path, shape: tuple[int, int, int], before: Dataset | None = None, old: Path | None = None
    ) -> None:
        self.folder, self.shape, self.before, self.old = folder, shape, before, old
        self.count = self.skipped = 0
        self.digests, self.names, self.ends = array("Q"), array("Q"), array("Q", [0])
        self.labels, self.parts = array("i"), array("b")
        self.classes: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._pixels = (self.folder / "pixels").open("wb")
        self._thumbnails = (self.folder / "thumbnails").open("wb")
        self._ids = (self.folder / "ids").open("w", encoding="utf-8", newline="")
        self._reasons = (self.folder / SKIPPED).open("w", encoding="utf-8", newline="")
        self._listed = csv.writer(self._reasons)
        self._listed.writerow(("file", "why it was skipped"))
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        for file in (self._pixels, self._thumbnails, self._ids, self._reasons):
            file.close()

    def add(self, item: Item, picture: Picture | str) -> None:
        """Add a picture, or the reason why there is none."""
        if isinstance(picture, str):
            self._listed.writerow((cell(item.id), picture))
            self.skipped += 1
            return
        content = np.ascontiguousarray(picture.pixels).tobytes()
        self._pixels.write(content)
        self._thumbnails.write(picture.thumbnail)
        self._ids.write(item.id + "\n")
        self.ends.append(self.ends[-1] + len(picture.thumbnail))
        self.digests.append(_digest(content))
        self.names.append(_digest(item.id.encode()))
        label = -1 if item.label is None else self.classes.setdefault(item.label, len(self.classes))
        if len(self.classes) > MOST_CLASSES:
            raise InputRejected(
                f"There are more than {MOST_CLASSES:,} classes; bring the pictures without their folders."
            )
        self.labels.append(label)
        self.parts.append({"train": 0, "test": 1}.get(item.part, -1))
        self.count += 1

    def sorted_out(self, seed: int) -> dict[str, Any]:
        """Write the splits; returns their sizes, the classes, and how many are copies or were skipped.

        Raises InputRejected for fewer than two different images, for nothing new, and where classes are missing.
        """
        if not self.count:
            raise InputRejected(
                "Not one image could be read; skipped files are listed with the reason in a first look."
            )
        self._close()
        digests, names = np.frombuffer(self.digests, np.uint64), np.frombuffer(self.names, np.uint64)
        old_digests, old_names, old_held_out = self._read_before()
        rows = np.flatnonzero(~np.isin(_both(digests, names), _both(old_digests, old_names)))
        if not len(rows):
            raise InputRejected("The set has all of these images already.")
        classes, labels = self._classes(rows)
        held_out = np.zeros(self.count, bool)
        held_out[rows] = held_out_rows(
            digests[rows],
            np.zeros(len(rows), np.int8) if labels is None else labels[rows],
            np.frombuffer(self.parts, np.int8)[rows],
            seed,
            old_digests,
            old_held_out,
        )
        every = np.sort(np.concatenate([old_digests, digests[rows]]))
        copies = int((every[1:] == every[:-1]).sum())
        if copies == len(every) - 1:
            raise InputRejected("All images are equal; bring at least two different ones.")
        new = {"train": rows[~held_out[rows]], "test": rows[held_out[rows]]}
        for part, chosen in new.items():
            (self.folder / part).mkdir()
            self._write_images(part, chosen)
            self._write_thumbnails(part, chosen)
            if labels is not None:
                before = [self.before.split(part).labels] if self.before else []
                np.save(self.folder / part / "labels.npy", np.concatenate([*before, labels[chosen]]))
        self._write_ids(new, old_names)
        for name in ("pixels", "thumbnails", "ids"):
            (self.folder / name).unlink()
        self._list_skipped_before()
        sizes = {part: len(chosen) + self._length(part) for part, chosen in new.items()}
        return sizes | {"skipped": self._count_skipped(), "copies": copies, "classes": classes}

    def _read_before(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of what the set has: digests of images and of ids, (n,) uint64, and which are held out, (n,) bool."""
        digests, names, held_out = array("Q"), array("Q"), array("b")
        for part in SPLITS if self.before else ():
            split = self.before.split(part)
            for image, id in zip(split.images, split.ids, strict=True):
                digests.append(_digest(np.ascontiguousarray(image).tobytes()))
                names.append(_digest(str(id).encode()))
                held_out.append(part == "test")
        return np.array(digests, np.uint64), np.array(names, np.uint64), np.array(held_out, bool)

    def _classes(self, rows: np.ndarray) -> tuple[list[str] | None, np.ndarray | None]:
        """The names of the classes and the class (n,) of each picture; None unless all have one, and there are two."""
        labels = np.frombuffer(self.labels, np.int32)
        there = [] if self.before is None else list(self.before.classes or ())
        known = bool(there) if self.before else len(self.classes) > 1 and bool((labels[rows] >= 0).all())
        if not known:
            return None, None
        if (labels[rows] < 0).any():
            raise InputRejected(
                "The images of this set have classes, and some of these have none; put them into a folder per class."
            )
        new = self.classes.keys() - there
        names = there + sorted(new, key=lambda name: (len(name), name) if name.isdecimal() else (99, name))
        return names, np.array([names.index(name) for name in self.classes], np.int64)[labels]

    def _length(self, part: str) -> int:
        return len(self.before.split(part)) if self.before else 0

    def _write_images(self, part: str, rows: np.ndarray) -> None:
        """In chunks, of which none stays mapped: memory does not grow with their number."""
        start, every = self._length(part), (self._length(part) + len(rows), *self.shape)
        with (self.folder / part / "images.npy").open("wb") as out:
            np.lib.format.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": every})
            for row in range(0, start, CHUNK):
                out.write(self.before.split(part).images[row : min(row + CHUNK, start)].tobytes())
            for place in range(0, len(rows), CHUNK):
                pixels = np.memmap(self.folder / "pixels", np.uint8, "r", shape=(self.count, *self.shape))
                out.write(pixels[rows[place : place + CHUNK]].tobytes())

    def _write_thumbnails(self, part: str, rows: np.ndarray) -> None:
        """Those of the set and the new ones, one after the other, and where each ends; nothing if there are none."""
        ends, old = np.frombuffer(self.ends, np.uint64), np.zeros(self._length(part), np.uint64)
        if self.old and (self.old / part / "ends.npy").exists():
            old = np.load(self.old / part / "ends.npy", allow_pickle=False)
        if not ends[-1] and not (len(old) and old[-1]):
            return
        start = old[-1] if len(old) else np.uint64(0)
        lengths = np.cumsum(ends[rows + 1] - ends[rows], dtype=np.uint64)
        np.save(self.folder / part / "ends.npy", np.concatenate([old.astype(np.uint64), start + lengths]))
        with (self.folder / "thumbnails").open("rb") as file, (self.folder / part / "originals.bin").open("wb") as out:
            if start:
                with (self.old / part / "originals.bin").open("rb") as before:
                    shutil.copyfileobj(before, out, 2**20)
            for row in rows:
                file.seek(int(ends[row]))
                out.write(file.read(int(ends[row + 1] - ends[row])))

    def _write_ids(self, new: dict[str, np.ndarray], old: np.ndarray) -> None:
        """The ids of each split, as words of one length; only where some are equal are all in memory at once."""
        rows = np.sort(np.concatenate([*new.values()]))
        seen = np.sort(np.concatenate([old, np.frombuffer(self.names, np.uint64)[rows]]))
        ids: Iterable[str] = self._read_ids(rows)
        if (seen[1:] == seen[:-1]).any():
            there = [str(id) for part in SPLITS if self.before for id in self.before.split(part).ids]
            ids = _unique([*ids], there)
            longest = max(map(len, ids))
        else:
            longest = max(map(len, self._read_ids(rows)))
        if self.before:
            longest = max(longest, *(self.before.split(part).ids.dtype.itemsize // 4 for part in SPLITS))
        parts, places = {}, {}
        for part, chosen in new.items():
            places[part] = self._length(part)
            parts[part] = np.lib.format.open_memmap(
                self.folder / part / "ids.npy", "w+", f"<U{longest}", (places[part] + len(chosen),)
            )
            if self.before:
                parts[part][: places[part]] = self.before.split(part).ids
        held_out = np.isin(rows, new["test"])
        for id, aside in zip(ids, held_out, strict=True):
            part = SPLITS[int(aside)]
            parts[part][places[part]] = id
            places[part] += 1

    def _read_ids(self, rows: np.ndarray) -> Iterator[str]:
        wanted = np.zeros(self.count, bool)
        wanted[rows] = True
        with (self.folder / "ids").open(encoding="utf-8", newline="\n") as file:
            for line, asked in zip(file, wanted, strict=True):
                if asked:
                    yield line.removesuffix("\n")

    def _list_skipped_before(self) -> None:
        """Files that were skipped when the set began stay listed, before those of today."""
        if self.old is None:
            return
        today = (self.folder / SKIPPED).read_bytes().partition(b"\n")[2]
        (self.folder / SKIPPED).write_bytes((self.old / SKIPPED).read_bytes() + today)

    def _count_skipped(self) -> int:
        with (self.folder / SKIPPED).open(encoding="utf-8", newline="") as file:
            return sum(1 for _ in csv.reader(file)) - 1


def held_out_rows(
    digests: np.ndarray,
    labels: np.ndarray,
    parts: np.ndarray,
    seed: int,
    old: np.ndarray | None = None,
    old_held_out: np.ndarray | None = None,
) -> np.ndarray:
    """Which of images (n,), known by their digests, are held out, (n,) bool; copies are never on both sides.

    A copy of an old image, of digests `old`, goes to its side. Where the parts of rows are known, 0 or 1, those of part
    1 that are not in part 0 too are held out. Else of each class the share HELD_OUT, those whose digest, mixed with the
    seed, is smallest; of images that are added, those whose mixed digest is in that share of all numbers: so it does
    not matter in which portions they are added.
    """
    different, first, every = np.unique(digests, return_index=True, return_inverse=True)
    mixed = different ^ np.random.default_rng(seed).integers(2**64, dtype=np.uint64, endpoint=False)
    mixed = mixed * np.uint64(0x9E3779B97F4A7C15)  # odd, so no two become equal
    adds = old is not None and len(old) > 0
    share = min(HELD_OUT, MOST_HELD_OUT / len(different))
    held_out = np.zeros(len(different), bool)
    if (parts == 1).any() and (adds or (parts != 1).any()):
        trained = np.zeros(len(different), bool)
        trained[every[parts != 1]] = True
        held_out = ~trained
    elif adds:
        held_out = mixed < np.uint64(HELD_OUT * 2**64)
    else:
        for label in np.unique(labels[first]):
            rows = np.flatnonzero(labels[first] == label)
            rows = rows[np.argsort(mixed[rows], kind="stable")]
            held_out[rows[: round(share * len(rows))]] = True
    if adds:
        there = np.isin(different, old)
        held_out[there] = np.isin(different[there], old[old_held_out])
    elif not held_out.any():
        held_out[np.argmin(mixed)] = True
    return held_out[every]


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def _both(digests: np.ndarray, names: np.ndarray) -> np.ndarray:
    """One number for an image under an id."""
    return digests ^ (names * np.uint64(0x9E3779B97F4A7C15))


def _unique(ids: Iterable[str], there: Iterable[str]) -> list[str]:
    """Ids that differ from one another and from those that are there: ones that are equal get a number."""
    seen = set(there)
    used = seen | set(ids)
    found = []
    for id in ids:
        name, number = id, 1
        while name in seen or (number > 1 and name in used):
            number += 1
            name = f"{id} ({number})"
        seen.add(name)
        found.append(name)
    return found
