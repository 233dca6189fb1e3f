"""Bringing images in: a first look, before anything is kept, and then all of them, decoded by several processes."""

import csv
import hashlib
import json
import shutil
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import numpy as np

from aecore.data.datasets import plain_title
from aecore.data.downloads import Progress
from aecore.data.own import ABOUT, OWNER, SKIPPED, SMALLEST, THUMBNAIL, VERSION, Wishes, free_folder
from aecore.data.pictures import InputRejected, Picture, Reader, border
from aecore.data.sources import Bounds, Item, as_picture, opened
from aecore.files import arriving
from aecore.text import cell, one_line

SIDES = (16, 28, 32, 48, 64)
"""Sides that are suggested, in pixels."""
HELD_OUT, MOST_HELD_OUT = 1 / 6, 10_000
"""Share of the images that is held out where the source does not say which, and the most of it."""
SHOWN = 16
"""Images that a first look shows."""
LOOKED_AT = 500
"""Images from which a first look judges."""
MOST_CLASSES = 1000
READERS = 2
"""Processes that decode pictures."""


@dataclass(frozen=True, eq=False)
class Look:
    """A first look at a source: what is in it, judged from its first LOOKED_AT pictures, and SHOWN of them.

    count: how many it has, 0 if that is not known yet; suggested: the wishes that fit; light: the share of pictures
    with a light border; sizes: smallest, median and largest side of the originals; levels: the darkest and the lightest
    of all pixels; copies: how many pictures are equal to an earlier one; shown: some pictures as read.
    """

    kind: str
    count: int
    read: int
    suggested: Wishes
    light: float
    sizes: tuple[int, int, int]
    levels: tuple[int, int]
    copies: int
    classes: dict[str, int]
    parts: dict[str, int]
    skipped: list[tuple[str, str]]
    shown: list[tuple[str, Picture]]


def look(path: Path, wishes: Wishes | None = None, bounds: Bounds | None = None) -> Look:
    """Look at what a path holds, as the wishes, or the suggested ones, make of it. Raises InputRejected."""
    if wishes is None:
        wishes = look(path, Wishes(), bounds).suggested
    shown, skipped, sides, classes, parts = [], [], [], Counter(), Counter()
    light = colored = 0
    levels, different = (255, 0), set()
    with opened(path, bounds) as source, _Readers(wishes) as readers:
        first = _first(source.items(), LOOKED_AT)
        for item, picture in readers.read(first):
            if isinstance(picture, str):
                skipped.append((item.id, picture))
                continue
            sides.append(min(picture.width, picture.height))
            light, colored = light + (picture.edge > 127), colored + picture.colored
            levels = min(levels[0], int(picture.pixels.min())), max(levels[1], int(picture.pixels.max()))
            different.add(picture.pixels.tobytes())
            classes[item.label] += 1
            parts[item.part] += 1
            shown.append((item.id, picture))
        kind, count = source.kind, source.count
    if len(sides) + len(skipped) < LOOKED_AT:
        count = len(sides)
    if not sides:
        reason = f" The first one: {skipped[0][1]}" if skipped else ""
        raise InputRejected(f"Not one image could be read.{reason}")
    median = int(np.median(sides))
    side = max((known for known in SIDES if known <= median), default=max(SMALLEST, median))
    if sides.count(median) == len(sides) and SMALLEST <= median <= max(SIDES):
        side = median
    suggested = Wishes(side, 3 if colored > 0.05 * len(sides) else 1)
    spread = [shown[int(place)] for place in np.linspace(0, len(shown) - 1, min(SHOWN, len(shown)))]
    return Look(
        kind, count, len(sides), suggested, light / len(sides), (min(sides), median, max(sides)), levels,
        len(sides) - len(different),
        {label: number for label, number in classes.most_common() if label is not None},
        {part: number for part, number in parts.items() if part is not None}, skipped, spread,
    )  # fmt: skip


def bring_in(
    path: Path,
    name: str,
    wishes: Wishes,
    title: str = "",
    source: str = "",
    seed: int = 0,
    bounds: Bounds | None = None,
    owner: str = "",
    progress: Progress = lambda done, of: None,
) -> dict[str, Any]:
    """Keep what a path holds as a set of this name; returns what `about` says of it.

    Where the source has no parts, a sixth is held out, the same share of every class. Copies of an image are never on
    both sides. Pictures that cannot be read are listed, with the reason. progress gets the images so far and how many
    there are (0: not known). owner: the fingerprint of a visitor. Raises InputRejected.
    """
    folder = free_folder(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    with arriving(folder) as aside:
        with opened(path, bounds) as found, _Readers(wishes) as readers, _Pile(aside) as pile:
            progress(0, found.count)
            for item, picture in readers.read(found.items()):
                pile.add(item, picture)
                if (pile.count + pile.skipped) % 100 == 0:
                    progress(pile.count + pile.skipped, found.count)
            progress(pile.count + pile.skipped, pile.count + pile.skipped)
            kind = found.kind
        known = pile.sorted_out(wishes, seed) | {
            "version": VERSION, "name": name, "title": one_line(title, 80) or plain_title(name),
            "source": one_line(source, 500), "kind": kind, "seed": seed, "wishes": asdict(wishes),
        }  # fmt: skip
        if owner:
            (aside / OWNER).write_text(owner)
        (aside / ABOUT).write_text(json.dumps(known, indent=1))
    return known


def _sweep(root: Path) -> None:
    """Delete what processes left that died a day ago or longer."""
    for path in root.glob(".*.unfinished-*"):
        if time.time() - path.stat().st_mtime > 86_400:
            shutil.rmtree(path, ignore_errors=True)


def _first(items: Iterable[Item], most: int) -> Iterator[Item]:
    for number, item in enumerate(items):
        if number == most:
            return
        yield item


class _Readers:
    """Several processes that decode; what comes out is in the order of what went in."""

    def __init__(self, wishes: Wishes) -> None:
        self.wishes = wishes

    def __enter__(self) -> Self:
        self._idle: SimpleQueue[Reader] = SimpleQueue()
        wishes = self.wishes
        self._all = [Reader(wishes.shape, wishes.invert, wishes.fit, wishes.ground, THUMBNAIL) for _ in range(READERS)]
        for reader in self._all:
            self._idle.put(reader)
        self._pool = ThreadPoolExecutor(READERS)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for reader in self._all:
            reader.__exit__()

    def read(self, items: Iterable[Item], ahead: int = 64) -> Iterator[tuple[Item, Picture | str]]:
        """Yield (item, its picture) or (item, why there is none)."""
        waiting: deque[tuple[list[Item], Future[list[Picture | str]]]] = deque()
        for batch in _batches(items, 8):
            waiting.append((batch, self._pool.submit(self._read_all, batch)))
            if len(waiting) * 8 > ahead:
                yield from self._next(waiting)
        while waiting:
            yield from self._next(waiting)

    def _next(self, waiting: "deque[tuple[list[Item], Future[list[Picture | str]]]]") -> Iterator[Any]:
        batch, future = waiting.popleft()
        for item, picture in zip(batch, future.result(), strict=True):
            yield replace(item, content=b""), picture

    def _read_all(self, batch: list[Item]) -> list[Picture | str]:
        reader = self._idle.get()
        try:
            return [self._read(reader, item) for item in batch]
        finally:
            self._idle.put(reader)

    def _read(self, reader: Reader, item: Item) -> Picture | str:
        if item.problem:
            return item.problem
        pixels = item.content
        if isinstance(pixels, np.ndarray) and pixels.shape == self.wishes.shape:  # nothing to decode, nothing to fit
            return Picture(255 - pixels if self.wishes.invert else pixels, *pixels.shape[:0:-1], border(pixels[None]))
        try:
            return reader.read(as_picture(item))
        except InputRejected as error:
            return str(error)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


class _Pile:
    """What has been read, in the order in which it came, in files; afterward it is sorted into splits.

    In memory there are but a dozen bytes for each image.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.count, self.skipped = folder, 0, 0
        self.digests, self.labels, self.parts, self.ends = array("Q"), array("i"), array("b"), array("Q", [0])
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
        self.digests.append(int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big"))
        label = -1 if item.label is None else self.classes.setdefault(item.label, len(self.classes))
        if len(self.classes) > MOST_CLASSES:
            raise InputRejected(
                f"There are more than {MOST_CLASSES:,} classes; bring the pictures without their folders."
            )
        self.labels.append(label)
        self.parts.append({"train": 0, "test": 1}.get(item.part, -1))
        self.count += 1

    def sorted_out(self, wishes: Wishes, seed: int) -> dict[str, Any]:
        """Write the splits; returns what is known of them. Raises InputRejected for fewer than two different images."""
        if not self.count:
            raise InputRejected(
                "Not one image could be read; skipped files are listed with the reason in a first look."
            )
        digests, parts = np.array(self.digests), np.array(self.parts)
        labels = np.array(self.labels, np.int64)
        first, every = np.unique(digests, return_index=True, return_inverse=True)[1:]
        if len(first) < 2:
            raise InputRejected("All images are equal; bring at least two different ones.")
        names = sorted(self.classes, key=lambda name: (len(name), name) if name.isdecimal() else (99, name))
        numbers = np.array([names.index(name) for name in self.classes] or [0])
        known = len(names) > 1 and (labels >= 0).all()
        held_out = held_out_rows(digests, first, labels if known else np.zeros_like(labels), parts, seed)[every]
        ends = np.array(self.ends)
        shape = wishes.shape
        pixels = np.memmap(self.folder / "pixels", np.uint8, "r", shape=(self.count, *shape))
        for part, rows in (("train", np.flatnonzero(~held_out)), ("test", np.flatnonzero(held_out))):
            folder = self.folder / part
            folder.mkdir()
            images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (len(rows), *shape))
            for start in range(0, len(rows), 4096):
                images[start : start + 4096] = pixels[rows[start : start + 4096]]
            images.flush()
            if known:
                np.save(folder / "labels.npy", numbers[labels[rows]])
            if ends[-1]:
                np.save(folder / "ends.npy", np.cumsum(ends[rows + 1] - ends[rows]))
                self._sort_thumbnails(folder / "originals.bin", ends, rows)
        del pixels
        self._sort_ids(held_out)
        for name in ("pixels", "thumbnails", "ids"):
            (self.folder / name).unlink()
        return {
            "train": int((~held_out).sum()), "test": int(held_out.sum()), "skipped": self.skipped,
            "copies": self.count - len(first), "classes": names if known else None,
        }  # fmt: skip

    def _sort_ids(self, held_out: np.ndarray) -> None:
        """The ids of each split, as words of one length; only where some are equal are all in memory at once."""
        seen, longest = array("Q"), 1
        for id in self._read_ids():
            longest = max(longest, len(id))
            seen.append(int.from_bytes(hashlib.blake2b(id.encode(), digest_size=8).digest(), "big"))
        ids: Iterable[str] = self._read_ids()
        if len(np.unique(np.array(seen))) < len(seen):
            ids = _unique([*ids])
            longest = max(map(len, ids))
        parts = [
            np.lib.format.open_memmap(self.folder / part / "ids.npy", "w+", f"<U{longest}", (int(count),))
            for part, count in (("train", (~held_out).sum()), ("test", held_out.sum()))
        ]
        places = [0, 0]
        for id, side in zip(ids, held_out.tolist(), strict=True):
            parts[side][places[side]] = id
            places[side] += 1

    def _read_ids(self) -> Iterator[str]:
        with (self.folder / "ids").open(encoding="utf-8", newline="\n") as file:
            for line in file:
                yield line.removesuffix("\n")

    def _sort_thumbnails(self, path: Path, ends: np.ndarray, rows: np.ndarray) -> None:
        with (self.folder / "thumbnails").open("rb") as file, path.open("wb") as out:
            for row in rows:
                file.seek(int(ends[row]))
                out.write(file.read(int(ends[row + 1] - ends[row])))


def held_out_rows(
    digests: np.ndarray, first: np.ndarray, labels: np.ndarray, parts: np.ndarray, seed: int
) -> np.ndarray:
    """Which of the distinct images (t,) are held out, (t,) bool; first: their first rows.

    Where parts (n,) of rows are known, 0 or 1, those of part 1 that are not in part 0 too. Else of each class the share
    HELD_OUT, those whose digest, mixed with the seed, is smallest: adding images moves few of them.
    """
    held_out = np.zeros(len(first), bool)
    if (parts == 1).any() and (parts != 1).any():
        _, every = np.unique(digests, return_inverse=True)
        seen = np.zeros(len(first), bool)
        seen[every[parts != 1]] = True
        return ~seen if (~seen).any() else held_out | (np.arange(len(first)) == len(first) - 1)
    mixed = digests[first] ^ np.random.default_rng(seed).integers(2**64, dtype=np.uint64, endpoint=False)
    mixed = mixed * np.uint64(0x9E3779B97F4A7C15)  # odd, so no two become equal
    share = min(HELD_OUT, MOST_HELD_OUT / len(first))
    for label in np.unique(labels[first]):
        rows = np.flatnonzero(labels[first] == label)
        rows = rows[np.argsort(mixed[rows], kind="stable")]
        held_out[rows[: round(share * len(rows))]] = True
    if not held_out.any():
        held_out[np.argmin(mixed)] = True
    return held_out


def _unique(ids: Sequence[str]) -> list[str]:
    """Ids that differ: those that became equal by being cut or cleaned get a number."""
    used = set(ids)
    seen: set[str] = set()
    found = []
    for id in ids:
        name, number = id, 1
        while name in seen or (number > 1 and name in used):
            number += 1
            name = f"{id} ({number})"
        seen.add(name)
        found.append(name)
    return found
