"""Every unit of a code: what it draws, the images that excite it most, how often it is active, and of what class."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from aecore import atlas, figures
from aecore.charts import histogram as bars
from aecore.measure.units import histogram
from aecore.pixels import to_bytes
from pages import _cached, _controls, _view
from pages._view import View
from pages._widgets import go, plot
from pages._words import counted, plain
from pages.acts.map import KINDS
from pages.acts.wait import need_codes
from pages.components.gallery import Action, gallery

if TYPE_CHECKING:
    from aecore.measure.units import Units

SORTS = {"activity": "Activity", "variance": "Variance", "purity": "Class purity", "number": "Number"}
HELP = (
    "Activity: on how many images the unit is not negligible. Class purity: the share of the most frequent class among "
    "the 50 images on which it is highest."
)
SHEET = 48
"""Units on one sheet of the list."""
SHOWN = 5
"""Images beside what a unit draws, in the list."""
STEPS = 7
PIXELS = 4_000_000
"""Pixels of one sheet: images of one's own may be large."""


def portraits(view: View) -> None:
    """One unit in full at the left, all of them at the right."""
    need_codes(view, view.split)
    known = _cached.portraits(view)
    sorts = {by: words for by, words in SORTS.items() if by != "purity" or _cached.split(view).labels is not None}
    detail, listing = st.columns([3, 5], gap="medium")
    with listing:
        head = st.container(horizontal=True, vertical_alignment="bottom")
        with head:
            by = _controls.segments("sort", "Sort by", sorts, "activity", help=HELP)
        order = known.order(by)
    with detail:
        unit = _controls.number("unit", "Unit", 1, len(order), int(order[0]) + 1, (view.run,), width=130) - 1
        _one(view, known, unit)
    with listing:
        sheets, sheet = -(-len(order) // SHEET), int(np.flatnonzero(order == unit)[0]) // SHEET + 1
        if sheets > 1:
            scope = (view.run, view.split, by, unit)
            with head:
                sheet = _controls.number("sheet", f"Sheet, of {sheets}", 1, sheets, sheet, scope, width=130)
        _summary(view, known)
        with st.container(height=560, border=False):
            _list(view, known, order[(sheet - 1) * SHEET : sheet * SHEET], unit)
    if asked := st.session_state.pop("similar-to", None):
        go("search", **asked)


def _summary(view: View, known: "Units") -> None:
    """How many units there are, and which are dead."""
    dead = np.flatnonzero(known.dead) + 1
    words = f"{counted(len(known.dead), 'unit')}, on {len(_cached.split(view)):,} {KINDS[view.split]} images. "
    if len(dead):
        more = f" and {len(dead) - 24:,} more, at the end" if len(dead) > 24 else ""
        words += f"{len(dead):,} dead: {', '.join(map(str, dead[:24]))}{more}."
    else:
        words += "None is dead."
    st.caption(words, help="Dead: negligible, or the same, for every image. Moving such a unit means nothing.")
    st.caption(
        "Each line: decoded with the unit low, then high; what becomes brighter (red) or darker (blue); "
        f"the {SHOWN} images on which it is highest."
        + (" With 2 units, the map shows both at once." if len(known.dead) == 2 else "")
    )


def _list(view: View, known: "Units", units: np.ndarray, chosen: int) -> None:
    """A line of pictures for each of the units; a press looks at one in full."""
    images = _cached.split(view).images
    drawn = _cached.checkpoint(view).decode(known.between(units, 2).reshape(2 * len(units), -1))
    drawn = drawn.reshape(len(units), 2, *drawn.shape[1:])
    exciting = images[known.most[units, :SHOWN]]
    unlike = figures.difference(drawn[:, 0], drawn[:, 1])[:, None]
    parts = [np.repeat(to_bytes(drawn), 3 // drawn.shape[2], axis=2), unlike]
    parts.append(np.repeat(exciting, 3 // exciting.shape[2], axis=2))
    every = np.concatenate(parts, axis=1)
    side = atlas.tile_side(every.shape[0] * every.shape[1], *every.shape[3:], most=PIXELS)
    small = atlas.resized(every.reshape(-1, *every.shape[2:]), *side)
    strips = figures.lines(small.reshape(*every.shape[:3], *side))
    lines = [[f"Unit {unit + 1}", _facts(view, known, unit)] for unit in units]
    place = next(iter(np.flatnonzero(units == chosen).tolist()), None)
    gallery(
        strips, lines, "portraits", "Units", ("unit", "Look at this unit"),
        lambda place, _: _view.put("unit", int(units[place]) + 1, (view.run,)),
        side=300, most=640, chosen=place,
    )  # fmt: skip


def _facts(view: View, known: "Units", unit: int) -> str:
    """How often it is active, and what it answers to."""
    if known.dead[unit]:
        return "dead"
    words = [f"active on {known.share[unit]:.0%}", f"variance {known.variance[unit]:.2g}"]
    if (kind := known.kind[unit]) >= 0:
        words.append(f"{_cached.images(view).classes[kind]} {known.purity[unit]:.0%}")
    return ", ".join(words)


def _one(view: View, known: "Units", unit: int) -> None:
    """What a unit draws, its histogram, and the images at both ends of it."""
    if known.dead[unit]:
        st.write("This unit is dead: negligible, or the same, for every image. It says nothing about them.")
    else:
        words = f"Active on {known.share[unit]:.0%} of the images, variance {known.variance[unit]:.2g}."
        if (kind := known.kind[unit]) >= 0:
            name = plain(_cached.images(view).classes[kind])
            words += f" Of the images on which it is highest, {known.purity[unit]:.0%} are of the class {name}."
        st.write(words)
    line = _cached.checkpoint(view).decode(known.between(np.array([unit]), STEPS)[0])
    scale = max(1, 56 // line.shape[2])
    st.image(figures.sheet(line, STEPS, scale), width="stretch", alt=f"Decoded while unit {unit + 1} goes up")
    low, high = known.low[unit], known.high[unit]
    st.caption(f"Decoded while unit {unit + 1} goes from {low:.2f} to {high:.2f}; all others stay at their mean.")
    if known.dead[unit]:
        return
    st.caption("The images on which it is highest:")
    _images(view, unit, known.most[unit], "most")
    if low < 0:
        st.caption("Those on which it is lowest:")
        _images(view, unit, known.least[unit], "least")
    tall = 160 if _cached.split(view).labels is None else 260
    plot(_histogram(view, known, unit), height=tall, alt=f"How many images have which value of unit {unit + 1}")
    if known.share[unit] < 0.995:
        st.caption("Images on which it is not active are left out.")


def _histogram(view: View, known: "Units", unit: int) -> Any:
    """How often it has which value where it is active, by class where there are classes."""
    split, classes, values = _cached.split(view), _cached.images(view).classes, _cached.codes(view)[:, unit]
    rows = np.flatnonzero(np.abs(values) > known.edge[unit])
    labels = np.zeros(len(rows), int) if split.labels is None else split.labels[rows]
    kinds, counts, edges = histogram(values[rows], labels)
    names = [""] if split.labels is None else [classes[kind] if kind >= 0 else "all others" for kind in kinds]
    return bars(counts, edges, names, f"value of unit {unit + 1}")


def _images(view: View, unit: int, rows: np.ndarray, key: str) -> None:
    """Images in the order of their values; a press leads to the place of one on the map, a link to similar ones."""
    images, split, values = _cached.images(view), _cached.split(view), _cached.codes(view)[rows, unit]
    kinds = [[] if split.labels is None else [images.classes[split.labels[row]]] for row in rows]
    lines = [[f"{value:.2f}", *kind] for value, kind in zip(values, kinds, strict=True)]

    def similar(row: int) -> dict[str, Any]:
        return {"run": view.run, "source": view.split, "image": row}

    def act(place: int, action: str) -> None:
        row = int(rows[place])
        if action == "similar":
            st.session_state["similar-to"] = similar(row)
            return
        _view.put("row", row, (images.name, view.split), 0)
        for name in ("mode", "tool"):
            _view.put(name, None)

    links = [f"search?{urlencode(_view.link('search', **similar(int(row))))}" for row in rows]
    gallery(
        _cached.originals(images.name, view.split, tuple(map(int, rows))), lines, f"portrait-{key}",
        "Images at one end of the unit", ("map", "Locate on the map"), act,
        [Action("similar", "similar", "Find similar", links)], side=72, most=110,
    )  # fmt: skip
