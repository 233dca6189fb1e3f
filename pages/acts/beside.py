"""The maps of two runs on the same images, side by side: pointer, selection and colors are shared."""

import numpy as np
import streamlit as st

from aecore.pixels import to_floats
from pages import _cached, _controls, _view
from pages._view import View
from pages._widgets import facts, learned, picture, titles
from pages._words import erring, plain
from pages.acts import map, selection, units
from pages.acts.layout import Layout
from pages.acts.wait import need_codes

TOOLS = {"image": "Image", "selection": "Selection"}


def choose(view: View) -> View | None:
    """Another run on the same images, chosen in the sidebar; None for none, or where it cannot be shown."""
    name, names = _cached.images(view).name, titles()
    options = {"": "none"} | {run: names[run] for run in names if run != view.run and run.partition("-")[0] == name}
    asked, found, why = _view.get("beside", "", (name,)), None, ""
    if asked and asked in options:
        found = learned(asked)
        why = "" if found else "has nothing to show yet"
    elif asked not in ("", view.run):
        why = "was trained on other images" if asked in names else "is not on this server"
    if why:
        st.toast(f"The run beside this one {why}, so this map is shown alone.")
    if not found:
        _view.put("beside", None, (name,))
        _view.forget(["beside-area"])
    with st.sidebar:
        if len(options) > 1:
            help = "Two maps of the same images: pointer, selection and colors are shared."
            _controls.choice("beside", "Beside another run", options, "", (name,), help=help)
        if found:
            facts(found)
    return found


def side_by_side(layout: Layout) -> None:
    """Both maps, and below them the image that is looked at, or the selection."""
    view, beside, row = layout.view, layout.beside, map.picked_row(layout.view)
    columns = st.columns(2, gap="medium")
    above, below = [column.container() for column in columns], st.container()
    for column, key, each, other in zip(columns, map.AREAS, (view, beside), (beside, view), strict=True):
        with column.container(gap="xxsmall"):
            st.markdown(f"**{plain(titles()[each.run])}**")
            need_codes(each, "train", each.split)
            map.draw(each, layout.color, layout.mode, layout.tile, row, {}, other, key)
            map.quality(each)
            map.send_pictures(each, key)
    with below:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            tool = _controls.segments("tool", "Look at", TOOLS, "image", label_visibility="collapsed")
            if tool == "image":
                map.row_field(view)
        if tool == "image":
            _image(view, beside, row)
        else:
            with st.columns(2)[0]:
                selection.selection(view, map.selected(map.area(view, beside)))
    for place, each in zip(above, (view, beside), strict=True):
        if layout.asked(each):
            with place:
                map.lay_out(each)
            return  # one at a time


def _image(view: View, beside: View, row: int) -> None:
    """The image, and what each run makes of it."""
    image = _cached.split(view).images[row : row + 1]
    original = _cached.original(_cached.images(view).name, view.split, row)
    with st.grid(4, min_column_width=150):
        with st.container():
            picture(image[0], f"Image {units.named(view, row)}", original=original)
        for each in (view, beside):
            rebuilt = _cached.checkpoint(each).reconstruct(image)
            error = np.square(rebuilt - to_floats(image)).mean()
            with st.container():
                picture(rebuilt[0], f"{titles()[each.run]}, {erring(error)}")
