"""Page settings and navigation; runs on every visit."""

from pathlib import Path

import streamlit as st

from pages._visitor import meet

HERE = Path(__file__).parent

st.set_page_config(page_title="Autoencoders", page_icon=str(HERE / "icon.png"), layout="wide")
page = st.navigation(
    [
        st.Page(HERE / "home.py", title="Home", default=True, help="What an autoencoder is, and where to go."),
        st.Page(HERE / "train.py", title="Train", help="Choose data and flavor, start, watch, stop."),
        st.Page(HERE / "manifold.py", title="Manifold", help="Every image at the place of its code."),
        st.Page(HERE / "denoise.py", title="Denoise", help="Spoil an image and see each run repair it."),
        st.Page(HERE / "search.py", title="Search", help="The images whose codes are nearest."),
        st.Page(HERE / "classify.py", title="Classify", help="A few labels on frozen codes, against raw pixels."),
    ],
    position="top",
)
meet()
page.run()
