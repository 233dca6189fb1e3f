"""One query image and its nearest codes by cosine distance."""

import numpy as np
import streamlit as st

from pages import _cached
from pages._widgets import open_run, pick_image, picture

st.title("Search")
run, stamp = open_run("fashion_mnist-vanilla")
checkpoint = _cached.checkpoint(run, stamp)
images = _cached.dataset(checkpoint.run.dataset)

row = pick_image(images)
with st.container(horizontal=True, vertical_alignment="bottom"):
    galleries = {"train": "Training images", "test": "Test images"}
    gallery = st.segmented_control(
        "Search in", list(galleries), default="train", required=True, key="gallery", bind="query-params",
        format_func=galleries.get,
    )  # fmt: skip
    k = int(st.number_input("How many", 1, 100, 4, key="k", bind="query-params", width=120))

split = getattr(images, gallery)
query = images.test.images[row : row + 1]


def others(distances: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without the query itself, which is in the gallery when that is the test split."""
    keep = rows != row if gallery == "test" else np.ones(len(rows), bool)
    return distances[keep][:k], rows[keep][:k]


distances, rows = others(*_cached.index(run, stamp, gallery).nearest(checkpoint.encode(query)[0], k + 1))

left, right = st.columns([1, 3], gap="large")
with left:
    label = "" if images.test.labels is None else f", {images.classes[images.test.labels[row]]}"
    picture(query[0], f"Query: test image {images.test.ids[row]}{label}", side=280)
with right, st.grid(4, min_column_width=120):
    for distance, hit in zip(distances, rows, strict=True):
        with st.container():
            label = "" if split.labels is None else f", {images.classes[split.labels[hit]]}"
            picture(split.images[hit], f"**{distance:.4f}**  \n{split.ids[hit]}{label}")

line = (
    f"Cosine distance between codes of {checkpoint.run.model.latent} numbers, not centered, among {len(split):,} "
    f"{galleries[gallery].lower()}; 0 is the same direction."
)
if images.classes:
    plain = _cached.pixel_neighbors(images.name, gallery, row, k + 1)
    same = [int((split.labels[found] == images.test.labels[row]).sum()) for found in (rows, others(*plain)[1])]
    line = f"{same[0]} of {len(rows)} of the same class; raw pixels find {same[1]}. Training sees no labels. {line}"
st.caption(line)
