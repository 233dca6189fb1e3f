"""The plane of codes: projections, lattices, and pictures at their places. Arrays in, arrays out."""

import numpy as np
from scipy.stats import norm


def plane(codes: np.ndarray) -> np.ndarray:
    """codes (n, latent) -> (n, 2): the codes themselves when latent is 2, else their two principal components."""
    codes = np.asarray(codes, np.float32)
    if codes.shape[1] == 2:
        return codes
    centered = codes - codes.mean(axis=0)
    if codes.shape[1] == 1:
        return np.concatenate([centered, np.zeros_like(centered)], axis=1)
    _, vectors = np.linalg.eigh(centered.T @ centered)
    axes = vectors[:, :-3:-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])  # eigenvectors have no sign of their own
    return centered @ axes


def bounds(points: np.ndarray, margin: float = 0.03) -> tuple[float, float, float, float]:
    """(left, right, bottom, top) of a square around points (n, 2), a little larger than they need."""
    low, high = points.min(axis=0), points.max(axis=0)
    half = max(float((high - low).max()), 1e-6) * (0.5 + margin)
    x, y = ((low + high) / 2).tolist()
    return x - half, x + half, y - half, y + half


def tile(points: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Which images to draw so that none covers another: points (n, 2) -> (rows (m,), cells (m, 2)).

    The square around the points is cut into cells x cells; each cell shows the image whose code is nearest its middle.
    Cells are (column, line), line 0 at the top.
    """
    left, right, bottom, _ = bounds(points)
    place = (points - (left, bottom)) / (right - left) * cells
    cell = np.minimum(place.astype(int), cells - 1)
    off = np.square(place - cell - 0.5).sum(axis=1)
    order = np.lexsort((off, cell[:, 0], cell[:, 1]))
    _, first = np.unique(cell[order, 1] * cells + cell[order, 0], return_index=True)
    rows = order[first]
    return rows, np.stack([cell[rows, 0], cells - 1 - cell[rows, 1]], axis=1)


def lattice(codes: np.ndarray, cells: int, gaussian: bool) -> np.ndarray:
    """Codes on a regular grid, (cells * cells, 2), line by line from the top left.

    For a flavor with a Gaussian prior the grid has equal probability between its lines (normal quantiles); for others
    it spans the middle 98% of the codes (n, 2).
    """
    if gaussian:
        across = up = norm.ppf((np.arange(cells) + 0.5) / cells)
    else:
        (left, bottom), (right, top) = np.percentile(codes, [1, 99], axis=0)
        across, up = np.linspace(left, right, cells), np.linspace(bottom, top, cells)
    columns, lines = np.meshgrid(across, up[::-1])
    return np.stack([columns.ravel(), lines.ravel()], axis=1).astype(np.float32)
