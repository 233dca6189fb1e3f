"""A poster of the page in front: a picture or one file, drawn by a browser on the server."""

import re

import streamlit as st

from aecore.decks import Slide
from aecore.files import Unwritable
from aecore.poster import NoBrowser, browser
from aecore.process.posters import AS_VISITOR, order
from pages import _view
from pages._address import NOBODYS
from pages._visitor import COOKIE, owner, token
from pages._words import sentence
from pages.acts.wait import answer

FORMS = {"png": "Picture (PNG)", "html": "One file (HTML)"}
TYPES = {"png": "image/png", "html": "text/html"}
OWN = ("upload", "camera", "drawing")


def offer() -> None:
    """A menu that makes a poster of the page in front, with its progress, a way to cancel, and the download."""
    with st.popover("Poster", key="poster-menu", type="tertiary"):
        try:
            browser()
        except NoBrowser as error:
            st.text(sentence(error))
            return
        if _front().words.get("source") in OWN:
            st.text("A picture of your own is not kept on the server, so it cannot be on a poster.")
            return
        st.caption("The page as it stands, 1920 x 1080 pixels, or as a file that opens without a server.")
        with st.container(horizontal=True):
            for form, label in FORMS.items():
                st.button(label, key=f"poster-{form}", on_click=_ask, args=(form,))
        if problem := st.session_state.get("poster-problem"):
            st.text(problem)
        _deliver()


def _front() -> Slide:
    """The page in front, as an address has it; how far one has come in lessons is no part of what is seen."""
    words = _view.words(_view.page())
    return Slide(_view.page(), {name: word for name, word in words.items() if name not in {*NOBODYS, "left"}})


def _ask(form: str) -> None:
    slide = _front()
    st.session_state["poster-problem"] = ""
    visitor = {} if owner() else {AS_VISITOR: "1", COOKIE: token()}
    try:
        task = order(_server() + slide.address, form, st.context.theme.type == "dark", visitor)
    except Unwritable as error:
        st.session_state["poster-problem"] = sentence(error)
    else:
        st.session_state["poster"] = slide, form, task


def _deliver() -> None:
    """What was asked of this page: its progress, then the file."""
    slide = _front()
    asked, form, task = st.session_state.get("poster", (None, "", None))
    if asked != slide or task.name in st.session_state.get("left", ()):
        return
    if (found := answer(task, "Drawing the poster")) is not None:
        parts = [slide.page, *(slide.words[key] for key in ("name", "step", "run") if key in slide.words)]
        name = re.sub(r"[^\w.-]+", "-", "-".join(parts), flags=re.ASCII)[:80]
        st.download_button(f"Download {name}.{form}", found[0].tobytes(), f"{name}.{form}", TYPES[form],
                           key="poster-file", type="primary", on_click="ignore")  # fmt: skip


def _server() -> str:
    """Where this server is found from its own machine."""
    host = st.get_option("server.address") or ""
    host = "127.0.0.1" if host in ("", "0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"{scheme}://{host}:{st.get_option('server.port')}" + (f"/{base}" if base else "")
