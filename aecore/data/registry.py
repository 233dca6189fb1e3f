"""All datasets by name: those that are registered in code, and the sets of one's own."""

from dataclasses import replace
from typing import Any

from aecore.data import own
from aecore.data.datasets import DATASETS, Dataset, Entry, plain_title
from aecore.data.downloads import Progress, Unavailable
from aecore.data.shared import shared


def dataset_title(name: str) -> str:
    """What people call a dataset; one that is not known here is called by its name."""
    if name in DATASETS:
        return DATASETS[name].title
    try:
        return own.about(name)["title"]
    except Unavailable:
        return plain_title(name)


def load_dataset(name: str, **options: Any) -> Dataset:
    """The dataset of this name; options go to its loader.

    Raises ValueError for an unknown name, Unavailable when its files are missing and cannot be downloaded.
    """
    if name in own.own_names():
        return own.load_own(name)
    entry = _entry(name)
    files = [] if entry.download is None else [entry.download.paths(name)]
    found = entry.load(*files, **options)
    train, test = (replace(split, images=shared(split.images)) for split in (found.train, found.test))
    if not options:
        _SHAPES[name] = found.shape
    return replace(found, train=train, test=test, title=entry.title)


_SHAPES: dict[str, tuple[int, int, int]] = {}
"""Of sets that never change, once they were read: to read one again takes its images into memory twice."""


def shape_of(name: str) -> tuple[int, int, int]:
    """Channels, height and width of a set's images. Raises as `load_dataset` does."""
    return _SHAPES.get(name) or load_dataset(name).shape


def is_here(name: str) -> bool:
    """Whether a dataset loads without a download; false for a set of one's own that is not here any more."""
    if name not in DATASETS:
        return name in own.own_names()
    download = DATASETS[name].download
    return download is None or download.is_here(name)


def revision(name: str) -> int:
    """How often a set has changed: 1, or more for one of one's own to which images were added."""
    try:
        return 1 if name in DATASETS else own.revision(name)
    except Unavailable:
        return 1


def fetch(name: str, progress: Progress | None = None) -> None:
    """Download the files that a dataset still needs, if any; progress gets the bytes so far and the total.

    Raises ValueError for an unknown name, Unavailable when no mirror provides the exact files.
    """
    download = None if name in own.own_names() else _entry(name).download
    if download is not None and not download.is_here(name):
        download.paths(name, progress)


def _entry(name: str) -> Entry:
    if name not in DATASETS:
        raise ValueError(f"dataset is {name!r}; choose one of {', '.join([*DATASETS, *own.own_names()])}")
    return DATASETS[name]
