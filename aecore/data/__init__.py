"""Where images come from: the registry of datasets, what a dataset is made of, and sets of one's own."""

from aecore.data import generated, published  # noqa: F401 (importing them registers their sets)
from aecore.data.datasets import DATASETS, Dataset, Entry, Split, dataset, distinct
from aecore.data.downloads import Download, Progress, RemoteFile, Unavailable
from aecore.data.own import own_names
from aecore.data.registry import dataset_title, fetch, is_here, load_dataset, revision, shape_of

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
    "own_names",
    "revision",
    "shape_of",
]
