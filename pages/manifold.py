"""The latent map: every image at the place of its code."""

import streamlit as st

from aecore.tags import tags
from pages import _cached, _cached_map, _controls
from pages._widgets import open_run
from pages.acts import map, path, selection, units

head = st.container(horizontal=True, vertical_alignment="bottom")
head.title("Manifold", width="content")
run, stamp = open_run("blocks-map")
checkpoint = _cached.checkpoint(run, stamp)
images = _cached.dataset(checkpoint.run.dataset)
flat, variational = checkpoint.run.model.latent == 2, checkpoint.run.model.prior is not None

with head:
    mode = _controls.segments("mode", "Show", map.MODES, "images")
    first = "test" if len(images.test) >= 500 else "train"
    split_name = _controls.segments("of", "Images", map.SPLITS, first)
    split = images.split(split_name)
    given = ["tag"] if tags(images.name) else []
    colors = [*(["class"] if images.classes else []), *split.factors, "loss", "trust", *given, "none"]
    color = _controls.choice("color", "Color", colors, colors[0], width=120)
    tile = 28
    if mode == "images" or (mode == "decoder" and flat):
        tile = _controls.slider("tile", "Picture size", 12, 64, 28, 4, width=130)
    way = "codes" if flat else _controls.segments("by", "Map by", map.WAYS, "pca")

asked = way == "tsne" and not _cached_map.tsne_kept(run, stamp, split_name)
way = "pca" if asked else way
code_of = lambda row: checkpoint.encode(split.images[row : row + 1])[0]  # noqa: E731

left, right = st.columns([5, 3], gap="medium")
with right:
    tools = {"image": "Image", "path": "Path", "selection": "Selection", "dice": "Dice", "trust": "Trust"}
    if not variational:
        del tools["dice"]
    tool = _controls.segments("tool", "Look at", tools, "image", label_visibility="collapsed")
    marks, row = {}, map.picked_row(images.name, split_name, len(split))
    if tool in ("image", "dice") and not (mode == "decoder" and flat and tool == "image"):
        map.row_field(images.name, split_name, len(split))
    if tool == "selection":
        rows = map.selected(run, stamp, split_name, way)
        selection.selection(run, stamp, images, split_name, rows)
    elif tool == "path":
        marks = path.path(run, stamp, images, split_name, way)
    elif tool == "dice":
        marks = path.samples(run, stamp, images, split_name, row, way)
    elif tool == "trust":
        map.numbers(run, stamp)
    elif mode == "decoder" and flat:
        marks = units.place(run, stamp)
    elif mode == "decoder":
        made = units.rack(run, stamp, code_of(row), split_name, row)
    else:
        units.image(run, stamp, images, split_name, row)
with left:
    layout = st.container()
    if mode == "decoder" and not flat:
        units.traversals(run, stamp, made if tool == "image" else code_of(row))
    else:
        title = map.title(run, stamp, split_name, way)
        map.draw(run, stamp, split_name, way, color, mode, tile, title, row, marks)
    map.quality(run, stamp, way)
if mode != "decoder" or flat:
    map.send_pictures(run, stamp, split_name, flat)
if asked:
    with layout:
        map.lay_out(run, stamp, split_name)
