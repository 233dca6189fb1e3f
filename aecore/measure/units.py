"""What each unit of a code means: when it is active, which images excite it most, of which class they are."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

EXAMPLES = 8
"""Images that are named for a unit at each end of its range."""
PURE = 50
"""Images, of those that excite a unit most, among which its purity is counted."""
BLOCK = 64
"""Units that are looked at together: 60,000 codes of 64 units are 15 MB."""


class Units(NamedTuple):
    """What is known of every unit of a code, from codes (n, latent); arrays have an entry for each unit.

    share (latent,): of the images, on how many it is active, 0 to 1, as `active` says.
    edge (latent,): the size of a value above which it is active; infinite where nothing depends on the unit.
    variance, mean (latent,): of its values.
    dead (latent,) bool: it is active on no image, or its values span no more than the threshold of `active`.
    purity (latent,): share of the most frequent class, kind (latent,), among the up to 50 images that excite it most
    and on which it is active; NaN, and -1, for a dead unit and without classes.
    most, least (latent, k): rows of the images with its largest and its smallest values, the outermost first.
    low, high (latent,): the mean of its values on the images of `least` and `most`.
    """

    share: np.ndarray
    edge: np.ndarray
    variance: np.ndarray
    mean: np.ndarray
    dead: np.ndarray
    purity: np.ndarray
    kind: np.ndarray
    most: np.ndarray
    least: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def order(self, by: str) -> np.ndarray:
        """All units (latent,), dead ones last, by "activity" (ties by variance), "variance", "purity" or "number"."""
        keys = {"activity": (-self.variance, -self.share), "variance": (-self.variance,), "number": ()}
        keys["purity"] = (-self.variance, -np.nan_to_num(self.purity, nan=-1.0))
        if by not in keys:
            raise ValueError(f"by is {by!r}; choose one of {', '.join(keys)}")
        number = np.arange(len(self.dead))
        return number if by == "number" else np.lexsort((number, *keys[by], self.dead))

    def between(self, units: np.ndarray, count: int) -> np.ndarray:
        """Codes (m, count, latent): each of the units (m,) from low to high, all others at their mean."""
        found = np.tile(self.mean, (len(units), count, 1))
        found[np.arange(len(units)), :, units] = np.linspace(self.low[units], self.high[units], count, axis=1)
        return found


def threshold(codes: np.ndarray, lengths: np.ndarray) -> float:
    """A hundredth of the root mean square of the entries of codes (n, latent), each times the length of its unit."""
    total = sum(float(np.square(values * length, dtype=np.float64).sum()) for values, length in _blocks(codes, lengths))
    return 0.01 * float(np.sqrt(total / codes.size))


def active(codes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Which entries of codes (n, latent) are not negligible: (n, latent) bool.

    An entry counts by what it adds in the decoder: its size times the length of its unit's weights, lengths (latent,).
    It is negligible up to a hundredth of the root mean square of all entries.
    """
    return np.abs(codes * lengths) > threshold(codes, lengths)


def described(codes: np.ndarray, lengths: np.ndarray, labels: np.ndarray | None = None) -> Units:
    """What codes (n, latent) say of each unit; lengths (latent,) as in `active`, labels (n,) the classes, if any."""
    limit, count = threshold(codes, lengths), min(EXAMPLES, len(codes))
    parts = [_block(values, length, labels, limit, count) for values, length in _blocks(codes, lengths)]
    return Units(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _blocks(codes: np.ndarray, lengths: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of some units, one block after another: their values (units, n) and lengths (units, 1)."""
    for start in range(0, codes.shape[1], BLOCK):
        values = np.ascontiguousarray(codes[:, start : start + BLOCK].T)
        yield values, lengths[start : start + BLOCK, None]


def _block(
    values: np.ndarray, lengths: np.ndarray, labels: np.ndarray | None, limit: float, count: int
) -> tuple[np.ndarray, ...]:
    """The entries of `Units` for some units, from their values (units, n)."""
    on = np.abs(values * lengths) > limit
    span = values.max(axis=1) - values.min(axis=1)
    dead = ~on.any(axis=1) | (span * lengths[:, 0] <= limit)
    most, least = outermost(-values, count), outermost(values, count)
    high, low = (np.take_along_axis(values, rows, 1).mean(axis=1, dtype=np.float64) for rows in (most, least))
    purity, kind = np.full(len(values), np.nan), np.full(len(values), -1)
    if labels is not None:
        top = outermost(-values, min(PURE, values.shape[1]))
        counts = np.zeros((len(values), int(labels.max()) + 1))
        np.add.at(counts, (np.arange(len(values))[:, None], labels[top]), np.take_along_axis(on, top, 1))
        known = ~dead & (counts.sum(axis=1) > 0)
        purity[known] = counts[known].max(axis=1) / counts[known].sum(axis=1)
        kind[known] = counts[known].argmax(axis=1)
    variance, mean = (of(values, axis=1, dtype=np.float64) for of in (np.var, np.mean))
    edge = np.divide(limit, lengths[:, 0], out=np.full(len(values), np.inf), where=lengths[:, 0] > 0)
    return on.mean(axis=1), edge, variance, mean, dead, purity, kind, most, least, low, high


def outermost(values: np.ndarray, count: int) -> np.ndarray:
    """Columns (units, count) of the smallest of values (units, n), the smallest first; of equal ones the first."""
    found = np.argpartition(values, count - 1, axis=1)[:, :count]
    edge = np.take_along_axis(values, found, 1).max(axis=1, keepdims=True)
    for unit in np.flatnonzero((values <= edge).sum(axis=1) > count):  # several share the last place
        inside = np.flatnonzero(values[unit] <= edge[unit])
        found[unit] = inside[np.argsort(values[unit, inside], kind="stable")[:count]]
    found.sort(axis=1)
    order = np.take_along_axis(values, found, 1).argsort(axis=1, kind="stable")
    return np.take_along_axis(found, order, 1)


def histogram(
    values: np.ndarray, labels: np.ndarray, bins: int = 24, most: int = 10
) -> tuple[list[int], np.ndarray, np.ndarray]:
    """How often a unit has which value: classes (k,), counts (k, bins), and the edges (bins + 1,) of equal bins.

    values (n,) of one unit, labels (n,) the classes. At most so many classes have counts of their own: the rarest are
    counted together, as class -1.
    """
    edges = np.histogram_bin_edges(np.asarray(values, np.float64), bins)
    counted = np.bincount(labels)
    kinds = np.flatnonzero(counted)
    if len(kinds) > most:
        kinds = np.sort(np.argsort(-counted, kind="stable")[: most - 1])
        labels, kinds = np.where(np.isin(labels, kinds), labels, -1), np.append(kinds, -1)
    return kinds.tolist(), np.stack([np.histogram(values[labels == kind], edges)[0] for kind in kinds]), edges
