"""A run as files for other tools: chosen, prepared outside the server, downloaded."""

import streamlit as st

from aecore.export import FORMATS, possible
from aecore.process.questions import exported
from pages import _controls
from pages._view import View
from pages.acts.wait import answer


def take(view: View) -> None:
    """Choose a form, have it made from the test images, download it."""
    with st.expander("Take it elsewhere", key="take"):
        titles = {way: FORMATS[way].title for way in possible()}
        way = _controls.choice("form", "Form", titles, "model", label_visibility="collapsed", width=320)
        st.caption(f"{FORMATS[way].help} Codes and images are those of the test split.")
        found = answer(exported(view.run, view.stamp, "test", way), "Writing the files", "Prepare")
        if found is not None:
            name, content = (part.tobytes() for part in found)
            st.download_button("Download", content, name.decode(), key="taken", type="primary", on_click="ignore")
