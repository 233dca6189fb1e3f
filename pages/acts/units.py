"""The picked image or place: pictures, the rack of sliders for codes of many numbers, links to the other pages."""

from typing import Any

import numpy as np
import streamlit as st

from aecore import manifold
from aecore.figures import sheet
from aecore.pixels import to_floats
from pages import _cached, _controls, _view
from pages._view import View
from pages._widgets import go, picture
from pages._words import erring
from pages.components.live import Follower, live

RACK = 8
STEPS = 11


def named(view: View, row: int) -> str:
    """What an image of a split is called, and what is known of it."""
    images, split = _cached.images(view), _cached.split(view)
    kind = [] if split.labels is None else [images.classes[split.labels[row]]]
    return ", ".join([split.ids[row], *(f"{name} {values[row]:g}" for name, values in split.factors.items()), *kind])


def pair(view: View, row: int) -> None:
    """An image, its reconstruction, and what is known of it."""
    images, name = _cached.images(view), named(view, row)
    one = _cached.split(view).images[row : row + 1]
    rebuilt = _cached.checkpoint(view).reconstruct(one)
    if content := _cached.original(images.name, view.split, row):
        picture(one[0], name, original=content)
    pair = st.columns(2)
    with pair[0]:
        picture(one[0], "As the network sees it" if content else f"Image {name}")
    with pair[1]:
        error = np.square(rebuilt - to_floats(one)).mean()
        picture(rebuilt[0], f"Reconstruction, {erring(error)}")


def image(view: View, row: int) -> None:
    """An image, its reconstruction, what is known of it, and what to do with it."""
    pair(view, row)
    images = _cached.images(view)
    with st.container(horizontal=True):
        for page, label in (("denoise", "Use in Denoise"), ("search", "Find similar")):
            if st.button(label):
                go(page, run=view.run, source=view.split, image=row)
    with st.container(horizontal=True):
        for end in "ab":
            words = f"Path {'from' if end == 'a' else 'to'} here"
            st.button(words, on_click=_begin_path, args=(end, row, images.name, view.split))


def _begin_path(end: str, row: int, name: str, split: str) -> None:
    _view.put(end, row, (name, split))
    _view.put("tool", "path")


def place(view: View) -> dict[str, Any]:
    """The decoder at a place of the plane; returns the mark of it."""
    with st.container(horizontal=True):
        where = [
            _controls.number(axis, f"Unit {unit}", -1e6, 1e6, 0.0, (view.run,), step=0.1, width=130)
            for unit, axis in enumerate("xy", start=1)
        ]
    decoded = _cached.checkpoint(view).decode([where])[0]
    with st.container(width=240):
        picture(decoded, f"Decoded from ({where[0]:.2f}, {where[1]:.2f})", side=280)
    prior = " and of the prior" if _cached.checkpoint(view).run.model.prior else ""
    st.caption(
        "Hatched: far from all training images, so the decoder is guessing.",
        help=f"The small pictures cover nearly all of the codes{prior}, in each direction.",
    )
    return {"place": where}


def rack(view: View, code: np.ndarray, row: int) -> np.ndarray:
    """Sliders for the most active units of a code (latent,), and the decoded picture; returns the code they make."""
    known, scope = _cached.units(view), (view.run, view.split, row)
    order = known["order"][:RACK].tolist()
    moved = {unit: value for unit, value in _view.get("units", {}, scope).items() if unit in order}

    def move(unit: int) -> None:
        _view.put("units", {**moved, unit: st.session_state[f"unit-{unit}"]}, scope, {})

    left, right = st.columns(2, vertical_alignment="bottom")
    with right:
        st.caption(f"The code of image {row}. The sliders move its most active units.")
        st.button(f"Reset to image {row}", on_click=_view.put, args=("units", None, scope), disabled=not moved)
    made = code.copy()
    name = "KL divergence, nats" if _cached.checkpoint(view).run.model.prior else "variance"
    sliders = st.columns(2)
    for place, unit in enumerate(order):
        low, high = float(known["low"][unit]), float(known["high"][unit])
        shown = min(max(float(moved.get(unit, code[unit])), low), high)
        if unit in moved:
            made[unit] = shown
        key = f"unit-{unit}"
        _view.hand(key, shown)
        with sliders[place % 2]:
            st.slider(
                f"Unit {unit + 1} · {known['activity'][unit]:.2g}", low, high, shown, (high - low) / 100, key=key,
                format="%.2f", help=f"{name} {known['activity'][unit]:.3g}; from its 1st to its 99th percentile.",
                on_change=move, args=(unit,),
            )  # fmt: skip
    with left, st.container(key="rack-decoded"):
        picture(_cached.checkpoint(view).decode(made[None])[0], "Decoded", side=168)
    half = view.half("decoder")
    live(
        "rack", _cached.shape(view), [Follower("rack-decoded", "code", [half])], {"code": made[None]},
        {half: _cached.decoder_part(view)}, units={f"unit-{unit}": unit for unit in order},
    )  # fmt: skip
    return made


def traversals(view: View, code: np.ndarray) -> None:
    """What each of the most active units does: one line of pictures per unit, the rest of the code kept."""
    known = _cached.units(view)
    order = known["order"][:RACK].tolist()
    lines = [manifold.traverse(code, unit, known["low"][unit], known["high"][unit], STEPS) for unit in order]
    decoded = _cached.checkpoint(view).decode(np.concatenate(lines))
    st.image(
        sheet(decoded, columns=STEPS, scale=max(1, 56 // decoded.shape[2]), gap=2), width="stretch",
        alt=f"Decoded pictures while each of {RACK} units goes from low to high",
    )  # fmt: skip
    names = ", ".join(str(unit + 1) for unit in order)
    st.caption(
        f"Each row moves one unit of the code from its 1st to its 99th percentile over the test images; others "
        f"stay. From top to bottom: units {names}, the most active one first."
    )
