"""The picture that a page is about: from the set, uploaded, photographed or drawn; chosen once for both pages."""

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from aecore.data.pictures import LARGEST_BYTES, SUFFIXES
from pages import _cached, _controls, _view
from pages._words import plain
from pages.components.drawing import drawing_board

if TYPE_CHECKING:
    from aecore import Dataset

SOURCES = {
    "test": "Test images",
    "train": "Training images",
    "upload": "Upload",
    "camera": "Camera",
    "drawing": "Draw",
}
NAMES = {"drawing": "Your drawing", "camera": "Your photo", "upload": "Your picture"}
OPENING = {"fashion_mnist": 1284}
"""The test row that pages open on, where it is not the first: a sandal, for which raw pixels find four ankle boots."""


@dataclass(frozen=True, eq=False)
class Query:
    """image (c, h, w) uint8; what to call it; the split ("" for one's own picture) and the row it comes from."""

    image: np.ndarray
    name: str
    split: str = ""
    row: int = -1
    drawn: bool = False


def pick_query(images: "Dataset", blank: bool = False) -> Query:
    """Controls for a picture, with the class pills below; ends the page with a sentence where there is none yet.

    blank: a board that is not drawn on yet is a picture.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = _controls.segments("source", "Picture", SOURCES, "test", label_visibility="collapsed", wrap=True)
        if source in ("test", "train"):
            row = _pick_row(images, source)
    if source in ("test", "train"):
        split = images.split(source)
        _pick_class(images, source, row)
        kind = "" if split.labels is None else f", {images.classes[split.labels[row]]}"
        return Query(split.images[row], f"{SOURCES[source][:-1]} {split.ids[row]}{kind}", source, row)
    return _own(images, source, blank)


def ask_for(name: str, split: str, row: int) -> None:
    """In a callback: make an image of a set the query."""
    _view.put("source", split, default="test")
    _view.put("image", row, (name, split), _first(name, split))


def _first(name: str, split: str) -> int:
    return OPENING.get(name, 0) if split == "test" else 0


def _pick_row(images: "Dataset", source: str) -> int:
    split, first = images.split(source), _first(images.name, source)
    first = first if first < len(split) else 0

    def by_chance() -> None:
        ask_for(images.name, source, int(np.random.default_rng().integers(len(split))))

    def by_id() -> None:
        asked = st.session_state["id"].strip()
        found = np.flatnonzero(split.ids == asked)
        if not len(found):  # a file may be called without its folders
            found = [row for row, id in enumerate(split.ids) if id.endswith(f"/{asked}")]
        if len(found):
            ask_for(images.name, source, int(found[0]))
        else:
            st.toast("No image of this dataset has this id.")

    label = f"{SOURCES[source][:-1]}, of {len(split):,}"
    row = _controls.number(
        "image", label, 0, len(split) - 1, first, (images.name, source), width=150, label_visibility="collapsed"
    )
    if split.ids[row] != str(row):
        help, short = "Type the id of an image to find it.", split.ids[row].rpartition("/")[2]
        st.text_input("Id", key="id", on_change=by_id, placeholder=short, width=110, help=help,
                      label_visibility="collapsed")  # fmt: skip
    st.button("Another", on_click=by_chance, help="A random image of this dataset.")
    return row


def _pick_class(images: "Dataset", source: str, row: int) -> None:
    if images.classes is None:
        return
    labels, classes = images.split(source).labels, images.classes

    def by_class() -> None:
        chosen = st.session_state["class"]  # None when the class that is shown is pressed again
        rows = np.flatnonzero(labels == (classes.index(chosen) if chosen else labels[row]))
        later = rows if chosen else rows[rows > row]
        ask_for(images.name, source, int(later[0] if len(later) else rows[0]))

    st.session_state["class"] = classes[labels[row]]
    help = "The first image of a class; press again for the next."
    there = [classes[label] for label in np.unique(labels)]  # a small split can lack some
    st.pills("Class", there, format_func=plain, key="class", on_change=by_class, help=help,
             label_visibility="collapsed")  # fmt: skip


def _own(images: "Dataset", source: str, blank: bool) -> Query:
    """A picture from outside, as the network will see it."""
    dark = _cached.border(images.name) < 128
    given, told = st.columns([2, 3], vertical_alignment="center")
    with given:
        if source == "drawing":
            content = drawing_board("own-drawing", images.shape, dark)
        else:
            kept, widget = f"own-{source}", f"own-{source}-file"

            def keep() -> None:  # a picture is the visitor's: it goes along to other pages, where its control is empty
                file = st.session_state[widget]
                st.session_state[kept] = file.getvalue() if file else b""

            if source == "camera":
                st.camera_input("A photo", key=widget, on_change=keep, label_visibility="collapsed")
            else:
                st.file_uploader(
                    "A picture", list(SUFFIXES), max_upload_size=LARGEST_BYTES // 10**6, key=widget, on_change=keep,
                    label_visibility="collapsed",
                )  # fmt: skip
            content = st.session_state.get(kept, b"")
    with told:
        if not content:
            words = {"drawing": "Draw something.", "camera": "Take a photo.", "upload": "Choose a picture of your own."}
            st.write(f"{words[source]} It will be resized to {images.shape[1]} x {images.shape[2]} pixels.")
            if blank and source == "drawing":
                return Query(np.full(images.shape, 0 if dark else 255, np.uint8), NAMES[source], drawn=True)
            _view.stop()
        digest = sha256(content).hexdigest()
        picture, problem = _cached.picture(digest, images.shape, False, content)
        if picture is None:
            st.text(problem)
            _view.stop()
        if source == "drawing":
            ink = "White on black" if dark else "Black on white"
            st.caption(f"{ink}, like this dataset; the network sees {images.shape[2]} x {images.shape[1]} pixels.")
        else:
            help = "Swap black and white. This dataset shows light objects on a dark background." if dark else None
            # at first: dark on light, where the set is light on dark, is inverted
            if _controls.toggle("invert", "Invert", dark != (picture.edge < 128), (digest,), help=help):
                picture, _ = _cached.picture(digest, images.shape, True, content)
            line = ", ".join([f"{picture.width} x {picture.height} pixels", *picture.notes])
            st.caption(f"{line}. Shown as the network sees it: {images.shape[2]} x {images.shape[1]}.")
    return Query(picture.pixels, NAMES[source], drawn=source == "drawing")
