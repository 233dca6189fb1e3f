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

left, right = st.columns([2, 1], gap="large")
with left:
    figure = _cached.map_figure(run, stamp, split_name, mode, cells, color, count)
    event = st.plotly_chart(
        figure,
        key=f"map-{run}-{mode}",
        on_select="rerun",
        selection_mode="points",
        config={"displaylogo": False, "scrollZoom": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
        alt=f"Map of {len(split):,} images by their codes",
    )
    st.caption(shown)
    if quality := _cached.measured(run, stamp).get("map_quality"):
        ours, linear = quality["rows"]["map"], quality["rows"].get("PCA-2", {})
        pairs = [
            f"{name} {value:.3f}" + (f" (PCA {linear[name]:.3f})" if name in linear else "")
            for name, value in ours.items()
        ]
        st.caption(" · ".join(pairs), help=f"On {quality['images']:,} {quality['split']} images, 12 neighbors, seed 0.")
with right:
    chosen = [point["customdata"] for point in event.selection.points if "customdata" in point]
    if not chosen:
        st.write("Click the map to see what is there.")
    elif mode == "Decoder":
        place = np.array([[event.selection.points[0]["x"], event.selection.points[0]["y"]]], np.float32)
        picture(checkpoint.decode(place)[0], f"Decoded at ({place[0, 0]:.2f}, {place[0, 1]:.2f})")
    else:
        row = int(np.ravel(chosen[0])[0])
        one = split.images[row : row + 1]
        facts = [f"{name} {values[row]:g}" for name, values in split.factors.items()]
        if split.labels is not None:
            facts.append(images.classes[split.labels[row]])
        pair = st.columns(2)
        with pair[0]:
            picture(one[0], f"Image {split.ids[row]}" + (": " if facts else "") + ", ".join(facts))
        with pair[1]:
            picture(checkpoint.reconstruct(one)[0], "Its reconstruction")
    if checkpoint.run.model.heads == 2:
        st.subheader("New images")
        dice = st.number_input("Seed", 0, 10_000, 0, key="dice", bind="query-params", width=140)
        drawn = checkpoint.sample(24, seed=dice)
        st.image(sheet(drawn, columns=6, scale=max(1, 84 // drawn.shape[2]), gap=3), width="stretch")
        st.caption("Decoded from 24 draws of the prior, the unit Gaussian.")
