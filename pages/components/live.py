"""Images that follow the sliders of a page, or its drawing board, under the hand, computed in the browser.

The images and the sliders are Streamlit's own; when the hand lets go, the server draws as ever. Where the browser
cannot run a network, nothing happens before that.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import streamlit as st

from aecore.atlas import packed
from pages.components.latent_map import send

HERE = Path(__file__)
SCRIPTS = (
    *(HERE.parent / "latent_map" / "bytes.js", HERE.with_name("network.js"), HERE.with_name("strip.js")),
    HERE.with_suffix(".js"),
)
"""A component is one script without imports: these are joined into it, in this order."""
_component = st.components.v2.component(
    "aecore_live",
    css=HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js="\n".join(script.read_text(encoding="utf-8") for script in SCRIPTS),
)


class Follower(NamedTuple):
    """An image that follows: the key of the container around it, and how its pixels are made.

    rows: the name of the array of which a slider picks a row; empty if the image only pales until the server draws it.
    through: ids of the halves of networks that the row goes through. caption: whether the words below it pale, too.
    """

    key: str
    rows: str = ""
    through: Sequence[str] = ()
    caption: bool = False


class Line(NamedTuple):
    """A slider along which rows are chosen: its key, its value, the first of its values and the next."""

    key: str
    value: float
    low: float
    step: float


class Drawing(NamedTuple):
    """The board of the page: what the server has drawn of it, (1, c, h, w), and how its noise changes any image.

    noisy = factor * image + offset, in [0, 1] with `clip`. Followers have "clean" and "noisy" rows of it.
    """

    clean: np.ndarray
    factor: np.ndarray
    offset: np.ndarray
    clip: bool


def live(
    key: str,
    shape: tuple[int, int, int],
    followers: Sequence[Follower],
    arrays: Mapping[str, np.ndarray],
    halves: Mapping[str, bytes | None],
    line: Line | None = None,
    units: Mapping[str, int] | None = None,
    drawing: Drawing | None = None,
) -> None:
    """Have images (c, h, w) follow sliders and the board.

    arrays: name -> rows (n, numbers), as many as `line` has values. units: without a line, there is one row, and each
    of these sliders, by its key, is one of its numbers; a strip at the pointer shows what that does. halves: id -> what
    `portable` packed, None where it could not.
    """
    if None in halves.values():
        return
    head = {
        "id": key, "shape": shape, "followers": [follower._asdict() for follower in followers],
        "line": line and line._asdict(), "units": units or {}, "clip": drawing and drawing.clip,
    }  # fmt: skip
    if drawing:
        arrays = {"clean": drawing.clean, "factor": drawing.factor, "offset": drawing.offset, **arrays}
    with st.container(key=f"{key}-parts", gap=None):
        for id, half in halves.items():
            send(f"{key}-{id.rpartition(' ')[2]}", half)
        flat = {name: rows.reshape(len(rows), -1).astype(np.float32) for name, rows in arrays.items()}
        widths = {name: rows.shape[1] for name, rows in flat.items()}
        _component(key=key, data=packed({**head, "widths": widths}, flat))
