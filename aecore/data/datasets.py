"""Image sets: two generated or bundled, one downloaded. Images are uint8 (n, channels, height, width)."""

import gzip
import math
import os
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Split:
    """Images with what is known about them; arrays are read-only.

    images (n, c, h, w) uint8; labels (n,) int64 or None; ids (n,) str, unique and stable; factors: name ->
    (n,) float32, the true causes of an image where they are known.
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    ids: np.ndarray = None
    factors: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.ids is None:
            object.__setattr__(self, "ids", np.arange(len(self.images)).astype(str))
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise ValueError(f"images are {self.images.dtype} {self.images.shape}; they must be uint8 (n, c, h, w)")
        for array in (self.images, self.labels, self.ids, *self.factors.values()):
            if array is None:
                continue
            if len(array) != len(self.images):
                raise ValueError(f"{len(self.images)} images came with {len(array)} labels, ids or factors")
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split under one name. `source` tells license and citation."""

    name: str
    title: str
    train: Split
    test: Split
    classes: tuple[str, ...] | None = None
    source: str = ""

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


class Unavailable(RuntimeError):
    """The images of a dataset are neither here nor to be had; the message tells the ways out."""


Progress = Callable[[int, int], Any]
"""Called with what is done and what there is in all."""

DATASETS: dict[str, Callable[..., Dataset]] = {}


def dataset(loader: Callable[..., Dataset]) -> Callable[..., Dataset]:
    """Register a loader under its name; its docstring's first line is the caption."""
    DATASETS[loader.__name__] = loader
    return loader


def load_dataset(name: str, **options: Any) -> Dataset:
    """The dataset of this name; options go to its loader.

    Raises ValueError for an unknown name, Unavailable when its files cannot be had.
    """
    if name not in DATASETS:
        raise ValueError(f"dataset is {name!r}; choose one of {', '.join(DATASETS)}")
    return DATASETS[name](**options)


@dataset
def blocks(count: int = 80_000, seed: int = 0) -> Dataset:
    """Centered white blocks on black: two numbers, height and width, explain every picture.

    28x28 images of rectangles with whole sides from 1 to 28. One in eight of the 784 (height, width) pairs is held
    out: the test split has each of those once, and none of them is among the `count` training images.
    """
    side = 28
    rng = np.random.default_rng(seed)
    pairs = np.stack(np.meshgrid(np.arange(1, side + 1), np.arange(1, side + 1), indexing="ij"), -1).reshape(-1, 2)
    rows = np.arange(side)

    def inside(lengths: np.ndarray) -> np.ndarray:
        start = (side - lengths[:, None]) // 2
        return (rows >= start) & (rows < start + lengths[:, None])

    pictures = (inside(pairs[:, 0])[:, None, :, None] & inside(pairs[:, 1])[:, None, None, :]) * np.uint8(255)
    shuffled = rng.permutation(len(pairs))
    held_out, seen = shuffled[: len(pairs) // 8], np.sort(shuffled[len(pairs) // 8 :])

    def split(chosen: np.ndarray, ids: list[str]) -> Split:
        height, width = pairs[chosen].T.astype(np.float32)
        return Split(pictures[chosen], None, np.array(ids), {"height": height, "width": width})

    drawn = seen[rng.integers(len(seen), size=count)]
    train_ids = [f"{row}-{height}x{width}" for row, (height, width) in enumerate(pairs[drawn])]
    test_ids = [f"{height}x{width}" for height, width in pairs[held_out]]
    source = "Generated; no rights reserved."
    return Dataset("blocks", "Blocks", split(drawn, train_ids), split(held_out, test_ids), source=source)


@dataset
def digits() -> Dataset:
    """Handwritten digits, 8x8 pixels: small enough to train in seconds, and always here.

    The 1,797 images that scikit-learn brings along, shuffled once; every fifth is for testing.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    order = np.random.default_rng(0).permutation(len(images))

    def split(rows: np.ndarray) -> Split:
        return Split(images[rows], bunch.target[rows].astype(np.int64), rows.astype(str))

    source = "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), CC BY 4.0."
    classes = tuple(str(digit) for digit in range(10))
    return Dataset("digits", "Digits", split(np.delete(order, np.s_[::5])), split(order[::5]), classes, source)


@dataset
def fashion_mnist() -> Dataset:
    """Clothes in 28x28 grey pixels: 60,000 to train on, 10,000 to test.

    Read from the folder named by AECORE_FASHION_MNIST (the four IDX files, gzip or plain), else downloaded once
    (30 MB). Raises Unavailable when there is neither folder nor network.
    """
    folder = os.environ.get("AECORE_FASHION_MNIST")
    paths = _from_folder(Path(folder)) if folder else _download()
    arrays = {name: _read_idx(path, FASHION_FILES[name].shape) for name, path in paths.items()}
    splits = [
        Split(arrays[f"{part}-images-idx3-ubyte"][:, None], arrays[f"{part}-labels-idx1-ubyte"].astype(np.int64))
        for part in ("train", "t10k")
    ]
    classes = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    source = "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST (2017), arXiv:1708.07747, MIT license."
    return Dataset("fashion_mnist", "Fashion-MNIST", *splits, classes, source)


@dataclass(frozen=True)
class _IdxFile:
    bytes: int
    sha256: str
    shape: tuple[int, ...]


FASHION_FILES = {
    "train-images-idx3-ubyte": _IdxFile(
        26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", (60_000, 28, 28)
    ),
    "train-labels-idx1-ubyte": _IdxFile(
        29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", (60_000,)
    ),
    "t10k-images-idx3-ubyte": _IdxFile(
        4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", (10_000, 28, 28)
    ),
    "t10k-labels-idx1-ubyte": _IdxFile(
        5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", (10_000,)
    ),
}
FASHION_MIRRORS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)


def is_here(name: str) -> bool:
    """Whether a dataset loads without a download."""
    if name != "fashion_mnist" or os.environ.get("AECORE_FASHION_MNIST"):
        return True
    return all((cache_folder() / f"{file}.gz").is_file() for file in FASHION_FILES)


def fetch(name: str, progress: Progress | None = None) -> None:
    """Download what a dataset lacks, if it is one that is downloaded; progress gets the bytes so far and in all.

    Raises Unavailable when no mirror gives the exact files.
    """
    if not is_here(name):
        _download(progress)


def cache_folder() -> Path:
    """Where downloads are kept: AECORE_CACHE, or the system's folder for caches."""
    import pooch

    return Path(os.environ.get("AECORE_CACHE") or pooch.os_cache("aecore"))


def _from_folder(folder: Path) -> dict[str, Path]:
    paths = {}
    for name in FASHION_FILES:
        found = [path for path in (folder / f"{name}.gz", folder / name) if path.is_file()]
        if not found:
            raise Unavailable(
                f"AECORE_FASHION_MNIST names {str(folder)!r}, which has no {name}.gz: put the four files there, or "
                "unset the variable to download them"
            )
        paths[name] = found[0]
    return paths


def _read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """An IDX file of unsigned bytes, gzip or plain, whose header and length must say exactly this shape."""
    header = bytes([0, 0, 8, len(shape)]) + b"".join(side.to_bytes(4, "big") for side in shape)
    expected = len(header) + math.prod(shape)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Unavailable(f"{path.name} is unreadable ({error}); replace it by the published file") from error
    if len(content) != expected or not content.startswith(header):
        raise Unavailable(f"{path.name} is not an IDX file of shape {shape}; replace it by the published file")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def _download(progress: Progress | None = None) -> dict[str, Path]:
    """The four files from the cache folder, each fetched from the first mirror that has its exact bytes."""
    import pooch

    folder = cache_folder()
    pooch.get_logger().setLevel("WARNING")
    total, before = sum(file.bytes for file in FASHION_FILES.values()), 0
    for name, file in FASHION_FILES.items():
        problems = []
        for mirror in FASHION_MIRRORS:
            fetch = _Download(file.bytes, lambda done, start=before: progress and progress(start + done, total))
            try:
                pooch.retrieve(f"{mirror}{name}.gz", f"sha256:{file.sha256}", f"{name}.gz", folder, downloader=fetch)
                break
            except Exception as error:  # whatever a mirror does wrong, the next one is tried
                problems.append(f"{mirror.split('/')[2]}: {type(error).__name__}")
        else:
            raise Unavailable(
                "Fashion-MNIST is not here and could not be downloaded. Connect to the internet and try again, or put "
                "its four .gz files into a folder and set AECORE_FASHION_MNIST to it. "
                f"(Tried {'; '.join(problems)}.)"
            )
        before += file.bytes
    return {name: folder / f"{name}.gz" for name in FASHION_FILES}


class _Download:
    """A pooch downloader with limits: an answer within 4 s, no silence over 20 s, 120 s in all, not a byte too many."""

    def __init__(self, size: int, progress: Callable[[int], Any], answer: float = 4, total: float = 120) -> None:
        self.size, self.progress, self.answer, self.total = size, progress, answer, total

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        import requests

        deadline = time.monotonic() + self.total
        reply: list[requests.Response | Exception] = []

        def ask() -> None:
            try:
                plain = {"Accept-Encoding": "identity"}
                reply.append(requests.get(url, stream=True, timeout=(self.answer, 20), headers=plain))
            except Exception as error:
                reply.append(error)

        # Name look-up and several addresses each have waits of their own: only a thread can be left behind in time.
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(self.answer)
        if not reply:
            raise TimeoutError(f"no answer within {self.answer:g} s")
        if isinstance(reply[0], Exception):
            raise reply[0]
        done = 0
        with reply[0] as response, Path(output_file).open("wb") as file:
            response.raise_for_status()
            while chunk := response.raw.read1(2**16):  # what is there, so that a trickle meets the deadline
                done += len(chunk)
                if done > self.size or time.monotonic() > deadline:
                    raise OSError(f"{url} is too large or too slow")
                file.write(chunk)
                self.progress(done)
