"""A run as files for other tools: chosen, prepared outside the server, downloaded."""

import streamlit as st

from aecore.export import FORMATS, possible
from aecore.process.questions import exported
from pages import _controls
from pages._view import View
from pages.acts.wait import answer

SPLITS = {"train": "Training images", "test": "Test images"}


def take(view: View) -> None:
    """Choose a form and a split, have it made, download it."""
    with st.expander("Export", key="take"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            titles = {way: FORMATS[way].title for way in possible()}
            way = _controls.choice("form", "Form", titles, "model", label_visibility="collapsed", width=320)
            split = "test"
            if FORMATS[way].images:
                split = _controls.segments("taken", "Split", SPLITS, "test", label_visibility="collapsed")
        st.caption(FORMATS[way].help)
        found = answer(exported(view.run, view.stamp, split, way), "Writing the files", "Prepare")
        if found is not None:
            name, content = (part.tobytes() for part in found)
            st.download_button("Download", content, name.decode(), key="taken-file", type="primary", on_click="ignore")
