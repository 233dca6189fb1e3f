"""A board to draw a picture on; what is drawn comes back as a PNG file."""

import base64
import binascii
from pathlib import Path

import streamlit as st

HERE = Path(__file__)
_component = st.components.v2.component(
    "aecore_drawing",
    html="""<div class="board">
<div class="paper">
<canvas tabindex="0" role="application" aria-label="Drawing board" aria-describedby="how"></canvas>
<span class="brush" hidden></span>
</div>
<p id="how">Arrow keys move the brush; with Shift, they draw.</p>
<div class="tools">
<button type="button">Undo</button><button type="button">Clear</button>
<input type="range" min="1" max="8" value="3" step="0.5" aria-label="Brush" title="Brush">
</div>
</div>""",
    css=HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=HERE.with_suffix(".js").read_text(encoding="utf-8"),
)
LARGEST = 2_000_000
START = "data:image/png;base64,"


def drawing_board(key: str, shape: tuple[int, int, int], dark: bool) -> bytes:
    """A board of the proportions of images (c, h, w), white on black when `dark`; the PNG file, empty at first.

    What was drawn stays in the session under `key`, also where the board is shown on another page.
    """
    height, width = shape[1:]
    scale = max(1, round(280 / max(height, width)))
    board = f"{key}-board"

    def keep() -> None:
        st.session_state[key] = st.session_state[board]["drawing"]

    found = st.session_state.get(key) or ""
    _component(
        key=board,
        data={
            "width": width * scale,
            "height": height * scale,
            "scale": scale,
            "ground": "#000" if dark else "#fff",
            "ink": "#fff" if dark else "#000",
            "drawing": found,
        },
        on_drawing_change=keep,
    )
    if not isinstance(found, str) or not found.startswith(START) or len(found) > LARGEST:
        return b""
    try:
        return base64.b64decode(found[len(START) :], validate=True)
    except binascii.Error:
        return b""
