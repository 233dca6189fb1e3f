"""Add noise to an image; every run on the same images repairs it, beside filters, with numbers under the pictures."""

import numpy as np
import streamlit as st

from aecore.measure.filters import filters
from aecore.measure.metrics import METRICS, compared
from aecore.measure.repair import NOTHING
from aecore.pixels import to_floats
from pages import _cached, _controls, _view
from pages._widgets import open_run, titles
from pages._words import plain
from pages.acts.query import pick_query
from pages.acts.repairs import choose_noise, follow, large, over_levels, runs_on_images, walk, whole_set, words
from pages.components.gallery import gallery

st.title("Denoise")
view = open_run("fashion-denoise")
run, checkpoint, images = view.run, _cached.checkpoint(view), _cached.images(view)

noise = choose_noise()
query = pick_query(images, blank=True)

clean = to_floats(query.image[None])
noisy = noise.added(clean)
runs = runs_on_images(view)
short = titles()
repaired = {id: other.reconstruct(noisy) for id, other in runs.items()} | {NOTHING: noisy}
asked = _view.get("repair", run)


def show(chosen: str) -> None:
    """The image, the noisy one, and what is made of that, large."""
    large(clean, noisy, repaired[chosen], query.name, short.get(chosen, chosen))
    follow(clean, noise, _cached.newest(chosen) if chosen in runs else None, query.drawn)


shown, below = st.container(), st.container()
if asked in repaired:  # the filters take their time; this does not need them
    with shown:
        show(asked)
with below, st.spinner("Fitting the filters to this noise"):
    filtered = filters(noisy, images, noise.kind, noise.level, noise.clip)
if asked not in repaired:
    repaired |= filtered
    with shown:
        show(asked if asked in repaired else run)
repaired |= filtered
keys = list(repaired)


def choose(place: int, _: str) -> None:
    _view.put("repair", keys[place], default=run)


with below:
    figures = [compared("denoising", clean, restored) for restored in repaired.values()]
    told = [words(clean, repaired[key], found) for key, found in zip(keys, figures, strict=True)]
    lines = [[decibel, short.get(key, key), *rest] for key, (decibel, *rest) in zip(keys, told, strict=True)]
    best = [
        (place, column + (column > 0))
        for column, name in enumerate(figures[0])
        for place, found in enumerate(figures)
        if found[name] == max(each[name] for each in figures)
    ]
    gallery(
        np.concatenate(list(repaired.values())).clip(0, 1), lines, "repairs", "The result of every run and filter",
        ("choose", "Show it large"), choose, side=68, most=130, chosen=keys.index(asked if asked in keys else run),
        marked=best,
    )  # fmt: skip
    help = "\n\n".join(f"**{name}**: {METRICS['denoising'][name].__doc__}" for name in figures[0])
    st.caption("Underlined: the best PSNR and SSIM for this image. Press an image to see it large.", help=help)

act, (again, levels, everything) = _controls.tabs(
    "act", {"again": "Repeat", "levels": "By noise level", "set": "Many images"}
)
if act == "again":
    with again:
        walk(checkpoint, plain(short[run]), noisy[0])
elif act == "levels":
    with levels:
        over_levels(runs, run, noise)
else:
    with everything:
        whole_set(view, plain(short[run]))
