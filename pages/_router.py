"""Page settings and navigation; runs on every visit."""

from pathlib import Path

import streamlit as st

from pages import _view
from pages._visitor import meet
from pages.acts.slides import bar
from pages.components.history import one_step_per_act
from pages.components.present import present
from pages.components.progress import remember, remembered
from pages.components.sidebar import fold_on_phones

HERE = Path(__file__).parent
# Controls have widths and charts have heights in pixels; with this they grow with the letters.
SIZES = "".join(
    f'.stApp [{side}="{pixels}px"] {{{side}: {pixels / 16}rem; flex-basis: auto}}'
    for side, most in (("width", 350), ("height", 430))
    for pixels in range(90, most, 10)
)

st.set_page_config(page_title="Autoencoders", page_icon=str(HERE / "icon.png"), layout="wide")
page = st.navigation(
    [
        st.Page(HERE / "home.py", title="Home", default=True, help="What an autoencoder is, and where to start."),
        st.Page(HERE / "lessons.py", title="Lessons", help="Short lessons: guess, then see what was measured."),
        st.Page(HERE / "lesson.py", title="Lesson", visibility="hidden"),
        st.Page(HERE / "train.py", title="Train", help="Choose images and a flavor; start, watch and stop a training."),
        st.Page(HERE / "manifold.py", title="Manifold", help="Every image at the place of its code."),
        st.Page(HERE / "denoise.py", title="Denoise", help="Add noise to an image and see each run repair it."),
        st.Page(HERE / "search.py", title="Search", help="The images whose codes are nearest."),
        st.Page(HERE / "classify.py", title="Classify", help="A few labels on frozen codes, compared with raw pixels."),
        st.Page(HERE / "images.py", title="Images", help="Every set of images; bring your own."),
        st.Page(HERE / "about.py", title="About", help="Who you are on this server, and what it allows."),
    ],
    position="top",
)
unseen = st.container(key="unseen")
with unseen:
    st.html(HERE / "components" / "look.css")
    st.html(f"<style>{SIZES}</style>")
    if st.context.theme.type == "dark":  # white on the light accent would have a contrast of 2.5
        st.html("<style>[data-testid^=stBaseButton-primary] {color: #14151A}</style>")
    one_step_per_act()
    fold_on_phones()
    meet()
if words := st.session_state.pop("toast", ""):
    st.toast(words)
_view.enter(page.url_path or "home", remembered())
present()
bar()
if words := _view.lesson():
    with st.container(key="to-lesson"):
        st.page_link(HERE / "lesson.py", label="Back to the lesson", query_params=words, width="content")
page.run()
_view.leave()
with unseen:
    remember(_view.progress())
