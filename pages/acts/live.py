"""The right side of the Train page: a training as it goes on, and its replay."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from aecore.data import is_here
from aecore.process.jobs import LIVE, Job
from aecore.process.queue import active
from aecore.store import DamagedRun
from pages import _cached, _controls, _view
from pages._widgets import plot, titles
from pages._words import lasting, plain, sentence
from pages.acts.steer import steer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aecore import Checkpoint, Run
    from aecore.history import Row
    from aecore.moments import Moment

STRANGE = "a run of another visitor"
"""What is told of a run on images that this visitor may not see."""
STATES = {
    "waiting": "Waiting in the queue",
    "running": "Training",
    "paused": "Paused",
    "done": "Done",
    "stopped": "Stopped and saved",
    "failed": "Failed",
    "interrupted": "Stopped unexpectedly",
    "idle": "Trained",
}
SILENT = 60.0
"""Seconds without a report after which something is wrong: a report comes every second, or with each slow batch."""
PACE = {"waiting": 1.0, "running": 1.0, "paused": 3.0}
"""Seconds between two looks at a training in these states."""


def live(job: Job, pace: float | None) -> None:
    """How the training goes: drawn again every `pace` seconds while it lasts."""
    state, progress = job.state, job.progress
    if st.session_state.get("redraw") or pace != PACE.get(state):
        st.rerun()
    if pace:
        job.watched()
    _headline(state, progress)
    steer(job, state)
    _problems(job, state, progress)
    try:
        _pictures(job, state, progress)
    except DamagedRun:
        st.skeleton(height=160)
        st.caption("Curves and images appear here as soon as it trains.")


def _headline(state: str, progress: dict[str, Any]) -> None:
    """State, place, speed and time left in one line."""
    starting = state == "waiting" and not progress.get("ahead")
    line = [f"**{'Starting' if starting else STATES[state]}**"]
    if state == "waiting" and progress.get("ahead"):
        line.append(f"{progress['ahead']} ahead of it")
    if "epoch" in progress:
        line.append(f"epoch {progress['epoch']:.2f} of {progress['epochs']}")
    if state in ("paused", "stopped", "interrupted") and "step" in progress:
        line.append(f"batch {progress['step']:,} of {progress['steps']:,}")
    if state == "running" and {"seconds_left", "images_per_second"} <= progress.keys():
        line += [f"{progress['images_per_second']:,.0f} images/s", f"{lasting(progress['seconds_left'])} left"]
    st.write(" · ".join(line))
    if state in LIVE and "epoch" in progress:
        st.progress(min(1.0, progress["step"] / max(1, progress["steps"])))


def _problems(job: Job, state: str, progress: dict[str, Any]) -> None:
    """What went wrong or was cut short, and the way out."""
    if state == "interrupted":
        saved = progress.get("saved")
        kept = f"Last saved at epoch {saved:g}; Resume continues from there." if saved else "Nothing was saved yet."
        st.text(f"Its process ended at epoch {progress.get('epoch', 0):g}, perhaps because memory ran out. {kept}")
    for text in (job.error, progress.get("warning"), progress.get("note")):
        if text:
            st.text(sentence(text))
    silent = time.time() - progress.get("time", 0)
    if state in ("running", "paused") and silent > SILENT:
        st.text(
            f"No news from it for {lasting(silent)}: the disk may be full. The process is still running; free some "
            "disk space."
        )


def _pictures(job: Job, state: str, progress: dict[str, Any]) -> None:
    """Curves, map and reconstructions: of now while it trains, of any kept moment afterwards."""
    from aecore import charts, figures
    from aecore.history import clipped
    from aecore.manifold import bounds
    from aecore.moments import newest

    latest = newest(job.folder)
    replaying = state not in ("waiting", "running") and latest is not None
    moments = _cached.replay(job.id, latest.step) if replaying else ([latest] if latest else [])
    shown = _pick_moment(moments, job.id) if len(moments) > 1 else latest
    run = _cached.training_store(job.id).run(job.id)
    images = _cached.dataset(run.dataset) if is_here(run.dataset) else None
    history = progress.get("history") or _trained(job).history
    if images is not None:
        _collapse(run, history)
        if shown:
            strip = figures.pair(images.test.images[: len(shown.rebuilt)], shown.rebuilt)
        else:
            _trained(job)
            strip = _cached.strip(_cached.newest(job.id))
        st.image(strip, width="stretch", alt="Eight test images over their reconstructions")
    flat = shown is not None and images is not None and (replaying or run.model.latent <= 2)
    curves, map = st.columns([3, 2]) if flat else (st.container(), None)
    with curves:
        if len(history) > 1:
            cursor = shown.epoch if replaying and len(moments) > 1 else None
            chart = charts.curves(history, _view.get("log", False), cursor)
            plot(chart, key="curves", height=240, alt="Each loss term over the epochs")
            with st.container(horizontal=True, vertical_alignment="center"):
                _controls.toggle("log", "Log axis", False)
                marks = ", triangles: clipped gradients" if clipped(history) else ""
                st.caption(f"solid: training, dashed: held out{marks}")
    if map:
        title, groups = _cached.groups(run.dataset, len(shown.places))
        box, alt = bounds(_all(moments)), "Small map of test images by their code"
        with map:
            chart = charts.small_map(shown.places, box, groups, title, images.classes or ())
            plot(chart, key="small-map", height=240, alt=alt)
            plane = "their codes" if run.model.latent <= 2 else "two principal components of their codes"
            st.caption(f"{len(groups)} test images at {plane}, colored by {title}")
    if len(moments) > 1 and images is not None:
        film = _cached.film(job.id, latest.step)
        help = "One frame for every moment kept: images and map."
        st.download_button("Save as GIF", film, f"{job.id}.gif", "image/gif", help=help, on_click="ignore")


def _collapse(run: "Run", history: "Sequence[Row]") -> None:
    """That a run has learned nothing, why, and the way out."""
    from aecore.history import collapsed

    mean = _cached.mean_image_mse(run.dataset)
    if collapsed(history, mean):
        knobs = {"weight": "the weight of its penalty", "beta": "its beta"}
        penalty = "".join(
            f" or {words} (now {getattr(run.model, name):g})"
            for name, words in knobs.items()
            if hasattr(run.model, name)
        )
        st.warning(
            f"This run has collapsed: it reconstructs held-out images with an MSE of {history[-1]['test']['mse']:.4f}, "
            f"while the mean image alone would score {mean:.4f}. Lower the learning rate (now {run.lr:g}){penalty}, "
            "and train again."
        )


def _trained(job: Job) -> "Checkpoint":
    """What a run has learned in this folder. Raises DamagedRun where that is nothing yet."""
    if _cached.store(job.id).folder != job.folder.parent:  # the shipped one stands in for it elsewhere, not here
        raise DamagedRun(f"run {job.id!r} has no snapshot yet")
    return _cached.checkpoint(_cached.newest(job.id))


def _pick_moment(moments: "list[Moment]", run: str) -> "Moment":
    """A slider over the kept moments of a training; the last one at first."""
    steps = {moment.step: f"epoch {moment.epoch:g}" for moment in moments}
    help = "Map, images and the line on the curves move together; each map is rotated to match the next."
    chosen = _controls.stops("moment", "Replay", steps, moments[-1].step, (run,), help=help)
    return moments[list(steps).index(chosen)]


def queue(root: Path, run: str) -> None:
    """What else trains or waits, looked at every two seconds while there is something."""
    if others := _others(root, run):
        st.fragment(_queue, run_every=2.0)(root, run, len(others))


def _queue(root: Path, run: str, before: int) -> None:
    others = _others(root, run)
    if not others and before:
        st.rerun()
    names = titles()
    words = [f"{plain(names.get(job.id, STRANGE))} ({job.state})" for job in others]
    st.caption(f"Also in the queue: {', '.join(words)}")


def _others(root: Path, run: str) -> list[Job]:
    return [job for job in active(root) if job.id != run]


def _all(moments: "list[Moment]") -> Any:
    import numpy as np

    return np.concatenate([moment.places for moment in moments])
