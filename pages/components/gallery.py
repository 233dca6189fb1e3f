"""A gallery: pictures as real buttons with lines of text below, cut from one strip; each may have further actions."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

if TYPE_CHECKING:
    import numpy as np

HERE = Path(__file__)
_component = st.components.v2.component(
    "aecore_gallery",
    html='<ul aria-busy="true">\n</ul>',
    css=HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=HERE.with_suffix(".js").read_text(encoding="utf-8"),
)


class Action(NamedTuple):
    """What a small button below a picture does; with `links`, one address for each picture, it is a link too."""

    name: str
    text: str
    help: str
    links: Sequence[str] = ()


def gallery(
    images: "np.ndarray",
    lines: Sequence[Sequence[str]],
    key: str,
    label: str,
    press: tuple[str, str] = ("", ""),
    on_press: Callable[[int, str], None] | None = None,
    actions: Sequence[Action] = (),
    side: int = 112,
    most: int = 240,
    chosen: int | None = None,
    marked: Collection[tuple[int, int]] = (),
) -> None:
    """Show images (n, c, h, w) with their lines of text; at least `side` pixels wide each, at most `most`.

    press: what pressing a picture is called, and says on hover; without it, pictures are not pressed. on_press gets
    (place, action) before the page runs anew. marked: lines to underline, as (place, line).
    """
    from aecore.figures import png_uri, sheet

    names = {press[0], *(action.name for action in actions)} - {""}

    def changed() -> None:
        pressed = st.session_state[key].pressed
        if not on_press or not isinstance(pressed, dict):
            return
        place, action = pressed.get("place"), pressed.get("action")
        if isinstance(place, int) and 0 <= place < len(images) and action in names:
            on_press(place, action)

    tiles = [
        {
            "lines": list(words),
            "chosen": place == chosen,
            "marked": [line for line in range(len(words)) if (place, line) in marked],
            "links": {action.name: action.links[place] for action in actions if action.links},
        }
        for place, words in enumerate(lines)
    ]
    _component(
        key=key,
        data={
            "strip": png_uri(sheet(images, columns=1, scale=1, gap=0)) if len(images) else "",
            "ratio": f"{images.shape[3]} / {images.shape[2]}",
            "tiles": tiles,
            "label": label,
            "press": press[0],
            "title": press[1],
            "side": side,
            "most": most,
            "actions": [
                {"name": action.name, "text": action.text, "help": action.help, "link": bool(action.links)}
                for action in actions
            ],
        },
        on_pressed_change=changed,
    )
