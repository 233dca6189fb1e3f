"""The selection as a tool: gallery, its average decoded, neighbors of that, a tag, and a file."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from aecore.export import csv_text
from aecore.figures import sheet
from aecore.pixels import to_floats
from aecore.tags import tag, tags, untag
from pages import _cached
from pages._view import View
from pages._visitor import drawer
from pages._widgets import toasting
from pages._words import sentence
from pages.acts.files import files

if TYPE_CHECKING:
    from aecore import Dataset

SHOWN = 40


def selection(view: View, rows: np.ndarray) -> None:
    """What to do with the selected rows (m,) of a split."""
    images, split = _cached.images(view), _cached.split(view)
    if not len(rows):
        st.write("Choose the lasso or the box above the map and draw around some images. Esc clears the selection.")
        _given(images.name, view.split)
        return
    st.markdown(f"**{len(rows):,}** of {len(split):,} images selected")
    scale = max(1, 42 // split.images.shape[2])
    st.image(sheet(split.images[rows[:SHOWN]], 10, scale, gap=2), width="stretch", alt="The selected images")
    codes = _cached.codes(view)
    average = codes[rows].mean(axis=0)
    near = np.argsort(np.square(codes - average).sum(axis=1), kind="stable")[:5]
    pictures = np.concatenate([_cached.checkpoint(view).decode(average[None]), to_floats(split.images[near])])
    st.image(sheet(pictures, 6, max(1, 84 // pictures.shape[2]), gap=2), width="stretch", alt="Average and neighbors")
    first = f"the first {SHOWN} of the selection" if len(rows) > SHOWN else "the selection"
    st.caption(f"Top: {first}. Bottom: its mean code, decoded, then the five images with the nearest codes.")
    with (
        st.form("tag-form", border=False, enter_to_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        word = st.text_input("Tag", key="tag-word", max_chars=40, width=150, placeholder="odd ones")
        tagged = st.form_submit_button("Tag them")
    if tagged and word.strip():
        new = not tags(images.name, drawer())
        try:
            tag(images.name, word, view.split, split.ids[rows], drawer())
        except ValueError as error:
            st.error(sentence(error))
        else:
            st.session_state["tagged"] = f"{len(rows):,} images tagged. Color the map by tag to see them."
            if new:
                st.rerun()  # the map can be colored by tag from now on
    if words := st.session_state.pop("tagged", ""):
        st.toast(words)
    with st.container(horizontal=True):
        files(images, view.split, rows, f"{view.run}-{view.split}-selection")
        st.download_button(
            "Table", _table(images, view.split, rows, codes), f"{view.run}-{view.split}-selection.csv", "text/csv",
            on_click="ignore", help="A table: row, id, class, known factors, tags, and codes of up to three units.",
        )  # fmt: skip
    _given(images.name, view.split)


def _given(name: str, split_name: str) -> None:
    """The tags that were given, and a way to take them back."""
    for place, (word, splits) in enumerate(tags(name, drawer()).items()):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"{word}: {len(splits.get(split_name, [])):,} images")
            st.button("Remove", key=f"untag-{place}", on_click=_untag, args=(name, word))


def _untag(name: str, word: str) -> None:
    with toasting():
        untag(name, word, drawer())


def _table(images: "Dataset", split_name: str, rows: np.ndarray, codes: np.ndarray) -> bytes:
    """The selected rows as CSV."""
    codes = codes if codes.shape[1] <= 3 else codes[:, :0]
    split = images.split(split_name)
    given = {word: set(splits.get(split_name, [])) for word, splits in tags(images.name, drawer()).items()}
    head = ["row", "id", "class", *split.factors, "tags", *(f"unit {n + 1}" for n in range(codes.shape[1]))]
    table = []
    for row in rows.tolist():
        kind = "" if split.labels is None else images.classes[split.labels[row]]
        words = "; ".join(word for word, ids in given.items() if split.ids[row] in ids)
        known = [f"{values[row]:g}" for values in split.factors.values()]
        table.append([row, split.ids[row], kind, *known, words, *(f"{number:.6g}" for number in codes[row])])
    return csv_text(head, table).encode()
