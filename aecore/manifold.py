"""The map of codes: projections, lattices, and images at their places. Arrays in, arrays out."""

from collections.abc import Iterator

import numpy as np

from aecore.vectors import principal, squared_distances

Box = tuple[float, float, float, float]
"""Left, right, bottom, top."""


def plane(codes: np.ndarray, fitted: np.ndarray | None = None) -> np.ndarray:
    """codes (n, latent) -> (n, 2): the codes themselves when latent is 2, else their two principal components.

    The components are those of the codes `fitted` (m, latent) where they are given.
    """
    return project(codes, *axes(codes if fitted is None else fitted))


def axes(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (latent,) and the two directions (latent, 2) in which codes (n, latent) vary most, for `project`.

    Codes of 2 units are their own plane: mean zero, unit directions. A third or later principal component is left
    out; a missing one is zero.
    """
    codes = np.asarray(codes, np.float32)
    latent = codes.shape[1]
    if latent == 2:
        return np.zeros(2, np.float32), np.eye(2, dtype=np.float32)
    if latent == 1:
        return codes.mean(axis=0), np.array([[1.0, 0.0]], np.float32)
    mean, _, vectors = principal(codes)
    directions = vectors[:, :2]
    # eigenvectors have no sign of their own
    directions = directions * np.sign(directions[np.abs(directions).argmax(axis=0), [0, 1]])
    return mean.astype(np.float32), directions.astype(np.float32)


def project(codes: np.ndarray, mean: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """codes (n, latent) -> their places (n, 2) in the plane that `axes` found, float32."""
    return np.asarray(codes, np.float32) @ directions - mean @ directions  # no copy of a million codes


def bounds(points: np.ndarray, margin: float = 0.03) -> Box:
    """The box around points (n, 2), with a small margin."""
    low, high = points.min(axis=0), points.max(axis=0)
    spare = np.maximum((high - low) * margin, 1e-6)
    (left, bottom), (right, top) = (low - spare).tolist(), (high + spare).tolist()
    return left, right, bottom, top


def tile(points: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Which images to draw so that none covers another: points (n, 2) -> (rows (m,), cells (m, 2)).

    The box around the points is cut into cells x cells; each cell shows the image with the code nearest its center.
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
    """Centers (m, 2) of cells (m, 2), as `tile` gives them, in a box that is cut into count x count cells."""
    left, right, bottom, top = box
    across, down = (cells.T + 0.5) / count
    return np.stack([left + across * (right - left), top - down * (top - bottom)], axis=1)


def lattice(box: Box, count: int) -> np.ndarray:
    """Codes (count * count, 2) at the centers of all cells of a box, line by line from the top left."""
    columns, lines = np.meshgrid(np.arange(count), np.arange(count))
    return centers(np.stack([columns.ravel(), lines.ravel()], axis=1), count, box).astype(np.float32)


PRIOR_BOX: Box = (-3.0902323, 3.0902323, -3.0902323, 3.0902323)
"""Between the quantiles 0.001 and 0.999 of the unit normal distribution, in both directions."""


def middle_box(points: np.ndarray, share: float = 0.01) -> Box:
    """The box around points (n, 2) without the outermost `share` of them on each of its four sides."""
    (left, bottom), (right, top) = np.quantile(points, [share, 1 - share], axis=0).tolist()
    return left, max(right, left + 1e-6), bottom, max(top, bottom + 1e-6)


def decoded_box(codes: np.ndarray, prior: bool) -> Box:
    """The box in which a decoder of two units is drawn: it holds the middle of the codes (n, 2), and of a prior."""
    left, right, bottom, top = middle_box(codes)
    if not prior:
        return left, right, bottom, top
    low, high = PRIOR_BOX[:2]
    return min(left, low), max(right, high), min(bottom, low), max(top, high)


def far(places: np.ndarray, points: np.ndarray, slack: float = 2.0) -> np.ndarray:
    """Which places (m, 2) lie so far from every point (n, 2) that a decoder has no data to rely on: (m,) bool.

    Far means more than `slack` times the distance within which 99% of distinct points have a neighbor.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(np.unique(np.asarray(points, np.float64), axis=0))
    if tree.n < 2:
        return np.ones(len(places), bool)
    near = np.quantile(tree.query(tree.data, 2)[0][:, 1], 0.99)
    return tree.query(places)[0] > slack * near


def inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Which points (n, 2) lie in a polygon (m, 2), by the even-odd rule: (n,) bool."""
    points, polygon = np.asarray(points, np.float64), np.asarray(polygon, np.float64).reshape(-1, 2)
    within = np.zeros(len(points), bool)
    x, y = points.T
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:
            across = (y0 > y) != (y1 > y)
            within ^= across & (x < x0 + (y - y0) * ((x1 - x0) / (y1 - y0)))
    return within


def trust(origin: np.ndarray, points: np.ndarray, anchors: np.ndarray, k: int = 12) -> np.ndarray:
    """Per point (n,), at most 1: are its k nearest anchors on the map near it in the original space?

    origin (n, d), points (n, 2) on the map, anchors (m,): rows to compare with. As trustworthiness (Venna and Kaski
    2001): 1 minus the normalized sum of the ranks by which the k neighbors on the map miss the k nearest. With all rows
    as anchors it is trustworthiness; with the first two exchanged, continuity. Equal distances share the best rank.
    Computes in the precision of the arrays. Needs k < m / 2.
    """
    many = len(anchors)
    if not 1 <= k < many / 2:
        raise ValueError(f"k is {k}; choose a number from 1 to {(many - 1) // 2}, less than half of the anchors")
    origin, points = (array.reshape(len(array), -1) for array in (origin, points))
    out = np.empty(len(points), np.float32)
    scale = 2 / (k * (2 * many - 3 * k - 1))
    for start in range(0, len(points), 512):
        rows = np.arange(start, min(start + 512, len(points)))
        on_map, original = (squared_distances(array[rows], array[anchors]) for array in (points, origin))
        own = rows[:, None] == anchors
        on_map[own] = original[own] = np.inf
        near = np.argpartition(on_map, k - 1, axis=1)[:, :k]
        distances = np.take_along_axis(original, near, 1)
        ordered = np.sort(original, axis=1)
        ranks = np.stack([np.searchsorted(row, d, "left") for row, d in zip(ordered, distances, strict=True)]) + 1
        out[rows] = 1 - scale * np.maximum(ranks - k, 0).sum(axis=1)
    return out


WAYS = ("straight", "slerp")


def path(start: np.ndarray, end: np.ndarray, count: int, way: str = "straight") -> np.ndarray:
    """Codes (count, latent) from one code (latent,) to another, evenly spaced, both included.

    straight: along the line. slerp: along the great circle, lengths changing evenly; this is where the codes of a
    variational autoencoder with many units lie (White 2016, https://arxiv.org/abs/1609.04468).
    """
    if way not in WAYS:
        raise ValueError(f"way is {way!r}; choose one of {', '.join(WAYS)}")
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    along = np.linspace(0, 1, count)[:, None]
    straight = start + along * (end - start)
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if way == "straight" or min(lengths) < 1e-9:
        return straight.astype(np.float32)
    angle = np.arccos(np.clip(start @ end / (lengths[0] * lengths[1]), -1, 1))
    if min(angle, np.pi - angle) < 1e-4:  # the same direction, or opposite ones: every great circle is as good
        return straight.astype(np.float32)
    turned = (np.sin((1 - along) * angle) * start / lengths[0] + np.sin(along * angle) * end / lengths[1]) / np.sin(
        angle
    )
    return (turned * (lengths[0] + along * (lengths[1] - lengths[0]))).astype(np.float32)


def steps(images: np.ndarray) -> np.ndarray:
    """Root mean squared pixel difference between each image (n, c, h, w) and the next: (n - 1,)."""
    images = np.asarray(images, np.float32)
    return np.sqrt(np.square(np.diff(images, axis=0)).mean(axis=(1, 2, 3)))


def traverse(code: np.ndarray, unit: int, low: float, high: float, count: int) -> np.ndarray:
    """Codes (count, latent): one code (latent,) with one unit going from low to high."""
    out = np.repeat(np.asarray(code, np.float32)[None], count, axis=0)
    out[:, unit] = np.linspace(low, high, count)
    return out


def tsne(codes: np.ndarray, perplexity: float = 30.0, rounds: int = 4) -> Iterator[tuple[int, np.ndarray]]:
    """Map codes (n, latent) to a plane by t-SNE, yielding (rounds done, places (n, 2)) after each 250 iterations.

    Starts from the principal components, with early exaggeration in the first round; the same codes give the same
    map. Memory and time grow with n. van der Maaten and Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html
    """
    from sklearn.manifold import TSNE

    if not 1 <= perplexity < len(codes) / 3:
        raise ValueError(
            f"perplexity is {perplexity:g}; choose at least 1 and less than a third of the {len(codes)} codes"
        )
    places = plane(codes)
    places = places / max(float(places[:, 0].std()), 1e-12) * 1e-4
    for done in range(1, rounds + 1):
        pull = 12.0 if done == 1 else 1.0
        model = TSNE(2, perplexity=perplexity, early_exaggeration=pull, init=places, max_iter=250, random_state=0)
        places = model.fit_transform(np.asarray(codes, np.float32))
        yield done, places
