"""Tags that visitors give to images, saved for each dataset in home/tags/<dataset>.json, by image id."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from aecore.files import home, write_file

Tags = dict[str, dict[str, list[str]]]
"""tag -> split -> ids, sorted."""


def tags(dataset: str) -> Tags:
    """The tags of a dataset's images; empty if there are none or the file is unreadable."""
    try:
        known = json.loads(_path(dataset).read_bytes())
        return {
            str(label): {str(split): [str(id) for id in ids] for split, ids in splits.items()}
            for label, splits in known.items()
        }
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}


def tag(dataset: str, label: str, split: str, ids: Iterable[str]) -> Tags:
    """Tag images; returns all tags. Raises ValueError for a tag that is empty or longer than 40 characters."""
    label = " ".join(label.split())
    if not 0 < len(label) <= 40:
        raise ValueError(f"a tag has 1 to 40 characters; this one has {len(label)}")
    known = tags(dataset)
    splits = known.setdefault(label, {})
    splits[split] = sorted({*splits.get(split, []), *map(str, ids)})
    return _kept(dataset, known)


def untag(dataset: str, label: str) -> Tags:
    """Remove a tag from all images; returns the other tags."""
    known = tags(dataset)
    known.pop(label, None)
    return _kept(dataset, known)


def _kept(dataset: str, known: Tags) -> Tags:
    path = _path(dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(known, indent=1).encode())
    return known


def _path(dataset: str) -> Path:
    if not re.fullmatch(r"[a-z0-9_]{1,64}", dataset):
        raise ValueError(f"dataset is {dataset!r}; use 1 to 64 lowercase letters, digits and underscores")
    return home() / "tags" / f"{dataset}.json"
