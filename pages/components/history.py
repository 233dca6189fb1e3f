"""Back and Forward: one entry in the browser's history for one act of the visitor."""

from pathlib import Path

import streamlit as st

_COMPONENT = st.components.v2.component("aecore_history", js=Path(__file__).with_suffix(".js").read_text())


def one_step_per_act() -> None:
    """What a page writes into its address by itself belongs to the step that led there; invisible."""
    _COMPONENT(key="history")
