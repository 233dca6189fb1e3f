"""Slides: a deck of addresses, read from a text, and played from page to page; what one can do while presenting."""

import streamlit as st

from aecore.decks import Deck, Reader, read_deck, unpacked
from pages import _view
from pages._address import PARAMETERS, reader
from pages._widgets import PAGES
from pages._words import counted
from pages.acts import poster
from pages.components.keys import keys

NAMES = {path.stem for path in PAGES.glob("[a-z]*.py")}
EXAMPLE = """# Monday, first lesson
/lesson?name=bottleneck
/lesson?name=bottleneck&step=2
/manifold?mode=decoder
/search"""


def offer() -> None:
    """A place for the addresses of slides; what is wrong with them is said by line, and nothing of it is lost."""
    st.header("Play your own slides", anchor="slides")
    st.write(
        "List addresses of this app, one per line, or upload a text file of them. Each becomes a slide that shows what "
        "its address holds. Lines that begin with # are notes."
    )
    typed, brought = st.columns([3, 2], gap="large")
    with brought:
        st.file_uploader("A text file of addresses", ("txt", "md"), max_upload_size=1, key="deck-file", on_change=_take)
        st.caption(
            "Move with the arrow keys or a presenter. S turns the pointer into a spotlight, and Esc ends the slides. "
            "The address holds them all: keep it, or share it."
        )
    with typed:
        text = st.session_state.setdefault("slides", "")
        _view.hand("deck-text", text)
        st.text_area("Addresses of the slides", text, 180, key="deck-text", placeholder=EXAMPLE, on_change=_keep)
        deck = read(text)
        pressed = st.button("Play the slides", key="deck-play", type="primary")
        for problem in deck.problems:
            st.text(str(problem))
        if pressed and not deck.slides:
            st.text("There is no address to play yet. Copy one from the address bar of a page.")
        elif pressed and not deck.problems:
            go_to(deck, 1)
        elif deck.problems and deck.slides:
            count = counted(len(deck.slides), "other slide")
            if st.button(f"Play the {count}", key="deck-play-rest"):
                go_to(deck, 1)


def read(text: str) -> Deck:
    """The slides that a text lists, and what is wrong with its other lines."""
    return read_deck(text, NAMES, _known, st.get_option("server.baseUrlPath"))


def bar() -> None:
    """While one presents, in the corner: the slides, a poster of the page, the end."""
    if _view.presenting():
        with st.container(horizontal=True, vertical_alignment="center", key="stage-bar", width="content"):
            with st.container(horizontal=True, vertical_alignment="center", key="stage-tools", width="content"):
                poster.offer()
                st.button("End", key="present-end", type="tertiary", on_click=_view.present, args=(False,))
            _slides()


def _slides() -> None:
    """While a deck is played: at which slide, and the ways to the others."""
    word, place = _view.deck()
    if not word:
        return
    try:
        deck = unpacked(word, NAMES, _known)
    except ValueError:
        _view.present(_view.presenting())
        return
    count = len(deck.slides)
    place = min(max(place, 1), count)
    back = st.button("Previous slide", key="slide-back", type="tertiary", disabled=place == 1)
    st.text(f"{place} of {count}", width="content")
    on = st.button("Next slide", key="slide-on", type="tertiary", disabled=place == count)
    forth, home = ("ArrowRight", "PageDown"), ("ArrowLeft", "PageUp")
    keys("slides", dict.fromkeys(forth, "slide-on") | dict.fromkeys(home, "slide-back"))
    if back or on:
        go_to(deck, place + on - back)


def go_to(deck: Deck, place: int) -> None:
    """Lead to a slide, from 1. It opens as its address says; what was reached and guessed in lessons is kept."""
    slide = deck.slides[place - 1]
    kept = _view.words("lessons") if slide.page in ("lesson", "lessons") else {}
    kept = {name: word for name, word in kept.items() if name in PARAMETERS["lessons"]}
    _view.play(deck.word, place)
    st.switch_page(PAGES / f"{slide.page}.py", query_params=kept | slide.words)


def _known(page: str, name: str) -> Reader | None:
    return _lesson if (page, name) == ("lesson", "name") else reader(page, name)


def _lesson(name: str) -> None:
    if not any(path.stem == name for path in (PAGES / "lessons").glob("*.md")):
        raise KeyError(name)


def _keep() -> None:
    st.session_state["slides"] = st.session_state["deck-text"]


def _take() -> None:
    if file := st.session_state["deck-file"]:
        st.session_state["slides"] = file.getvalue().decode("utf-8", "replace").replace("\r\n", "\n")
