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
