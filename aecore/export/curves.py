"""Lines and points as SVG text, for a page that has neither scripts nor requests."""

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from aecore.history import terms, thinned
from aecore.text import one_line

WIDTH, HEIGHT = 340, 190
"""Of the drawing of one loss term, in CSS pixels."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 30, 24


def curves(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """A drawing for each loss term of a history over the epochs: training solid, held out dashed. Then the test MSE."""
    rows = thinned(history)
    names = dict.fromkeys(name for row in rows for name in (*terms(row), *terms(row, held_out=True)))
    found = [_panel(name, _line(rows, name, False), _line(rows, name, True)) for name in names]
    return [*found, _panel("MSE", [], _line(rows, "mse", True))] if rows else []


def _line(rows: Sequence[Mapping[str, Any]], name: str, held_out: bool) -> list[tuple[float, float]]:
    pairs = [(row["epoch"], (row["test"] if held_out else row).get(name)) for row in rows]
    return [(epoch, value) for epoch, value in pairs if value is not None and math.isfinite(value)]


def _panel(name: str, training: list[tuple[float, float]], held_out: list[tuple[float, float]]) -> str:
    every = training + held_out
    if not every:
        return ""
    last = max(max(epoch for epoch, _ in every), 1e-9)
    low, high = min(value for _, value in every), max(value for _, value in every)
    spare = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    low, high = (0.0 if low >= 0 and low < high / 2 else low - spare), high + spare

    def across(epoch: float) -> float:
        return _LEFT + epoch / last * (WIDTH - _LEFT - _RIGHT)

    def up(value: float) -> float:
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    def line(points: list[tuple[float, float]], kind: str) -> Iterator[str]:
        if points:
            places = " ".join(f"{across(epoch):.1f},{up(value):.1f}" for epoch, value in points)
            yield f'<polyline class="{kind}" points="{places}"/>'

    title = html.escape(one_line(name, 40))
    parts = [f'<text class="name" x="{_LEFT}" y="16">{title}</text>']
    for value in (low, (low + high) / 2, high):
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{up(value):.1f}" y2="{up(value):.1f}"/>'
        )
        parts.append(f'<text x="{_LEFT - 6}" y="{up(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for epoch in (0, last / 2, last):
        anchor = "end" if epoch == last else "middle" if epoch else "start"
        word = f"epoch {epoch:g}" if epoch == last else f"{epoch:g}"
        parts.append(f'<text x="{across(epoch):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{word}</text>')
    parts += [*line(training, "training"), *line(held_out, "held")]
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title} over the epochs">{"".join(parts)}</svg>'


def scatter(places: np.ndarray, box: tuple[float, float, float, float], groups: Sequence[int]) -> str:
    """Points (n, 2) in a box (left, right, bottom, top), each of class "c0" to "c9" by its group, as one drawing."""
    left, right, bottom, top = box
    x, y = ((places - (left, top)) / (right - left, bottom - top) * 1000).T
    dots = "".join(
        f'<circle class="c{group % 10}" cx="{a:.0f}" cy="{b:.0f}" r="7"/>'
        for a, b, group in zip(x, y, groups, strict=True)
    )
    return f'<svg class="points" viewBox="0 0 1000 1000" role="img" aria-label="Codes as points">{dots}</svg>'
