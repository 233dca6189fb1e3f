"""Where images come from: the registry of datasets, and what a dataset is made of."""

from aecore.data import generated, published  # noqa: F401 (importing them registers their sets)
from aecore.data.datasets import (
    DATASETS,
    Dataset,
    Entry,
    Split,
    dataset,
    dataset_title,
    distinct,
    fetch,
    is_here,
    load_dataset,
)
from aecore.data.downloads import Download, Progress, RemoteFile, Unavailable

__all__ = [
    "DATASETS",
    "Dataset",
    "Download",
    "Entry",
    "Progress",
    "RemoteFile",
    "Split",
    "Unavailable",
    "dataset",
    "dataset_title",
    "distinct",
    "fetch",
    "is_here",
    "load_dataset",
]
