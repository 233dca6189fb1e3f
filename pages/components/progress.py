"""How far a visitor came in the lessons, remembered by the browser from one visit to the next."""

from pathlib import Path
from urllib.parse import unquote

import streamlit as st

_COMPONENT = st.components.v2.component("aecore_progress", js=Path(__file__).with_suffix(".js").read_text())

TOLD = "progress-told"
"""In the session: the browser was told more than it knew when this visit began."""


def remembered() -> str:
    """What the browser knew when this visit began, as it would stand in an address; empty for nothing."""
    return unquote(st.context.cookies.get("aecore-lessons", ""))


def remember(word: str) -> None:
    """Have the browser know this for its next visits, unless it does already; invisible."""
    if word != remembered() or TOLD in st.session_state:
        st.session_state[TOLD] = True
        _COMPONENT(key="progress", data={"word": word})
