"""Every set of images, picture by picture; one's own are brought in here."""

import numpy as np
import streamlit as st

from aecore.data import DATASETS, own
from aecore.tags import tags
from pages import _cached, _controls, _view
from pages._visitor import drawer, owner
from pages._widgets import need_dataset, picture, reset_button, sets, toasting
from pages._words import counted, plain
from pages.acts.arrive import arriving, choose, preflight
from pages.acts.files import files
from pages.acts.lead import lead_on
from pages.components.wall import wall

SPLITS = {"train": "Training", "test": "Test"}

st.title("Images")
titles = sets()
with st.sidebar:
    reset_button()
choose(not titles.keys() - DATASETS)
if arriving():
    preflight()
    _view.stop()
asked = _view.get("set", "")
if asked and asked not in titles:
    st.toast("The images in this link are not here. Others are shown instead.")
of_run = (_view.picked() or "").partition("-")[0]
if of_run in titles and _view.get("set") is None:
    _view.put("set", of_run)
with st.container(horizontal=True, vertical_alignment="bottom"):
    name = _controls.choice("set", "Dataset", titles, next(iter(DATASETS)), width=300)
    images = need_dataset(name)
    of = _controls.segments("of", "Split", SPLITS, "train", label_visibility="collapsed")
    split = images.split(of)
    rows, only, tag = np.arange(len(split)), "", ""
    if split.labels is not None:
        classes = {"": "All classes", **{str(place): kind for place, kind in enumerate(images.classes)}}
        only = _controls.choice("only", "Class", classes, "", (name,), width=200, label_visibility="collapsed")
        rows = np.flatnonzero(split.labels == int(only)) if only else rows
    if known_tags := tags(name, drawer()):
        options = {"": "All tags", **{tag: tag for tag in known_tags}}
        tag = _controls.choice("tag", "Tag", options, "", (name,), width=200, label_visibility="collapsed")
        if tag:
            rows = rows[np.isin(split.ids[rows], known_tags[tag].get(of, []))]
    st.caption(counted(len(rows), "image"))
    if 0 < len(rows) < len(split):
        files(images, of, rows, f"{name}-{of}", [tag] * len(rows) if tag else None)
c, h, w = images.shape
kinds = "" if images.classes is None else f", {counted(len(images.classes), 'class', 'classes')}"
st.caption(
    f"{len(images.train):,} training and {len(images.test):,} test images of {w} x {h} pixels, "
    f"{'gray' if c == 1 else 'color'}{kinds}. {plain(images.source)}"
)

part, row = (name, of, only, tag), _view.get("row", None, (name, of))
if row is not None and row >= len(split):
    row = None
many, one = st.columns([5, 3], gap="medium")
with many:
    if len(rows):
        place = next(iter(np.flatnonzero(rows == row).tolist()), None) if row is not None else None
        first = min(_view.get("from", place or 0, part), len(rows) - 1)

        def press(row: int) -> None:
            _view.put("row", row, (name, of))
            _view.put("from", first, part)  # what is in view stays there

        wall(
            f"assets/pictures/{name}/{of}", rows, len(split), "wall-of-images", "Images", h / w,
            first, place, press,
            on_rest=lambda place: _view.put("from", place, part),
        )  # fmt: skip
    else:
        st.write("No image of this kind is in this split.")
with one:
    if row is not None:
        content = _cached.original(name, of, row)
        kind = "" if split.labels is None else f", {images.classes[split.labels[row]]}"
        picture(split.images[row], f"{split.ids[row]}{kind}", original=content)
        if content:
            picture(split.images[row], "As the network sees it", side=128)
        lead_on(images, of, row)
    lead_on(images)
if name not in DATASETS:
    known = own.about(name)
    facts = [
        f"Kind of file: {known['kind']}",
        *([f"{counted(known['skipped'], 'file')} skipped"] if known["skipped"] else []),
        *([f"{counted(known['copies'], 'copy', 'copies')} of other images"] if known["copies"] else []),
        *([f"its name on the command line is {name}"] if owner() else []),
    ]
    st.caption(plain("; ".join(facts) + "."))
    with st.container(horizontal=True):
        if known["skipped"]:
            st.download_button("List of skipped files", own.skipped(name), f"{name}-skipped.csv", "text/csv",
                               on_click="ignore", type="tertiary")  # fmt: skip
        with st.popover("Delete these images", type="tertiary"):
            st.write(
                "They are deleted permanently. Runs trained on them stay and can still be downloaded, but only Train "
                "shows them, and they cannot be trained further."
            )
            if st.button("Delete permanently"):
                with toasting():
                    own.delete_own(name)
                    st.session_state["toast"] = "The images were deleted."
                    _view.put("set", None)
                st.rerun()
