"""Bringing images in: a first look, before anything is kept, and then all of them, decoded by several processes."""

import json
import shutil
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import numpy as np
from filelock import FileLock, Timeout

from aecore.data.datasets import plain_title
from aecore.data.downloads import Progress
from aecore.data.originals import THUMBNAIL
from aecore.data.own import (
    ABOUT,
    OWNER,
    SMALLEST,
    VERSION,
    Wishes,
    about,
    arrays_of,
    free_folder,
    load_own,
)
from aecore.data.pictures import InputRejected, Picture, Reader, border
from aecore.data.pile import Pile
from aecore.data.sources import Bounds, Item, as_picture, opened
from aecore.files import arriving, remove, write_file
from aecore.text import one_line

SIDES = (16, 28, 32, 48, 64)
"""Sides that are suggested, in pixels."""
SHOWN = 16
"""Images that a first look shows."""
LOOKED_AT = 500
"""Images from which a first look judges."""
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
    bounds = bounds or Bounds()
    if wishes is None:
        wishes = look(path, Wishes(), bounds).suggested
    shown, skipped, sides, classes, parts = [], [], [], Counter(), Counter()
    light = colored = pixels = 0
    levels, different = (255, 0), set()
    with opened(path, bounds) as source, _Readers(wishes) as readers:
        first = _first(source.items(), LOOKED_AT)
        for item, picture in readers.read(first):
            if isinstance(picture, str):
                skipped.append((item.id, picture))
                continue
            pixels += picture.width * picture.height
            bounds.check_pixels(pixels)
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
        (aside / "1").mkdir()
        with Pile(aside / "1", wishes.shape) as pile:
            kind = _fill(pile, path, wishes, bounds, progress)
            known = pile.sorted_out(seed)
        known |= {
            "version": VERSION, "revision": 1, "name": name, "title": one_line(title, 80) or plain_title(name),
            "source": one_line(source, 500), "kind": kind, "seed": seed, "wishes": asdict(wishes),
            "folders": [] if owner else _folder(path),
        }  # fmt: skip
        if owner:
            (aside / OWNER).write_text(owner)
        (aside / ABOUT).write_text(json.dumps(known, indent=1))
    return known


def extend(
    name: str, path: Path, bounds: Bounds | None = None, progress: Progress = lambda done, of: None
) -> dict[str, Any]:
    """Add what a path holds to a set, as the set's wishes make of it; returns what `about` says of it then.

    Rows and ids stay, the new images follow. One that the set has under the same id is not added again. A copy of one
    that it has goes to its side; of the others, those that the source holds out, or else a sixth by the set's seed.
    Raises InputRejected, and Unavailable for a set that is not here.
    """
    folder = arrays_of(name).parent
    try:
        with FileLock(folder / ".extending", timeout=0):
            known, before, old = about(name), load_own(name), arrays_of(name)  # as they are once nobody else adds
            wishes, number = Wishes(**known["wishes"]), known["revision"] + 1
            new = folder / str(number)
            remove(new)  # of a process that died here
            with arriving(new) as aside, Pile(aside, wishes.shape, before, old) as pile:
                _fill(pile, path, wishes, bounds, progress)
                known |= pile.sorted_out(known["seed"]) | {"revision": number}
                if not (folder / OWNER).exists():
                    known["folders"] = [*known.get("folders", []), *_folder(path)]
            write_file(folder / ABOUT, json.dumps(known, indent=1).encode())
    except Timeout as error:
        raise InputRejected("Other images are being added to this set; try again in a minute.") from error
    except FileNotFoundError as error:
        if (folder / ABOUT).exists():
            raise
        raise InputRejected("The set was deleted meanwhile; bring these images in as a new one.") from error
    remove(old)
    return known


def _fill(pile: Pile, path: Path, wishes: Wishes, bounds: Bounds | None, progress: Progress) -> str:
    """Add all that a path holds to a pile; returns its kind."""
    bounds = bounds or Bounds()
    with opened(path, bounds) as found, _Readers(wishes) as readers:
        progress(0, found.count)
        pixels = 0
        for item, picture in readers.read(found.items()):
            if isinstance(picture, Picture):
                pixels += picture.width * picture.height
                bounds.check_pixels(pixels)
            pile.add(item, picture)
            if (pile.count + pile.skipped) % 100 == 0:
                progress(pile.count + pile.skipped, found.count)
        progress(pile.count + pile.skipped, pile.count + pile.skipped)
        return found.kind


def _folder(path: Path) -> list[str]:
    """Where the originals are: a folder that the owner of this machine named."""
    return [str(path.resolve())] if path.is_dir() else []


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
