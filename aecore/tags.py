"""Tags that people give to images, by image id: in home/tags/<dataset>.json, a visitor's in a folder of their own."""

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from aecore.files import home, saving, write_file

Tags = dict[str, dict[str, list[str]]]
"""tag -> split -> ids, sorted."""

MOST, MOST_IMAGES = 24, 100_000
"""Tags on the images of a dataset, and images that have one, counted once for each tag."""


def tags(dataset: str, whose: str = "") -> Tags:
    """The tags of a dataset's images; empty if there are none or the file is unreadable.

    whose: empty for the owner of this machine, else letters and digits that stand for a visitor.
    """
    path = _path(dataset, whose)
    try:
        about = path.stat()
        return {tag: dict(splits) for tag, splits in _read(path, about.st_mtime_ns, about.st_size).items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}


def tag(dataset: str, label: str, split: str, ids: Iterable[str], whose: str = "") -> Tags:
    """Tag images; returns all tags. Raises ValueError for a tag that is empty or too long, and for too many."""
    label = " ".join(label.split())
    if not 0 < len(label) <= 40:
        raise ValueError(f"a tag has 1 to 40 characters; this one has {len(label)}")
    known = tags(dataset, whose)
    splits = known.setdefault(label, {})
    splits[split] = sorted({*splits.get(split, []), *map(str, ids)})
    count = sum(len(found) for splits in known.values() for found in splits.values())
    if len(known) > MOST or count > MOST_IMAGES:
        raise ValueError(
            f"that would make {len(known)} tags on {count:,} images; keep to {MOST} tags on {MOST_IMAGES:,} images: "
            "remove a tag first"
        )
    return _kept(dataset, known, whose)


def untag(dataset: str, label: str, whose: str = "") -> Tags:
    """Remove a tag from all images; returns the other tags."""
    known = tags(dataset, whose)
    known.pop(label, None)
    return _kept(dataset, known, whose)


@saving()
def _kept(dataset: str, known: Tags, whose: str) -> Tags:
    path = _path(dataset, whose)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(known, indent=1).encode())
    return known


@lru_cache(8)
def _read(path: Path, changed: int, size: int) -> Tags:
    return {
        str(label): {str(split): [str(id) for id in ids] for split, ids in splits.items()}
        for label, splits in json.loads(path.read_bytes()).items()
    }


def _path(dataset: str, whose: str) -> Path:
    if not re.fullmatch(r"[a-z0-9_]{1,64}", dataset):
        raise ValueError(f"dataset is {dataset!r}; use 1 to 64 lowercase letters, digits and underscores")
    if not re.fullmatch(r"[a-z0-9]{0,64}", whose):
        raise ValueError(f"whose is {whose!r}; use up to 64 lowercase letters and digits")
    return home() / "tags" / whose / f"{dataset}.json"
