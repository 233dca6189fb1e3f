"""For a room full of people: a page alone, large, in high contrast; the pointer can be a spotlight."""

from pathlib import Path

import streamlit as st

from pages import _view
from pages.components.keys import keys

_HERE = Path(__file__)
_COMPONENT = st.components.v2.component("aecore_present", js=_HERE.with_suffix(".js").read_text())


def present() -> None:
    """P begins to present; Esc ends it, and S turns the spotlight on and off meanwhile. Invisible."""
    on = _view.presenting()
    with st.container(key="reveal-present"):
        st.button("Stop presenting" if on else "Present", key="present", on_click=_view.present, args=(not on,))
        _COMPONENT(key="presenting", data={"on": on})
    keys("present", {"Escape" if on else "p": "present"})
    if on:
        with st.container(key="reveal-presenting"):
            st.html(_HERE.with_suffix(".css"))
