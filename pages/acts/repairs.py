"""What the Denoise page shows below its pictures: levels, repetitions, whole sets."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from aecore.charts import bars, sweep
from aecore.data import revision
from aecore.figures import difference
from aecore.measure.filters import FILTERS
from aecore.measure.metrics import compared, written
from aecore.measure.repair import COUNT, LEVELS, NOTHING, again, trained_on
from aecore.noise import NOISES, change, corrupt
from aecore.process.arrivals import receive, throw_away
from aecore.process.questions import filtered
from aecore.process.repairs import repaired, result, told
from pages import _cached, _controls
from pages._uploads import upload_limit
from pages._view import View
from pages._visitor import drawer
from pages._widgets import all_runs, learned, picture, plot, titles
from pages._words import counted, sentence
from pages.acts.arrive import KINDS
from pages.acts.wait import answer
from pages.components.gallery import gallery
from pages.components.live import Drawing, Follower, Line, live

if TYPE_CHECKING:
    from aecore import Checkpoint

MOST = 10
"""Runs that repair at the same time."""
STEP = 0.05
"""From one level of the noise to the next."""
SENT = 300_000
"""Numbers of an image at all levels that are sent at most, so that it can follow; 69 x 69 pixels in color."""
ASKED = "repairing"
"""Under which a session knows what arrived to be repaired, and the task."""


@dataclass(frozen=True)
class Noise:
    """What the controls at the top of the page say."""

    kind: str
    level: float
    clip: bool
    seed: int

    def added(self, clean: np.ndarray) -> np.ndarray:
        """Images (n, c, h, w) in [0, 1] with this noise."""
        return corrupt(clean, self.kind, self.level, self.seed, self.clip)


def choose_noise() -> Noise:
    """Which noise, and how much."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        noises = {name: name.replace("_", " ") for name in NOISES}
        help = "  \n".join(f"**{noises[name]}**: {add.__doc__}" for name, add in NOISES.items())
        kind = _controls.segments("noise", "Noise", noises, "gaussian", help=help, wrap=True)
        level = _controls.slider("level", "Level", 0.0, 1.0, 0.5, STEP, width=180)
        seed = _controls.number("noise-seed", "Seed", 0, 10_000, 0, width=120)
        help = "Cut off what is below black or above white, as image files do. PSNR always compares clipped images."
        return Noise(kind, level, _controls.toggle("clip", "Clip", True, help=help), seed)


def words(clean: np.ndarray, image: np.ndarray, figures: dict[str, float] | None = None) -> list[str]:
    """Every metric of a repaired image (1, c, h, w) or (c, h, w) in words; decibels speak for themselves."""
    image = image.reshape(clean.shape)
    if (image == clean).all():
        return ["identical to the image"]
    figures = compared("denoising", clean, image) if figures is None else figures
    found = {name: written(name, value) for name, value in figures.items()}
    return [value if value.endswith("dB") else f"{name} {value}" for name, value in found.items()]


def large(clean: np.ndarray, noisy: np.ndarray, restored: np.ndarray, name: str, by: str) -> None:
    """The image, the noisy one, and what is made of that (1, c, h, w each), large, with what is still wrong."""
    with st.grid(4, min_column_width=150):
        for key, image, caption in (
            ("clean", clean[0], f"Clean · {name}"),
            ("noisy", noisy[0], " · ".join(["Noisy", *words(clean, noisy)])),
            ("repaired", restored[0], " · ".join([by, *words(clean, restored)])),
            ("difference", difference(clean, restored)[0], "Difference · red: too bright, blue: too dark"),
        ):
            with st.container(key=f"shown-{key}"):
                picture(image, caption)


def runs_on_images(view: View) -> "dict[str, Checkpoint]":
    """The run of the page, and the newest others on the same images, in their shape; damaged ones are left out."""
    found: dict[str, Checkpoint] = {}
    shape, images = _cached.shape(view), view.run.partition("-")[0]
    for run in [view.run, *(id for id in all_runs() if id != view.run and id.partition("-")[0] == images)]:
        if (other := learned(run)) and _cached.shape(other) == shape:
            found[run] = _cached.checkpoint(other)
        if len(found) == MOST:
            break
    return found


def follow(clean: np.ndarray, noise: Noise, chosen: View | None, drawn: bool = False) -> None:
    """While the level is dragged, have the noisy image follow, and what a run makes of it; the difference pales.

    clean (1, c, h, w). What is `drawn` follows the board, too. Without a run, its place pales: filters are the
    server's.
    """
    levels = np.linspace(0, 1, round(1 / STEP) + 1)
    noisy = np.concatenate([corrupt(clean, noise.kind, float(level), noise.seed, noise.clip) for level in levels])
    if noisy.size > SENT:
        return
    halves = {}
    if chosen:
        halves = {
            chosen.half("encoder"): _cached.encoder_part(chosen),
            chosen.half("decoder"): _cached.decoder_part(chosen),
        }
    board = None
    if drawn:
        factor, offset = change(clean.shape, noise.kind, noise.level, noise.seed)
        if np.allclose(factor * clean + offset, corrupt(clean, noise.kind, noise.level, noise.seed, clip=False)):
            board = Drawing(clean, factor, offset, noise.clip)
    followers = [
        *([Follower("shown-clean", "clean")] if board else []),
        Follower("shown-noisy", "noisy", caption=True),
        Follower("shown-repaired", "noisy" if chosen else "", [*halves], caption=True),
        Follower("shown-difference"),
    ]
    level = Line("level", noise.level, 0.0, STEP)
    live("denoising", clean.shape[1:], followers, {"noisy": noisy}, halves, level, drawing=board)


def over_levels(runs: "dict[str, Checkpoint]", first: str, noise: Noise) -> None:
    """PSNR over the level of the noise, level by level as they are measured."""
    short, name = titles(), runs[first].run.dataset
    same = [id for id, checkpoint in runs.items() if checkpoint.run.dataset == name]
    opening = [id for id in same if id == first or trained_on(runs[id].run)]
    options = {id: short[id] for id in same}
    chosen = _controls.several("sweep", "Runs", options, opening, (name,), label_visibility="collapsed")
    chart = st.empty()
    rows = [
        {"name": short[id], "by": "run", "level": level}
        | _cached.repaired_by_run(_cached.newest(id), noise.kind, level, noise.clip, noise.seed)
        for id in chosen
        for level in LEVELS
    ]
    question = filtered(name, revision(name), noise.kind, noise.clip, noise.seed)
    if scores := answer(question, "Fitting every filter to every level"):
        rows += [
            {"name": filter, "by": "filter", "level": level, "mean": mean, "error": error}
            for level, found in zip(LEVELS, scores[0], strict=True)
            for filter, (mean, error) in zip((NOTHING, *FILTERS), found.tolist(), strict=True)
            if np.isfinite(mean)
        ]
    trained = [(short[id], on[1]) for id in chosen if (on := trained_on(runs[id].run)) and on[0] == noise.kind]
    with chart:
        plot(sweep(rows, trained, noise.level), height=380, alt="PSNR over the level of the noise")
    count = min(COUNT, len(_cached.dataset(name).test))
    st.caption(
        f"Mean over the first {count} test images, seed {noise.seed}, with 95% confidence intervals. Filters are "
        "dashed: they are fitted to each level, while a run is trained once. Noisy images are "
        f"{'clipped to [0, 1]' if noise.clip else 'not clipped'}."
    )


def walk(checkpoint: "Checkpoint", name: str, noisy: np.ndarray) -> None:
    """The autoencoder applied again and again: where the picture goes, and how far with every step."""
    times = _controls.slider("times", "Passes", 1, 10, 5, width=240)
    images, steps = again(checkpoint, noisy, times)
    lines = [["noisy"], *([f"{time}", f"step {step:.4f}"] for time, step in enumerate(steps, start=1))]
    gallery(images, lines, "walk", "The image after every pass", side=80, most=130)
    plot(bars(steps, "pass", "step length"), height=180, alt="Length of every step")
    st.caption(
        f"{name}, applied to its own output. A step is the RMS change of the pixels in one pass. Short steps mean "
        "that the image has become one that the network reconstructs well."
    )


def whole_set(view: View, name: str) -> None:
    """Many images in, a zip of repaired ones out."""
    height, width = _cached.shape(view)[1:]
    st.file_uploader(
        f"Noisy pictures, resized to {width} x {height} pixels, or one zip of them", KINDS, key="set",
        accept_multiple_files=True, max_upload_size=upload_limit(), on_change=_forget,
    )  # fmt: skip
    invert = st.toggle("Invert", key="set-invert", on_change=_forget,
                       help="Swap black and white before the network sees the pictures.")  # fmt: skip
    given = st.session_state["set"]
    if ASKED in st.session_state and st.session_state[ASKED][1].arguments[1:] != (view.run, view.stamp, invert):
        _forget()  # another run is asked
    if ASKED in st.session_state:
        key, task = st.session_state[ASKED]
        if (found := answer(task, f"Denoising with {name}")) is not None:
            _repaired(key, told(found))
    elif given and st.button(f"Denoise all with {name}", type="primary", key="repair-all"):
        try:
            key = receive([(file.name, file) for file in given], drawer())
        except ValueError as error:
            st.text(sentence(error))
            return
        st.session_state[ASKED] = (key, repaired(key, view.run, view.stamp, invert))
        st.rerun()


def _forget() -> None:
    """Other pictures, or other wishes: what was repaired before is thrown away."""
    if ASKED in st.session_state:
        throw_away(st.session_state.pop(ASKED)[0])


def _repaired(key: str, entries: list[tuple[str, str | None]]) -> None:
    skipped = [{"file": file, "skipped because": problem} for file, problem in entries if problem]
    count = len(entries) - len(skipped)
    st.write(f"{counted(count, 'picture')} denoised, {counted(len(skipped), 'file')} skipped.")
    if count:
        st.download_button("Download the zip", lambda: result(key), "repaired.zip", "application/zip", type="primary",
                           on_click="ignore")  # fmt: skip
    if skipped:
        st.dataframe(skipped, hide_index=True)
