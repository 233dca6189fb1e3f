"""A board to draw on whose code and reconstruction follow every stroke, computed in the browser."""

from pathlib import Path

import streamlit as st

HERE = Path(__file__)
SCRIPTS = (HERE.parent / "latent_map" / "bytes.js", HERE.with_name("network.js"), HERE.with_suffix(".js"))
"""A component is one script without imports: these are joined into it, in this order."""
_component = st.components.v2.component(
    "aecore_board",
    html="""<div class="frame"><div class="board" aria-busy="true">
<figure>
<canvas class="paper" tabindex="0" role="application" aria-label="Drawing board" aria-describedby="how"></canvas>
<figcaption id="how">Draw here. Arrow keys move the brush; with Shift, they draw.</figcaption>
</figure>
<figure>
<canvas class="code" role="img" aria-label="The code"></canvas>
<figcaption class="units"></figcaption>
</figure>
<figure>
<canvas class="rebuilt" role="img" aria-label="The reconstruction"></canvas>
<figcaption>Reconstruction</figcaption>
</figure>
<div class="tools">
<button type="button" class="example" hidden>Take an example</button>
<button type="button" class="clear" hidden>Clear</button>
<p class="state" role="status"></p>
</div>
</div></div>""",
    css=HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js="\n".join(script.read_text(encoding="utf-8") for script in SCRIPTS),
)


def board(key: str, encoder: str, decoder: str, examples: str) -> None:
    """The board. Each argument is the id of a part that `latent_map.send` brings.

    encoder, decoder: the halves of a network for gray images that are light on black, as `portable` packs them.
    examples: images of its set, as `atlas.examples` packs them; while they are not here, nothing offers one.
    """
    _component(key=key, data={"encoder": encoder, "decoder": decoder, "examples": examples})
