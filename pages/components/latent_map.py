"""The latent map as a component: a plotly chart with pictures in it, driven by the scripts in latent_map/."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent
SCRIPTS = (
    *("bytes", "elements", "plotly", "viewport", "chart", "tiles"),
    *("lattice", "marks", "card", "pointer", "link", "snapshot", "tools", "main"),
)
"""A component is one script without imports: these are joined into it, in this order, after that of networks."""
_COMPONENT = st.components.v2.component(
    "latent_map",
    css=(HERE / "latent_map.css").read_text(),
    js="\n".join(
        path.read_text() for path in [HERE / "network.js", *(HERE / "latent_map" / f"{name}.js" for name in SCRIPTS)]
    ),
    isolate_styles=False,
)


def latent_map(
    key: str,
    parts: Mapping[str, str],
    *,
    title: str,
    file: str,
    alt: str,
    mode: str,
    tile: int,
    row: int | None,
    originals: str,
    area: Sequence[Sequence[float]],
    classes: Sequence[int],
    marks: Mapping[str, Any],
    beside: Mapping[str, str],
    elsewhere: bool,
    on_click: Callable[[], None],
    on_place: Callable[[], None],
    on_area: Callable[[], None],
) -> None:
    """Draw the map.

    parts: what each part is for -> the id of the bytes that `send` brings. file: the name of a saved picture, without
    its ending. tile: side of a picture on the screen in pixels. row: the picked image. originals: below which address
    those of its rows are, empty if there are none. area: corners of the selected area. classes: which of them it is
    about, none for all. marks: "path" and "dots" (places), "ellipse" (x, y, radius, radius), "place". beside: "points"
    and "colors" of the map beside this one, with which pointer, selection and classes are shared; elsewhere: the area
    was drawn on that one. The callbacks find what happened in `event(key, name)`.
    """
    data = {
        "parts": dict(parts), "title": title, "file": file, "alt": alt, "mode": mode, "tile": tile, "row": row,
        "originals": originals, "area": [list(corner) for corner in area], "classes": list(classes),
        "marks": dict(marks), "beside": dict(beside) or None, "elsewhere": elsewhere,
    }  # fmt: skip
    _COMPONENT(
        key=key,
        data=data,
        on_click_change=on_click,
        on_place_change=on_place,
        on_area_change=on_area,
        on_script_change=_ask_for_script,
    )


def _ask_for_script() -> None:
    st.session_state["plotly-by-hand"] = True


def send_script() -> None:
    """Bring the script of plotly, where the page found no route to it: a host that runs app.py as a page has none."""
    if st.session_state.get("plotly-by-hand"):
        from aecore.atlas import packed

        script = Path(find_spec("plotly").origin).parent / "package_data" / "plotly.min.js"
        send("plotly", packed({"id": "plotly"}, {"script": [script.read_bytes()]}))


def event(key: str, name: str) -> Any:
    """What the visitor did on the map with this key: "click" a row, "place" x and y, "area" its corners."""
    return st.session_state[key][name]


def send(name: str, part: bytes) -> None:
    """Bring bytes that `atlas.packed` made to the browser; the same bytes travel once."""
    _COMPONENT(key=f"latent-map-{name}", data=part)
