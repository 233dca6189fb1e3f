"""The latent map: every image at the place of its code."""

import streamlit as st

from aecore.figures import sheet
from pages import _cached, _map
from pages._widgets import open_run, picture

st.title("Manifold")
run, stamp = open_run("blocks")
checkpoint = _cached.checkpoint(run, stamp)
images = _cached.dataset(checkpoint.run.dataset)
latent = checkpoint.run.model.latent
flat = latent == 2
way = "codes" if flat else "PCA"

with st.container(horizontal=True, vertical_alignment="bottom"):
    modes = ["Images", "Points", "Decoder"] if flat else ["Images", "Points"]
    mode = st.segmented_control("Show", modes, default="Images", required=True, key="mode", bind="query-params")
    splits = {"train": "Training images", "test": "Test images"}
    first = "test" if len(images.test) >= 500 else "train"
    split_name = st.segmented_control(
        "Of", list(splits), default=first, required=True, key="of", bind="query-params", format_func=splits.get
    )
    split = getattr(images, split_name)
    colors = [*(["class"] if images.classes else []), *split.factors, "loss", "trust", "none"]
    color = st.selectbox("Color by", colors, key="color", bind="query-params", width=140)
    tile = st.slider("Size of a picture", 12, 64, 28, 4, key="tile", bind="query-params", width=160)

if not 0 <= st.session_state.get("row", 0) < len(split):
    st.session_state["row"] = 0
_map.keep_area()
shown = min(len(split), 80_000)
title = f"{shown:,} of {len(split):,} {splits[split_name].lower()}"

left, right = st.columns([2, 1], gap="large")
with left:
    marks = {}
    if mode == "Decoder":
        marks["place"] = [st.session_state.get(axis, 0.0) for axis in "xy"]
    _map.draw(run, stamp, split_name, way, color, mode, tile, title, marks)
    if quality := _cached.measured(run, stamp).get("map_quality"):
        ours, linear = quality["rows"]["map"], quality["rows"].get("PCA-2", {})
        beside = {name: f" (PCA {value:.3f})" for name, value in linear.items()}
        pairs = [f"{name} {value:.3f}{beside.get(name, '')}" for name, value in ours.items()]
        st.caption(" · ".join(pairs), help=f"On {quality['images']:,} {quality['split']} images, 12 neighbors, seed 0.")
with right:
    if mode == "Decoder":
        with st.container(horizontal=True):
            place = [st.number_input(axis, step=0.1, key=axis, bind="query-params", width=130) for axis in "xy"]
        place = [number if abs(number) < 1e6 else 0.0 for number in place]  # a link may say nan or 1e99
        picture(checkpoint.decode([place])[0], f"Decoded from ({place[0]:.2f}, {place[1]:.2f})")
    else:
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
_map.send_pictures(run, stamp, split_name, flat)
