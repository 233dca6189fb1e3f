"""Paths between two images, and draws around one image or from nowhere."""

from typing import Any

import numpy as np
import streamlit as st

from aecore import manifold
from aecore.figures import sheet
from aecore.pixels import to_floats
from pages import _cached, _controls, _view
from pages._view import View
from pages._widgets import picture
from pages.components.live import Follower, Line, live

FRAMES = 9
BETWEEN = 4
"""Steps of the slider from one frame of the strip to the next."""


def path(view: View) -> dict[str, Any]:
    """From image A to image B through the code, beside the plain cross-fade of pixels; returns the marks of it."""
    split, checkpoint = _cached.split(view), _cached.checkpoint(view)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        scope = (_cached.images(view).name, view.split)
        ends = [
            _controls.number(key, label, 0, len(split) - 1, min(first, len(split) - 1), scope, width=92)
            for key, label, first in (("a", "From", 0), ("b", "To", 1))
        ]
        kind = "straight"
        if checkpoint.run.model.prior:
            help = "Slerp follows an arc instead of a straight line: codes with many units lie near a sphere."
            kind = _controls.segments("line", "Line", manifold.WAYS, "straight", help=help)
    pair = to_floats(split.images[ends])
    count = (FRAMES - 1) * BETWEEN + 1
    along = manifold.path(*checkpoint.encode(split.images[ends]), count, kind)
    decoded = checkpoint.decode(along[::BETWEEN])
    fading = manifold.path(pair[0].ravel(), pair[1].ravel(), count).reshape(-1, *pair.shape[1:])
    frame = _controls.slider("frame", "Along the path", 1.0, float(FRAMES), (FRAMES + 1) / 2, 1 / BETWEEN)
    step = round((frame - 1) * BETWEEN)
    both = st.columns(2)
    with both[0], st.container(key="path-decoded"):
        picture(checkpoint.decode(along[step : step + 1])[0], "Through the code", side=168)
    with both[1], st.container(key="path-faded"):
        picture(fading[step], "Cross-fade of pixels", side=168)
    half = view.half("decoder")
    live(
        "path", _cached.shape(view), [Follower("path-decoded", "codes", [half]), Follower("path-faded", "pixels")],
        {"codes": along, "pixels": fading}, {half: _cached.decoder_part(view)},
        Line("frame", frame, 1.0, 1 / BETWEEN),
    )  # fmt: skip
    strip = np.concatenate([decoded, fading[::BETWEEN]])
    scale = max(1, 56 // strip.shape[2])
    st.image(
        sheet(strip, FRAMES, scale, gap=2), width="stretch", alt="Film strip: through the code above, cross-fade below"
    )
    if _view.shows("b"):
        st.caption("Press an image on the map to make it the end of the path.")
    steps = manifold.steps(decoded)
    words = " ".join(f"{step:.3f}" for step in steps)
    st.caption(
        f"The largest step is {steps.max() / steps.mean():.1f} times the mean step."
        if steps.max() > 1e-6
        else "Both ends are drawn alike: there is no way to go.",
        help=f"RMS change of the pixels from frame to frame: {words}.",
    )
    if view.way == "tsne":
        return {}
    spots = manifold.project(along, *_cached.axes(view))
    return {"path": spots[::BETWEEN].tolist(), "place": spots[step].tolist()}


def samples(view: View, row: int) -> dict[str, Any]:
    """Five draws from the cloud of one image, and new images from the prior; returns the marks of the cloud."""
    checkpoint = _cached.checkpoint(view)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button("Roll the dice", on_click=_roll, type="primary")
        seed = _controls.number("dice", "Seed", 0, 10_000, 0, width=120)
    mean, deviation = checkpoint.posterior(_cached.split(view).images[row : row + 1])
    drawn = mean + deviation * np.random.default_rng(seed).standard_normal((5, mean.shape[1])).astype(np.float32)
    decoded = checkpoint.decode(np.concatenate([mean, drawn]))
    scale = max(1, 84 // decoded.shape[2])
    st.image(sheet(decoded, 6, scale, gap=2), width="stretch", alt="Decoded mean and five samples")
    st.caption(
        f"The cloud of image {row}: decoded from its middle, then from five random places in it.",
        help=f"Its posterior. Its standard deviation is {deviation.mean():.3g} on average over the units.",
    )
    new = checkpoint.sample(24, seed=seed)
    st.image(sheet(new, 6, scale, gap=2), width="stretch", alt="24 new images")
    st.caption("24 new images, decoded from random codes.", help="Samples from the prior, the unit Gaussian.")
    if view.way == "tsne":
        return {}
    marks: dict[str, Any] = {"dots": manifold.project(drawn, *_cached.axes(view)).tolist()}
    if mean.shape[1] == 2:
        marks["ellipse"] = [*mean[0].tolist(), *deviation[0].tolist()]
    return marks


def _roll() -> None:
    _view.put("dice", (_view.get("dice", 0) + 1) % 10_001, default=0)
