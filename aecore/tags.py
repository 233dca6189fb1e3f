"""Labels that a visitor gives to images, kept with the dataset: home/tags/<dataset>.json, by ids."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from aecore.files import home, write_file

Tags = dict[str, dict[str, list[str]]]
"""label -> split -> ids, sorted."""


def tags(dataset: str) -> Tags:
    """The labels given to images of a dataset; empty where nothing was given or the file is unreadable."""
    try:
        known = json.loads(_path(dataset).read_bytes())
        return {
            str(label): {str(split): [str(id) for id in ids] for split, ids in splits.items()}
            for label, splits in known.items()
        }
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}


def tag(dataset: str, label: str, split: str, ids: Iterable[str]) -> Tags:
    """Give a label to images; returns all labels. Raises ValueError for a label of nothing or over 40 letters."""
    label = " ".join(label.split())
    if not 0 < len(label) <= 40:
        raise ValueError(f"a label has 1 to 40 letters; this one has {len(label)}")
    known = tags(dataset)
    splits = known.setdefault(label, {})
    splits[split] = sorted({*splits.get(split, []), *map(str, ids)})
    return _kept(dataset, known)


def untag(dataset: str, label: str) -> Tags:
    """Take a label from all images; returns the other labels."""
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
        raise ValueError(f"dataset is {dataset!r}; a name has lower-case letters, digits and underscores")
    return home() / "tags" / f"{dataset}.json"
