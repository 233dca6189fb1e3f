"""Sets of one's own: brought in from outside, looked at before anything is kept, kept as plain files in AECORE_HOME.

A set is a folder `datasets/NAME` with `set.json`, which says the current revision, and a folder of that number with one
for each split: images, labels and ids as arrays that are mapped, not read, so memory does not grow with their count,
and small JPEG files of the originals, one after the other. It appears whole or not at all; one that is extended gets a
new revision beside the old one, and then set.json changes.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aecore.data.datasets import DATASETS, Dataset, Split
from aecore.data.downloads import Unavailable
from aecore.data.pictures import InputRejected
from aecore.files import home, remove, saving

NAME = re.compile("[a-z0-9_]{1,40}")
"""What a set may be called in addresses and commands."""
VERSION = 1
ABOUT, SKIPPED, OWNER = "set.json", "skipped.csv", "owner"
_USED = ".used"
"""The names of the sets that are deleted."""
SMALLEST, LARGEST = 8, 128
"""Pixels of a side."""


@dataclass(frozen=True)
class Wishes:
    """How pictures from outside become images: their side in pixels, 1 or 3 channels, and how they are made to fit."""

    side: int = 32
    channels: int = 1
    fit: str = "pad"
    ground: str = "white"
    invert: bool = False

    def __post_init__(self) -> None:
        if not SMALLEST <= self.side <= LARGEST:
            raise InputRejected(f"The side is {self.side}; choose {SMALLEST} to {LARGEST} pixels.")
        if self.channels not in (1, 3):
            raise InputRejected(f"{self.channels} channels; choose 1 for gray or 3 for color.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.channels, self.side, self.side


def own_names(owner: str | None = None) -> list[str]:
    """Names of the sets in AECORE_HOME, the newest first; with an owner, those of this visitor alone."""
    folders = [path for path in _folders() if (path / ABOUT).is_file() and owner in (None, _owner(path))]
    return [path.name for path in sorted(folders, key=lambda path: -path.stat().st_mtime)]


def about(name: str) -> dict[str, Any]:
    """What is known of a set: title, source, kind, shape, classes, counts, wishes. Raises Unavailable."""
    try:
        known = json.loads((_folder(name) / ABOUT).read_bytes())
        if known["version"] != VERSION:
            raise ValueError(f"its version is {known['version']}")
        Wishes(**known["wishes"])
        return known | {"revision": int(known["revision"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"the images of {name!r} are not here: that set was deleted, or is damaged") from error


def revision(name: str) -> int:
    """How often a set has changed, itself included: 1, or more where images were added. Raises Unavailable."""
    return about(name)["revision"]


def arrays_of(name: str) -> Path:
    """The folder with the arrays of a set as it is now. Raises Unavailable."""
    return _folder(name) / str(revision(name))


def owner_of(name: str) -> str:
    """The fingerprint of the visitor who brought a set; empty for the owner of this machine. Raises Unavailable."""
    return _owner(_folder(name))


def _owner(folder: Path) -> str:
    try:
        return (folder / OWNER).read_text()
    except OSError:
        return ""


def load_own(name: str) -> Dataset:
    """A set of one's own, its arrays mapped. Raises Unavailable when it is not there, or damaged."""
    known, folder = about(name), arrays_of(name)

    def split(part: str) -> Split:
        arrays = {
            kind: np.load(folder / part / f"{kind}.npy", mmap_mode="r", allow_pickle=False)
            for kind in ("images", "labels", "ids")
            if (folder / part / f"{kind}.npy").exists()
        }
        return Split(arrays["images"], arrays.get("labels"), arrays["ids"])

    try:
        classes = tuple(map(str, known["classes"])) if known["classes"] else None
        found = Dataset(name, split("train"), split("test"), classes, known["source"], known["title"])
        if found.shape != Wishes(**known["wishes"]).shape or found.test.images.shape[1:] != found.shape:
            raise ValueError("its images have another shape")
        return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"the images of {name!r} are damaged ({str(error)[:100]}); bring them again") from error


def skipped(name: str) -> bytes:
    """A table of the files that were skipped, and why, as CSV."""
    return (arrays_of(name) / SKIPPED).read_bytes()


@saving()
def delete_own(name: str) -> None:
    """Delete a set; runs that were trained on it stay, but cannot show its images any more.

    Nothing else is ever called by its name: to these runs, and to what was cached, other images would be the same ones.
    """
    folder = _folder(name)
    with (_root() / _USED).open("a") as file:
        file.write(f"{name}\n")
    remove(folder)


def _used() -> set[str]:
    try:
        return set((_root() / _USED).read_text().split())
    except OSError:
        return set()


def _root() -> Path:
    return home() / "datasets"


def _folders() -> list[Path]:
    return [*_root().glob("[!.]*")]


def _folder(name: str) -> Path:
    """The folder of a set; names are looked up, never joined into a path. Raises Unavailable."""
    for path in _folders():
        if path.name == name:
            return path
    raise Unavailable(f"there is no set {name[:80]!r}; `python -m aecore sets` lists all")


def free_folder(name: str) -> Path:
    """The folder for a new set of this name. Raises InputRejected for a name that is not allowed, or taken."""
    if problem := name_problem(name):
        raise InputRejected(problem)
    return _root() / name


def name_problem(name: str) -> str:
    """Why a new set cannot be called so, in a sentence; empty if it can."""
    if not NAME.fullmatch(name):
        return f"The name is {name[:60]!r}; use 1 to 40 lowercase letters, digits and underscores."
    if name in DATASETS or name in own_names():
        return f"There is a set named {name} already; choose another name."
    if name in _used():
        return f"A set that is deleted was named {name}, and runs may know it; choose another name."
    return ""
