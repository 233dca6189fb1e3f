"""Keys of the keyboard that press buttons of the page."""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

_COMPONENT = st.components.v2.component("aecore_keys", js=Path(__file__).with_suffix(".js").read_text())


def keys(name: str, pressed: Mapping[str, str], then: Mapping[str, str] | None = None) -> None:
    """While the page shows this: key, as the browser calls it -> the key of the button that it presses. Invisible.

    then: key of a button that a press takes away -> key of the one that has the focus after a press by keyboard. name
    tells several of these on a page apart.
    """
    with st.container(key=f"reveal-keys-{name}"):
        _COMPONENT(key=f"keys-{name}", data={"name": name, "keys": dict(pressed), "then": dict(then or {})})
