"""The latent map: every image at the place of its code."""

import streamlit as st

from pages import _cached, _controls, _view
from pages._widgets import open_run
from pages.acts import beside, map, path, portraits, selection, units
from pages.acts.layout import arrange

head = st.container(horizontal=True, vertical_alignment="bottom")
head.title("Manifold", width="content")
view = open_run("blocks-map")
checkpoint = _cached.checkpoint(view)
flat, variational = checkpoint.run.model.latent == 2, checkpoint.run.model.prior is not None

layout = arrange(view, head, beside.choose(view))
view, mode = layout.view, layout.mode
if mode == "units":
    portraits.portraits(view)
    _view.stop()
if layout.beside:
    beside.side_by_side(layout)
    _view.stop()
split = _cached.split(view)
code_of = lambda row: checkpoint.encode(split.images[row : row + 1])[0]  # noqa: E731

left, right = st.columns([5, 3], gap="medium")
with right:
    tools = {"image": "Image", "path": "Path", "selection": "Selection", "dice": "Dice", "trust": "Trust"}
    if not variational:
        del tools["dice"]
    tool = _controls.segments("tool", "Look at", tools, "image", wrap=True, label_visibility="collapsed")
    marks, row = {}, map.picked_row(view)
    if tool in ("image", "dice") and not (mode == "decoder" and flat and tool == "image"):
        map.row_field(view)
    if tool == "selection":
        selection.selection(view, map.selected(map.area(view)))
    elif tool == "path":
        marks = path.path(view)
    elif tool == "dice":
        marks = path.samples(view, row)
    elif tool == "trust":
        map.numbers(view)
    elif mode == "decoder" and flat:
        marks = units.place(view)
    elif mode == "decoder":
        made = units.rack(view, code_of(row), row)
    else:
        units.image(view, row)
with left:
    more = st.container()
    if mode == "decoder" and not flat:
        units.traversals(view, made if tool == "image" else code_of(row))
    else:
        map.draw(view, layout.color, mode, layout.tile, row, marks)
    map.quality(view)
if mode != "decoder" or flat:
    map.send_pictures(view)
if layout.asked(view):
    with more:
        map.lay_out(view)
