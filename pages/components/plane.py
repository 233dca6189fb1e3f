"""A square to drag in: the point under the hand is a code of two units, decoded in the browser."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from pages.components.latent_map import send

HERE = Path(__file__)
SCRIPTS = (HERE.parent / "latent_map" / "bytes.js", HERE.with_name("network.js"), HERE.with_suffix(".js"))
"""A component is one script without imports: these are joined into it, in this order."""
_component = st.components.v2.component(
    "aecore_plane",
    html="""<div class="plane" aria-busy="true">
<div class="side">
<div class="field" tabindex="0" role="slider" aria-label="The code">
<canvas class="ground" aria-hidden="true"></canvas><span class="handle"></span>
</div>
<p>Drag, or use the arrow keys</p>
</div>
<div class="side">
<canvas class="picture" role="img" aria-label="The decoded image"></canvas>
<p class="caption"></p>
</div>
</div>""",
    css=HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js="\n".join(script.read_text(encoding="utf-8") for script in SCRIPTS),
)


def plane(
    key: str, id: str, decoder: bytes, code: Sequence[float], most: float, on_settle: Callable[[float, float], None]
) -> None:
    """The square from -most to most each way, at a code (2,).

    decoder: what `portable.decoder` packed under this id; it travels once. on_settle: told the code that is let go.
    """

    def settled() -> None:
        if (found := st.session_state[key]["settled"]) is not None:
            on_settle(*(min(most, max(-most, round(float(unit), 2))) for unit in found))

    _component(key=key, data={"part": id, "code": list(code), "most": most}, on_settled_change=settled)
    send("decoder", decoder)
