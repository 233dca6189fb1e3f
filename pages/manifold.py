"""The latent map: every image at the place of its code."""

import streamlit as st

from aecore.tags import tags
from pages import _cached, _cached_map, _map, _paths, _picture, _selection
from pages._widgets import open_run

head = st.container(horizontal=True, vertical_alignment="bottom")
head.title("Manifold", width="content")
run, stamp = open_run("blocks-map")
checkpoint = _cached.checkpoint(run, stamp)
images = _cached.dataset(checkpoint.run.dataset)
flat, variational = checkpoint.run.model.latent == 2, checkpoint.run.model.heads == 2
keep = {"required": True, "bind": "query-params"}

with head:
    mode = st.segmented_control("Show", ["Images", "Points", "Decoder"], default="Images", key="mode", **keep)
    splits = {"Training": "train", "Test": "test"}
    first = "Test" if len(images.test) >= 500 else "Training"
    split_name = splits[st.segmented_control("Images", list(splits), default=first, key="of", **keep)]
    split = getattr(images, split_name)
    given = ["tag"] if tags(images.name) else []
    colors = [*(["class"] if images.classes else []), *split.factors, "loss", "trust", *given, "none"]
    color = st.selectbox("Color", colors, key="color", bind="query-params", width=120)
    tile = 28
    if mode == "Images" or (mode == "Decoder" and flat):
        tile = st.slider("Picture size", 12, 64, 28, 4, key="tile", bind="query-params", width=130)
    way = "codes" if flat else st.segmented_control("Map by", ["PCA", "t-SNE"], default="PCA", key="by", **keep)

asked = way == "t-SNE" and not _cached_map.tsne_kept(run, stamp, split_name)
way = "PCA" if asked else way
if not 0 <= st.session_state.get("row", 0) < len(split):
    st.session_state["row"] = 0
_map.keep_area()
code_of = lambda row: checkpoint.encode(split.images[row : row + 1])[0]  # noqa: E731

left, right = st.columns([5, 3], gap="medium")
with right:
    tools = ["Image", "Path", "Selection", *(["Dice"] if variational else []), "Trust"]
    tool = st.segmented_control("Look at", tools, default="Image", key="tool", label_visibility="collapsed", **keep)
    marks = {}
    if tool in ("Image", "Dice") and not (mode == "Decoder" and flat and tool == "Image"):
        row = int(st.number_input("Image, by its row", 0, len(split) - 1, key="row", bind="query-params", width=150))
    if tool == "Selection":
        rows = _map.selected(run, stamp, split_name, way)
        _selection.selection(run, stamp, images, split_name, rows)
    elif tool == "Path":
        marks = _paths.path(run, stamp, images, split_name, way)
    elif tool == "Dice":
        marks = _paths.samples(run, stamp, images, split_name, row, way)
    elif tool == "Trust":
        _map.numbers(run, stamp)
    elif mode == "Decoder" and flat:
        marks = _picture.place(run, stamp)
    elif mode == "Decoder":
        made = _picture.rack(run, stamp, code_of(row), row)
    else:
        _picture.image(run, stamp, images, split_name, row)
with left:
    if asked:
        _map.lay_out(run, stamp, split_name)
    if mode == "Decoder" and not flat:
        _picture.traversals(run, stamp, made if tool == "Image" else code_of(st.session_state.get("row", 0)))
    else:
        title = _map.title(run, stamp, split_name, way)
        _map.draw(run, stamp, split_name, way, color, mode, tile, title, marks)
    quality = _cached.measured(run, stamp).get("map_quality")
    if quality and way != "t-SNE":
        ours, linear = quality["rows"]["map"], quality["rows"].get("PCA-2", {})
        beside = {name: f" (PCA {value:.3f})" for name, value in linear.items()}
        pairs = [f"{name} {value:.3f}{beside.get(name, '')}".replace("R^2", "R²") for name, value in ours.items()]
        st.caption(" · ".join(pairs), help=f"On {quality['images']:,} {quality['split']} images, 12 neighbors, seed 0.")
if mode != "Decoder" or flat:
    _map.send_pictures(run, stamp, split_name, flat)
