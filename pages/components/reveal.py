"""Scroll to what an act has changed, where it is out of sight."""

from pathlib import Path

import streamlit as st

_COMPONENT = st.components.v2.component("aecore_reveal", js=Path(__file__).with_suffix(".js").read_text())


def reveal(key: str, token: str) -> None:
    """Bring the container with this key into view, once for each new token; none for an empty one. Invisible."""
    with st.container(key=f"reveal-{key}"):
        _COMPONENT(key=f"revealer-{key}", data={"key": key, "token": token})
