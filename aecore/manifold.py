"""The plane of codes: projections, lattices, and pictures at their places. Arrays in, arrays out."""

import numpy as np

Box = tuple[float, float, float, float]
"""Left, right, bottom, top."""


def plane(codes: np.ndarray, fitted: np.ndarray | None = None) -> np.ndarray:
    """codes (n, latent) -> (n, 2): the codes themselves when latent is 2, else their two principal components.

    The components are those of the codes `fitted` (m, latent) where they are given.
    """
    codes = np.asarray(codes, np.float32)
    if codes.shape[1] == 2:
        return codes
    fitted = codes if fitted is None else np.asarray(fitted, np.float32)
    mean = fitted.mean(axis=0)
    centered = codes - mean
    if codes.shape[1] == 1:
        return np.concatenate([centered, np.zeros_like(centered)], axis=1)
    _, vectors = np.linalg.eigh((fitted - mean).T @ (fitted - mean))
    axes = vectors[:, :-3:-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])  # eigenvectors have no sign of their own
    return centered @ axes


def bounds(points: np.ndarray, margin: float = 0.03) -> Box:
    """The box around points (n, 2), a little larger than they need."""
    low, high = points.min(axis=0), points.max(axis=0)
    spare = np.maximum((high - low) * margin, 1e-6)
    (left, bottom), (right, top) = (low - spare).tolist(), (high + spare).tolist()
    return left, right, bottom, top


def tile(points: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Which images to draw so that none covers another: points (n, 2) -> (rows (m,), cells (m, 2)).

    The box around the points is cut into cells x cells; each cell shows the image whose code is nearest its middle.
    Cells are (column, line), line 0 at the top.
    """
    left, right, bottom, top = bounds(points)
    place = (points - (left, bottom)) / (right - left, top - bottom) * cells
    cell = np.minimum(place.astype(int), cells - 1)
    off = np.square(place - cell - 0.5).sum(axis=1)
    order = np.lexsort((off, cell[:, 0], cell[:, 1]))
    _, first = np.unique(cell[order, 1] * cells + cell[order, 0], return_index=True)
    rows = order[first]
    return rows, np.stack([cell[rows, 0], cells - 1 - cell[rows, 1]], axis=1)


def centers(cells: np.ndarray, count: int, box: Box) -> np.ndarray:
    """Middles (m, 2) of cells (m, 2), as `tile` gives them, in a box that is cut into count x count cells."""
    left, right, bottom, top = box
    across, down = (cells.T + 0.5) / count
    return np.stack([left + across * (right - left), top - down * (top - bottom)], axis=1)


def lattice(box: Box, count: int) -> np.ndarray:
    """Codes (count * count, 2) in the middles of all cells of a box, line by line from the top left."""
    columns, lines = np.meshgrid(np.arange(count), np.arange(count))
    return centers(np.stack([columns.ravel(), lines.ravel()], axis=1), count, box).astype(np.float32)
