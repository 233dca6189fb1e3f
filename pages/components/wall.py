"""A wall of pictures: any number of them, scrolled through; the browser asks for what comes into view."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    import numpy as np

PORTION = 48
"""Pictures that the browser asks for at once, and gets at most."""
HERE = Path(__file__)
_component = st.components.v2.component(
    "aecore_wall",
    html='<div class="wall" aria-busy="true"><div class="all"><ul></ul></div></div><p role="status"></p>',
    css=HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=HERE.with_suffix(".js").read_text(encoding="utf-8"),
)


def wall(
    source: str,
    rows: "np.ndarray",
    every: int,
    key: str,
    label: str,
    tall: float,
    first: int,
    chosen: int | None,
    on_press: Callable[[int], None],
    on_rest: Callable[[int], None],
) -> None:
    """Show the images of these rows (n,) of a split, which has `every` in all, from place `first` on.

    source: the address at which rows of the split are asked for. tall: their height by their width. on_press gets the
    row that is pressed; on_rest the place of the first picture in view, once scrolling ends. Both are called before
    the page runs anew.
    """

    def told(name: str, most: int) -> int | None:
        value = st.session_state[key][name]
        return value if isinstance(value, int) and 0 <= value < most else None

    def pressed() -> None:
        if (place := told("pressed", len(rows))) is not None:
            on_press(int(rows[place]))

    def rested() -> None:
        if (place := told("rested", len(rows))) is not None:
            on_rest(place)

    _component(
        key=key,
        data={
            "source": source,
            "count": len(rows),
            "portion": PORTION,
            "rows": "" if len(rows) == every else base64.b64encode(rows.astype("<i4").tobytes()).decode(),
            "label": label,
            "tall": tall,
            "first": first,
            "chosen": chosen,
        },
        on_pressed_change=pressed,
        on_rested_change=rested,
    )
