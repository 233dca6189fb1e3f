"""Published datasets: each download is a value beside the function that reads its files."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from aecore.data.datasets import Dataset, Split, dataset
from aecore.data.downloads import Download, RemoteFile
from aecore.data.idx import read_idx
from aecore.data.shared import unpacked


@dataset("Digits")
def digits() -> Dataset:
    """Handwritten digits, 8x8 pixels: training takes seconds, and nothing is downloaded.

    The 1,797 images that come with scikit-learn, shuffled once; every fifth is a test image.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    order = np.random.default_rng(0).permutation(len(images))

    def split(rows: np.ndarray) -> Split:
        return Split(images[rows], bunch.target[rows].astype(np.int64), rows.astype(str))

    source = "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), CC BY 4.0."
    classes = tuple(str(digit) for digit in range(10))
    return Dataset("digits", split(np.delete(order, np.s_[::5])), split(order[::5]), classes, source)


CLOTHES = {"train": 60_000, "t10k": 10_000}
"""Number of images in each part of Fashion-MNIST."""


@dataset(
    "Clothes",
    Download(
        folder_variable="AECORE_FASHION_MNIST",
        files=(
            RemoteFile(
                "train-images-idx3-ubyte.gz",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            RemoteFile(
                "train-labels-idx1-ubyte.gz",
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            RemoteFile(
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            RemoteFile(
                "t10k-labels-idx1-ubyte.gz",
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
        mirrors=(
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
    ),
)
def fashion_mnist(files: Mapping[str, Path]) -> Dataset:
    """Clothes, 28x28 gray pixels: 60,000 training and 10,000 test images.

    Raises Unavailable if a file differs from the published one.
    """

    def split(part: str) -> Split:
        images = unpacked(files[f"{part}-images-idx3-ubyte.gz"], (CLOTHES[part], 28, 28))
        labels = read_idx(files[f"{part}-labels-idx1-ubyte.gz"], (CLOTHES[part],))
        return Split(images[:, None], labels.astype(np.int64))

    classes = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    source = "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST (2017), arXiv:1708.07747, MIT license."
    return Dataset("fashion_mnist", split("train"), split("t10k"), classes, source)
