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


def principal_of_few(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of fewer rows (n, d) than they have numbers, n - 1 axes at most: from their products with one another.

    The axes are float32. Works in blocks of columns; no matrix is d x d. Turk and Pentland 1991,
    https://doi.org/10.1162/jocn.1991.3.1.71
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    products = np.zeros((len(rows), len(rows)))
    for start in range(0, rows.shape[1], 1024):
        centered = rows[:, start : start + 1024] - mean[start : start + 1024]
        products += centered @ centered.T
    squares, mixed = np.linalg.eigh(products)
    squares, mixed = squares[::-1][: len(rows) - 1], mixed[:, ::-1][:, : len(rows) - 1]
    there = squares > squares[:1] * 1e-10  # the others have no direction
    squares, mixed = squares[there], mixed[:, there]
    axes = np.empty((rows.shape[1], len(squares)), np.float32)
    for start in range(0, rows.shape[1], 1024):
        centered = rows[:, start : start + 1024] - mean[start : start + 1024]
        axes[start : start + 1024] = centered.T @ mixed / np.sqrt(squares)
    return mean, squares / len(rows), axes
