"""The map itself: which parts it is made of, and what a click, a lasso or a place on it changes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from pages import _cached
from pages.components.latent_map import event, latent_map, send


def area() -> list[tuple[float, float]]:
    """Corners of the selected area, from the address; empty without a selection."""
    text = st.session_state.get("area", st.query_params.get("area", ""))
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return []
    whole = len(numbers) >= 6 and len(numbers) % 2 == 0 and len(numbers) <= 200 and np.isfinite(numbers).all()
    return list(zip(numbers[::2], numbers[1::2], strict=True)) if whole else []


def keep_area() -> None:
    """Write the selected area into the address, where a link to another page drops it."""
    text = ",".join(f"{number:g}" for corner in area() for number in corner)
    st.session_state["area"] = text
    if text:
        st.query_params["area"] = text
    else:
        st.query_params.pop("area", None)


def draw(
    run: str, stamp: str, split: str, way: str, color: str, mode: str, tile: int, title: str, marks: Mapping[str, Any]
) -> None:
    """The map of a split, with its points and colors; `send_pictures` brings the rest."""
    key, images = "map", _cached.checkpoint(run, stamp).run.dataset
    about = f"{run} {stamp} {split}"
    if way == "t-SNE":
        about += f" t-SNE {len(_cached.mapped(run, stamp, split, way)[0])}"
    parts = {
        "points": f"{about} {way}", "colors": f"{about} {way} {color}", "pictures": f"{images} {split} pictures",
        "rebuilt": f"{run} {stamp} {split} rebuilt", "lattice": f"{run} {stamp} lattice",
    }  # fmt: skip

    def click() -> None:
        row = event(key, "click")
        if row is not None:
            st.session_state["row"] = int(row)

    def place() -> None:
        where = event(key, "place")
        if where is not None:
            st.session_state["x"], st.session_state["y"] = (round(float(number), 3) for number in where)

    def select() -> None:
        corners = event(key, "area")
        if corners is not None:
            st.session_state["area"] = ",".join(f"{float(number):g}" for corner in corners for number in corner)
            st.session_state["tool"] = "Selection" if corners else "Image"

    latent_map(
        key, parts, title=title, alt=f"Map of images by their codes: {title}", mode=mode, tile=tile,
        row=st.session_state.get("row"), area=area(), marks=marks, on_click=click, on_place=place, on_area=select,
    )  # fmt: skip
    with st.container(key="map-parts", gap=None):
        send("points", _cached.points_part(run, stamp, split, way, parts["points"]))
        send("colors", _cached.colors_part(run, stamp, split, way, color, parts["colors"]))


def send_pictures(run: str, stamp: str, split: str, flat: bool) -> None:
    """What comes after the map: pictures, reconstructions and, for codes of two numbers, the decoder's lattice."""
    images = _cached.checkpoint(run, stamp).run.dataset
    with st.container(key="map-pictures", gap=None):
        send("pictures", _cached.pictures_part(images, split, f"{images} {split} pictures"))
        if flat:
            send("lattice", _cached.lattice_part(run, stamp, f"{run} {stamp} lattice"))
        send("rebuilt", _cached.rebuilt_part(run, stamp, split))
