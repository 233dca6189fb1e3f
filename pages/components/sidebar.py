"""The sidebar on a phone: folded after a change of page."""

from pathlib import Path

import streamlit as st

_COMPONENT = st.components.v2.component("aecore_sidebar", js=Path(__file__).with_suffix(".js").read_text())


def fold_on_phones() -> None:
    """See that the sidebar does not hide the page that was just chosen; invisible."""
    _COMPONENT(key="sidebar")
