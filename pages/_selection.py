"""The selection as a tool: gallery, its average decoded, neighbors of that, a label, and a file."""

import csv
import io
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from aecore.figures import sheet
from aecore.tags import tag, tags, untag
from pages import _cached

if TYPE_CHECKING:
    from aecore import Dataset

SHOWN = 40


def selection(run: str, stamp: str, images: "Dataset", split_name: str, rows: np.ndarray) -> None:
    """What to do with the selected rows (m,) of a split."""
    split, checkpoint = getattr(images, split_name), _cached.checkpoint(run, stamp)
    if not len(rows):
        st.write("Draw around some images: choose the lasso or the box above the map. Esc clears the selection.")
        _labels(images.name, split_name)
        return
    st.markdown(f"**{len(rows):,}** of {len(split):,} images selected")
    scale = max(1, 42 // split.images.shape[2])
    st.image(sheet(split.images[rows[:SHOWN]], 10, scale, gap=2), width="stretch", alt="The selected images")
    codes = _cached.codes(run, stamp, split_name)
    average = codes[rows].mean(axis=0)
    near = np.argsort(np.square(codes - average).sum(axis=1), kind="stable")[:5]
    pictures = np.concatenate([checkpoint.decode(average[None]), split.images[near] / np.float32(255)])
    st.image(sheet(pictures, 6, max(1, 84 // pictures.shape[2]), gap=2), width="stretch", alt="Average and neighbors")
    first = f"The first {SHOWN} above. " if len(rows) > SHOWN else ""
    st.caption(f"{first}Below: their average code decoded, then the five images whose codes are nearest to it.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.text_input("Label", key="label", max_chars=40, width=150, placeholder="odd ones")
        if st.button("Label them", disabled=not label.strip()):
            tag(images.name, label, split_name, split.ids[rows])
            st.toast(f"{len(rows):,} images are now labeled. Color the map by tag to see them.")
        st.download_button(
            "Export", _table(images, split_name, rows, codes), f"{run}-{split_name}-selection.csv", "text/csv",
            on_click="ignore", help="A table: row, id, class, known factors, labels, and codes of up to three numbers.",
        )  # fmt: skip
    _labels(images.name, split_name)


def _labels(name: str, split_name: str) -> None:
    """The labels that were given, and a way to take them back."""
    for place, (label, splits) in enumerate(tags(name).items()):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"{label}: {len(splits.get(split_name, [])):,} images")
            st.button("Remove", key=f"untag-{place}", on_click=untag, args=(name, label))


def _table(images: "Dataset", split_name: str, rows: np.ndarray, codes: np.ndarray) -> bytes:
    """The selected rows as CSV."""
    codes = codes if codes.shape[1] <= 3 else codes[:, :0]
    split = getattr(images, split_name)
    given = {label: set(splits.get(split_name, [])) for label, splits in tags(images.name).items()}
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["row", "id", "class", *split.factors, "labels", *(f"code {n}" for n in range(codes.shape[1]))])
    for row in rows.tolist():
        kind = "" if split.labels is None else images.classes[split.labels[row]]
        labels = "; ".join(label for label, ids in given.items() if split.ids[row] in ids)
        known = [f"{values[row]:g}" for values in split.factors.values()]
        table.writerow([row, split.ids[row], kind, *known, labels, *(f"{number:.6g}" for number in codes[row])])
    return text.getvalue().encode()
