"""What a dataset is, and the registry of all datasets. Images are uint8 (n, channels, height, width)."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from aecore.data.downloads import Download


@dataclass(frozen=True, eq=False)
class Split:
    """Images and what is known about them; arrays are read-only.

    images (n, c, h, w) uint8; labels (n,) int64 or None; ids (n,) str, unique and stable; factors: name ->
    (n,) float32, the true factors of each image where they are known.
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    ids: np.ndarray = None
    factors: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.ids is None:
            digits = len(str(len(self.images)))  # without it, each id takes room for 21
            object.__setattr__(self, "ids", np.arange(len(self.images)).astype(f"U{digits}"))
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise ValueError(f"images are {self.images.dtype} {self.images.shape}; they must be uint8 (n, c, h, w)")
        for array in (self.images, self.labels, self.ids, *self.factors.values()):
            if array is None:
                continue
            if len(array) != len(self.images):
                raise ValueError(f"{len(self.images)} images, but {len(array)} labels, ids or factors; give one each")
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.images)


def distinct(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First rows (t,) of the distinct images among (n, c, h, w), and for every row (n,) its image's number of these."""
    digests = b"".join(hashlib.blake2b(np.ascontiguousarray(image), digest_size=16).digest() for image in images)
    _, first, every = np.unique(np.frombuffer(digests, "V16"), return_index=True, return_inverse=True)
    order = np.argsort(first)  # from the order of digests to that of the rows
    numbers = np.empty(len(order), np.uint32)
    numbers[order] = np.arange(len(order))
    return first[order], numbers[every]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split under one name. `source` states license and citation; `title` is for people."""

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...] | None = None
    source: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        if not self.title:
            object.__setattr__(self, "title", plain_title(self.name))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        return tuple(self.train.images.shape[1:])

    def split(self, name: str) -> Split:
        """The split of this name, "train" or "test". Raises ValueError for any other."""
        splits = {"train": self.train, "test": self.test}
        if name not in splits:
            raise ValueError(f"split is {name!r}; choose one of {', '.join(splits)}")
        return splits[name]

    def __repr__(self) -> str:
        size = "x".join(map(str, self.shape))
        return f"<{self.name}: {len(self.train):,} training and {len(self.test):,} test images of {size}>"


@dataclass(frozen=True)
class Entry:
    """How to get a dataset: its title, its loader and, if that reads files, the download that provides them."""

    title: str
    load: Callable[..., Dataset]
    download: Download | None = None


DATASETS: dict[str, Entry] = {}


def dataset(title: str, download: Download | None = None) -> Callable[[Callable[..., Dataset]], Callable[..., Dataset]]:
    """Register the decorated loader under its name; one with a download gets a mapping of file name to path."""

    def register(load: Callable[..., Dataset]) -> Callable[..., Dataset]:
        DATASETS[load.__name__] = Entry(title, load, download)
        return load

    return register


def plain_title(name: str) -> str:
    """What people call a dataset of which no more than its name is known."""
    return name.replace("_", " ").capitalize()
