"""Nearest codes."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

METRICS = ("cosine", "euclidean")


class Index:
    """Exact nearest neighbors among codes (n, latent), by cosine distance unless told otherwise.

    >>> import numpy as np
    >>> Index(np.eye(3)).nearest(np.array([1.0, 0.1, 0.0]), k=2)[1]
    array([0, 1])
    """

    def __init__(self, codes: np.ndarray, metric: str = "cosine") -> None:
        if metric not in METRICS:
            raise ValueError(f"metric is {metric!r}; choose one of {', '.join(METRICS)}")
        if len(codes) == 0:
            raise ValueError("there are no codes to search in; give at least one")
        self.size, self.metric = len(codes), metric
        self._neighbors = NearestNeighbors(metric=metric, algorithm="brute").fit(codes)

    def __repr__(self) -> str:
        return f"<Index of {self.size:,} codes by {self.metric} distance>"

    def nearest(self, code: np.ndarray, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
        """code (latent,) or codes (m, latent) -> (distances, rows), each (k,) or (m, k), nearest first.

        Cosine distance is 1 - cosine similarity, 0 to 2. Fewer than k codes give as many as there are.
        """
        code = np.asarray(code)
        distances, rows = self._neighbors.kneighbors(np.atleast_2d(code), min(k, self.size))
        order = np.lexsort((rows, distances))
        distances, rows = np.take_along_axis(distances, order, 1), np.take_along_axis(rows, order, 1)
        return (distances[0], rows[0]) if code.ndim == 1 else (distances, rows)


def nearest_images(images: np.ndarray, image: np.ndarray, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """The k images (n, c, h, w) uint8 nearest to one (c, h, w) by cosine of their raw pixels -> (distances, rows).

    The baseline for codes; works in blocks, since a float copy of all images would cost four times their memory.
    """
    query = image.reshape(-1).astype(np.float32)
    query /= max(float(np.linalg.norm(query)), 1e-12)
    distances = np.empty(len(images), np.float32)
    for start in range(0, len(images), 4096):
        block = images[start : start + 4096].reshape(-1, query.size).astype(np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
        distances[start : start + 4096] = 1 - block @ query / np.maximum(lengths, 1e-12)
    rows = np.argsort(distances, kind="stable")[:k]
    return distances[rows], rows
