"""The latent map: every image at the place of its code."""

import numpy as np
import streamlit as st

from aecore.figures import sheet
from pages import _cached
from pages._widgets import open_run, picture

st.title("Manifold")
run, stamp = open_run("blocks")
checkpoint = _cached.checkpoint(run, stamp)
images = _cached.dataset(checkpoint.run.dataset)
flat = checkpoint.run.model.latent == 2

modes = ["Images", "Points", "Decoder"] if flat else ["Images", "Points"]
with st.container(horizontal=True, vertical_alignment="bottom"):
    mode = st.segmented_control("Show", modes, default="Images", required=True, key="mode", bind="query-params")
    splits = {"train": "Training images", "test": "Test images"}
    split_name = st.segmented_control(
        "Of", list(splits), default="train", required=True, key="of", bind="query-params", format_func=splits.get
    )
    split = getattr(images, split_name)
    color, cells, count = "none", 28, len(split)
    if mode == "Points":
        colors = [*(["class"] if images.classes else []), *split.factors, "none"]
        color = st.selectbox("Color by", colors, key="color", bind="query-params", width=140)
        most = min(len(split), 80_000)
        count = st.slider("Points", 1, most, min(most, 10_000), key="points", bind="query-params", width=180)
    else:
        cells = st.slider("Images across", 10, 40, 28, key="across", bind="query-params", width=180)

axes = (
    "the two numbers of its code"
    if flat
    else f"the two principal components of its {checkpoint.run.model.latent} numbers"
)
latent = checkpoint.run.model.latent
axes = "the two numbers of its code" if flat else f"the two principal components of its {latent} numbers"
shown = {
    "Images": f"Each image stands at {axes}; where they crowd, the one nearest to the middle of its cell.",
    "Points": f"{count:,} of {len(split):,} images, seed 0, each at {axes}.",
    "Decoder": "What the decoder makes of every place; far from any code it is guessing.",
}[mode]

key = f"map-{run}-{mode}"


def pick() -> None:
    """A click on the map moves the controls at its right, and so the address."""
    points = st.session_state[key].selection.points
    if points and mode == "Decoder":
        st.session_state["x"], st.session_state["y"] = (round(float(points[0][axis]), 2) for axis in ("x", "y"))
    elif points:
        st.session_state["row"] = int(np.ravel(points[0]["customdata"])[0])


left, right = st.columns([2, 1], gap="large")
with left:
    st.plotly_chart(
        _cached.map_figure(run, stamp, split_name, mode, cells, color, count),
        key=key,
        on_select=pick,
        selection_mode="points",
        config={"displaylogo": False, "scrollZoom": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
        alt=f"Map of {len(split):,} images by their codes",
    )
    st.caption(shown)
    if quality := _cached.measured(run, stamp).get("map_quality"):
        ours, linear = quality["rows"]["map"], quality["rows"].get("PCA-2", {})
        beside = {name: f" (PCA {value:.3f})" for name, value in linear.items()}
        pairs = [f"{name} {value:.3f}{beside.get(name, '')}" for name, value in ours.items()]
        st.caption(" · ".join(pairs), help=f"On {quality['images']:,} {quality['split']} images, 12 neighbors, seed 0.")
with right:
    st.caption("Click the map, or type.")
    if mode == "Decoder":
        with st.container(horizontal=True):
            place = [st.number_input(axis, step=0.1, key=axis, bind="query-params", width=130) for axis in "xy"]
        place = [number if abs(number) < 1e6 else 0.0 for number in place]  # a link may say nan or 1e99
        picture(checkpoint.decode([place])[0], f"Decoded from ({place[0]:.2f}, {place[1]:.2f})")
    else:
        if not 0 <= st.session_state.get("row", 0) < len(split):
            st.session_state["row"] = 0
        row = int(st.number_input("Image", 0, len(split) - 1, key="row", bind="query-params", width=130))
        facts = [f"{name} {values[row]:g}" for name, values in split.factors.items()]
        if split.labels is not None:
            facts.append(images.classes[split.labels[row]])
        pair = st.columns(2)
        with pair[0]:
            picture(split.images[row], f"Image {', '.join([split.ids[row], *facts])}")
        with pair[1]:
            picture(checkpoint.reconstruct(split.images[row : row + 1])[0], "Its reconstruction")
    if checkpoint.run.model.heads == 2:
        st.subheader("New images")
        dice = st.number_input("Seed", 0, 10_000, 0, key="dice", bind="query-params", width=140)
        drawn = checkpoint.sample(24, seed=dice)
        st.image(sheet(drawn, columns=6, scale=max(1, 84 // drawn.shape[2]), gap=3), width="stretch")
        st.caption("Decoded from 24 draws of the prior, the unit Gaussian.")
