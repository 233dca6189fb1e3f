"""Add noise to an image; every run of its size repairs it, beside filters, with numbers under the pictures."""

import numpy as np
import streamlit as st

from aecore.figures import difference
from aecore.measure.filters import filters
from aecore.measure.metrics import compared, written
from aecore.measure.repair import NOTHING
from aecore.noise import NOISES, corrupt
from aecore.pixels import to_floats
from pages import _cached, _controls, _view
from pages._widgets import open_run, picture, titles
from pages._words import plain
from pages.acts.query import pick_query
from pages.acts.repairs import STEP, Noise, follow, over_levels, runs_of_shape, walk, whole_set
from pages.components.gallery import gallery

st.title("Denoise")
view = open_run("fashion-denoise")
run, checkpoint, images = view.run, _cached.checkpoint(view), _cached.images(view)

with st.container(horizontal=True, vertical_alignment="bottom"):
    noises = {name: name.replace("_", " ") for name in NOISES}
    help = "  \n".join(f"**{noises[name]}**: {add.__doc__}" for name, add in NOISES.items())
    kind = _controls.segments("noise", "Noise", noises, "gaussian", help=help, wrap=True)
    level = _controls.slider("level", "Level", 0.0, 1.0, 0.5, STEP, width=180)
    seed = _controls.number("noise-seed", "Seed", 0, 10_000, 0, width=120)
    help = "Clip the noisy image to [0, 1], as an image file would. PSNR compares clipped images in either case."
    clip = _controls.toggle("clip", "Clip", True, help=help)
query = pick_query(images)

clean = to_floats(query.image[None])
noisy = corrupt(clean, kind, level, seed, clip)
runs = runs_of_shape(view)
short = titles()
repaired = {id: other.reconstruct(noisy) for id, other in runs.items()} | {NOTHING: noisy}
asked = _view.get("repair", run)


def words(image: np.ndarray, figures: dict[str, float]) -> list[str]:
    """Every metric of a repair in words; decibels speak for themselves."""
    if (image == clean[0]).all():
        return ["identical to the image"]
    found = {name: written(name, value) for name, value in figures.items()}
    return [value if value.endswith("dB") else f"{name} {value}" for name, value in found.items()]


def score(image: np.ndarray) -> list[str]:
    """The same of an image (c, h, w) whose metrics are not known yet."""
    return words(image, compared("denoising", clean, image[None]))


def show(chosen: str) -> None:
    """The image, the noisy one, and what is made of that, large."""
    with st.grid(4, min_column_width=150):
        for key, image, caption in (
            ("clean", clean[0], f"Clean · {query.name}"),
            ("noisy", noisy[0], " · ".join(["Noisy", *score(noisy[0])])),
            ("repaired", repaired[chosen][0], " · ".join([short.get(chosen, chosen), *score(repaired[chosen][0])])),
            ("difference", difference(clean, repaired[chosen])[0], "Difference · red: too bright, blue: too dark"),
        ):
            with st.container(key=f"shown-{key}"):
                picture(image, caption)
    follow(clean, Noise(kind, level, clip, seed), _cached.newest(chosen) if chosen in runs else None)


shown, below = st.container(), st.container()
if asked in repaired:  # the filters take their time; this does not need them
    with shown:
        show(asked)
with below, st.spinner("Fitting the filters to this noise"):
    filtered = filters(noisy, images, kind, level, clip)
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
    told = [words(repaired[key][0], found) for key, found in zip(keys, figures, strict=True)]
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
    st.caption("Underlined: the best PSNR and SSIM for this image. Press a picture to see it large.")

act, (again, levels, everything) = _controls.tabs(
    "act", {"again": "Repeat", "levels": "By noise level", "set": "Many pictures"}
)
if act == "again":
    with again:
        walk(checkpoint, plain(short[run]), noisy[0])
elif act == "levels":
    with levels:
        over_levels(runs, run, Noise(kind, level, clip, seed))
else:
    with everything:
        whole_set(view, plain(short[run]))
