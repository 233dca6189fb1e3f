"""The picture that a page is about: from the set, uploaded, photographed or drawn; chosen once for both pages."""

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from aecore.pictures import LARGEST_BYTES, SUFFIXES
from pages import _cached
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
KEPT = 2_000_000
"""Bytes of a picture that go along to another page; a larger one is uploaded again there."""


@dataclass(frozen=True, eq=False)
class Query:
    """image (c, h, w) uint8; what to call it; the split ("" for one's own picture) and the row it comes from."""

    image: np.ndarray
    name: str
    split: str = ""
    row: int = -1


def pick_query(images: "Dataset") -> Query:
    """Controls for a picture, with the class pills below; ends the page with a sentence where there is none yet."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        default = None if st.session_state.pop("asked", False) else "test"  # a value set by hand takes no default
        source = st.segmented_control(
            "Picture", list(SOURCES), default=default, required=True, key="source", bind="query-params",
            format_func=SOURCES.get, label_visibility="collapsed",
        )  # fmt: skip
        if source in ("test", "train"):
            row = _pick_row(images, source)
    if source in ("test", "train"):
        split = getattr(images, source)
        _pick_class(images, source, row)
        kind = "" if split.labels is None else f", {images.classes[split.labels[row]]}"
        return Query(split.images[row], f"{SOURCES[source][:-1]} {split.ids[row]}{kind}", source, row)
    return _own(images, source)


def ask_for(split: str, row: int) -> None:
    """In a callback: make an image of the set the query."""
    st.session_state["source"], st.session_state["image"], st.session_state["asked"] = split, row, True


def _pick_row(images: "Dataset", source: str) -> int:
    split = getattr(images, source)
    if not 0 <= st.session_state.get("image", 0) < len(split):
        st.session_state["image"] = 0

    def by_chance() -> None:
        st.session_state["image"] = int(np.random.default_rng().integers(len(split)))

    def by_id() -> None:
        found = np.flatnonzero(split.ids == st.session_state["id"].strip())
        if len(found):
            st.session_state["image"] = int(found[0])
        else:
            st.toast("No image of this set has this id.")

    label = f"{SOURCES[source][:-1]}, of {len(split):,}"
    keep = {"key": "image", "bind": "query-params", "label_visibility": "collapsed"}
    row = int(st.number_input(label, 0, len(split) - 1, width=150, **keep))
    if split.ids[row] != str(row):
        help = "Type the id of an image to find it."
        st.text_input("Id", key="id", on_change=by_id, placeholder=f"id {split.ids[row]}", width=110, help=help,
                      label_visibility="collapsed")  # fmt: skip
    st.button("Another", on_click=by_chance, help="An image of this set by chance.")
    return row


def _pick_class(images: "Dataset", source: str, row: int) -> None:
    if images.classes is None:
        return
    labels, classes = getattr(images, source).labels, images.classes

    def by_class() -> None:
        chosen = st.session_state["class"]  # None when the class that is shown is pressed again
        rows = np.flatnonzero(labels == (classes.index(chosen) if chosen else labels[row]))
        later = rows if chosen else rows[rows > row]
        st.session_state["image"] = int(later[0] if len(later) else rows[0])

    st.session_state["class"] = classes[labels[row]]
    help = "The first image of a class; press again for the next one."
    st.pills("Class", classes, key="class", on_change=by_class, help=help, label_visibility="collapsed")


def _own(images: "Dataset", source: str) -> Query:
    """A picture from outside, as the network will see it."""
    dark = _cached.edge(images.name) < 128
    given, told = st.columns([2, 3], vertical_alignment="center")
    with given:
        if source == "drawing":
            content = drawing_board(f"board-{images.name}", images.shape, dark)
        else:
            kept = f"own-{source}"

            def forget() -> None:
                st.session_state.pop(kept, None)

            if source == "camera":
                file = st.camera_input("A photo", key="own-photo", on_change=forget, label_visibility="collapsed")
            else:
                file = st.file_uploader(
                    "A picture", list(SUFFIXES), max_upload_size=LARGEST_BYTES // 10**6, key="own-file",
                    on_change=forget, label_visibility="collapsed",
                )  # fmt: skip
            content = file.getvalue() if file else st.session_state.get(kept, b"")
            if len(content) <= KEPT:
                st.session_state[kept] = content
    with told:
        if not content:
            words = {"drawing": "Draw something.", "camera": "Take a photo.", "upload": "Choose a picture of your own."}
            st.write(f"{words[source]} It is brought to {images.shape[1]} x {images.shape[2]} pixels.")
            st.stop()
        digest = sha256(content).hexdigest()
        picture, problem = _cached.picture(digest, images.shape, False, content)
        if picture is None:
            st.text(problem)
            st.stop()
        if source == "drawing":
            ink = "White on black" if dark else "Black on white"
            st.caption(f"{ink}, as this set is; the network sees {images.shape[2]} x {images.shape[1]} pixels of it.")
        else:
            if st.session_state.get("own-known") != digest:  # a new one: dark on light, where the set is light on dark?
                st.session_state["own-known"] = digest
                st.session_state["invert"] = dark != (picture.edge < 128)
            help = "Swap black and white. This set shows light things on a dark ground." if dark else None
            if st.toggle("Invert", key="invert", help=help, persist_state="session"):
                picture, _ = _cached.picture(digest, images.shape, True, content)
            line = ", ".join([f"{picture.width} x {picture.height} pixels", *picture.notes])
            st.caption(f"{line}. Shown as the network sees it: {images.shape[2]} x {images.shape[1]}.")
    names = {"drawing": "Your drawing", "camera": "Your photo", "upload": "Your picture"}
    return Query(picture.pixels, names[source])
