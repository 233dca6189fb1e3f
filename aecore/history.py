"""The rows of a history: its loss terms, what else stands in them, and some of them for a chart.

A row: {"epoch": 0.5, one mean per term since the last row, "clipped": how many gradients were clipped since then,
where any was, "test": {the same terms on held-out images, and "mse"}}.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

CLIPPED = "clipped"
MOST = 200
"""Rows that a chart draws; more would only slow down every refresh of a live training."""


def terms(row: Row, held_out: bool = False) -> dict[str, float]:
    """The loss terms of a row by name: means of the training since the row before, or on held-out images."""
    if held_out:
        return {name: value for name, value in row["test"].items() if name != "mse"}
    return {name: value for name, value in row.items() if name not in ("epoch", "test", CLIPPED)}


def thinned(history: Sequence[Row]) -> list[Row]:
    """About MOST rows of a history, the last among them."""
    return [*history[: -1 : max(1, len(history) // MOST)], *history[-1:]]


def clipped(history: Sequence[Row]) -> list[tuple[float, int]]:
    """Epochs of the rows before which gradients were clipped, and how many."""
    return [(row["epoch"], int(row[CLIPPED])) for row in history if row.get(CLIPPED)]


def collapsed(history: Sequence[Row], mean_image: float) -> bool:
    """Whether after three epochs held-out images are rebuilt no better than by one mean image, of this MSE."""
    if not history or history[-1]["epoch"] < 3 or mean_image < 1e-4:  # where all images are equal, it is perfect
        return False
    return history[-1]["test"]["mse"] > 0.95 * mean_image
