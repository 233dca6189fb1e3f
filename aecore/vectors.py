"""Rows of numbers: their lengths, their distances, and the axes along which they vary."""

import numpy as np


def normalized(rows: np.ndarray) -> np.ndarray:
    """rows (n, d) as float32, each of length 1; a row of zeros stays zeros."""
    rows = np.asarray(rows, np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def squared_distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """rows (n, d) and others (m, d) -> (n, m), in their precision; rounding may make a zero slightly negative."""
    return np.square(rows).sum(axis=1)[:, None] + np.square(others).sum(axis=1) - 2 * rows @ others.T


def principal(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (d,), variances (d,) and principal axes (d, d) of rows (n, d), the strongest first, in double precision.

    Works in blocks, so that uint8 rows need no float copy of all of them.
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((rows.shape[1], rows.shape[1]))
    for start in range(0, len(rows), 8192):
        centered = rows[start : start + 8192] - mean
        covariance += centered.T @ centered / len(rows)
    variances, axes = np.linalg.eigh(covariance)
    return mean, np.maximum(variances[::-1], 0), axes[:, ::-1]
