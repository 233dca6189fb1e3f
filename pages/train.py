"""Choose data, flavor and knobs; start, watch and stop a training."""

import dataclasses
from typing import Any

import streamlit as st

from aecore import DATASETS, FLAVORS, Run, figures
from aecore.datasets import is_here
from aecore.jobs import Job, active
from aecore.runs import DamagedRun
from pages import _cached
from pages._compare import table
from pages._widgets import PAGES, folder_of, knob_sliders, need_dataset, pick_run, root, start_run

ACTIVE = ("waiting", "running")
STATES = {
    "waiting": "Waits for its turn",
    "running": "Trains",
    "done": "Done",
    "stopped": "Stopped and saved",
    "failed": "Failed",
    "interrupted": "Stopped unexpectedly",
    "idle": "Trained",
}


def settings() -> None:
    """The left third: what to train."""
    recipes = _cached.recipes()
    options = ["own settings", *recipes]
    recipe = st.selectbox("Recipe", options, key="recipe", bind="query-params", help="Settings that are known to work.")
    if recipe != "own settings":
        chosen = recipes[recipe]["run"]
        st.write(recipes[recipe]["sentence"])
        need_dataset(chosen["dataset"])
        model = chosen["model"]
        st.caption(
            f"{chosen['dataset']}, {model['flavor']}, {model['latent']} numbers per code, {chosen['network']} network, "
            f"{chosen['loss']} loss, {chosen['epochs']} epochs"
        )
    else:
        names = ["digits", *(name for name in DATASETS if name != "digits")]
        name = st.selectbox("Images", names, key="dataset", bind="query-params")
        images = need_dataset(name)
        st.image(
            figures.sheet(images.train.images[:8], columns=8, scale=max(1, 56 // images.shape[2])), width="stretch"
        )
        st.caption(f"{images.title}: {len(images.train):,} to train on, {len(images.test):,} held out")
        flavor = st.segmented_control(
            "Flavor", list(FLAVORS), default="vanilla", required=True, key="flavor", bind="query-params", wrap=True
        )
        st.caption(_cached.flavors()[flavor][0])
        knobs = [item.name for item in dataclasses.fields(FLAVORS[flavor])]
        values = knob_sliders(FLAVORS[flavor], ["latent", *knobs[1:3]], {})
        with st.expander("More settings"):
            values |= knob_sliders(FLAVORS[flavor], knobs[3:], {})
            fields = [item.name for item in dataclasses.fields(Run) if item.metadata]
            others = knob_sliders(Run, fields, {"epochs": 10, "loss": "kl"})
        chosen = {"dataset": name, "model": {"flavor": flavor, **values}, **others}
    try:
        if st.button("Train", type="primary", width="stretch"):
            st.session_state["next-run"] = start_run(chosen)
            st.rerun()
        if recipe == "own settings" and st.button(
            "Train all five flavors", width="stretch", help="The same images, network and seed; one after the other."
        ):
            runs = [start_run(chosen | {"model": {"flavor": name, "latent": values["latent"]}}) for name in FLAVORS]
            st.session_state["next-run"] = runs[0]
            st.rerun()
    except ValueError as error:
        st.error(str(error))


def headline(job: Job, state: str, progress: dict[str, Any]) -> None:
    """State, place, speed and time left in one line, with the button that makes sense."""
    line = [f"**{STATES[state]}**"]
    if state == "waiting" and progress.get("ahead"):
        line.append(f"{progress['ahead']} before it")
    if "epoch" in progress:
        line.append(f"epoch {progress['epoch']:.1f} of {progress['epochs']}")
    if state == "running" and progress.get("seconds_left") is not None:
        line += [f"{progress['images_per_second']:,.0f} images/s", f"{progress['seconds_left']:.0f} s left"]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.write(" · ".join(line))
        if state in ACTIVE:
            st.button("Stop and keep", key="stop", on_click=job.stop, help="Saves first; you can go on later.")
        elif state in ("stopped", "interrupted", "failed") and st.button("Resume", key="resume"):
            job.resume()
            st.rerun()
    if "epoch" in progress:
        st.progress(min(1.0, progress["step"] / progress["steps"]))
    if job.error:
        st.text(job.error)


def live(job: Job, ticking: bool) -> None:
    """How the training goes: curves and pictures, drawn again every second while it lasts."""
    state, progress = job.state, job.progress
    if ticking and state not in ACTIVE:
        st.rerun()
    headline(job, state, progress)
    try:
        stamp = _cached.stamp(job.id)
        history = progress.get("history") or _cached.checkpoint(job.id, stamp).history
        if len(history) > 1:
            log = st.toggle("Log axis", key="log", bind="query-params")
            chart = figures.curves(history, log)
            st.vega_lite_chart(chart, key="curves", height=300, alt="Each loss term over the epochs")
        if is_here(_cached.checkpoint(job.id, stamp).run.dataset):
            st.image(_cached.strip(job.id, stamp), width="stretch", alt="Eight test images over their reconstructions")
            st.caption("Eight test images, their reconstructions below")
    except DamagedRun:
        st.skeleton(height=160)
        st.caption("Eight test images and their reconstructions appear here after the first seconds.")


def queue() -> None:
    """What else trains or waits."""
    others = [job for job in active(root()) if job.id != run]
    if others:
        st.caption("Also in the queue: " + ", ".join(f"{job.id} ({job.state})" for job in others))


st.title("Train")
if "next-run" in st.session_state:  # a bound value can only be set before its widget is drawn
    st.session_state["run"] = st.session_state.pop("next-run")
run = pick_run()
left, right = st.columns([1, 2], gap="large")
with left:
    settings()
with right:
    if run is None:
        st.write("The training will show here: its curves, and eight images getting better.")
    else:
        job = Job(folder_of(run))
        ticking = job.state in ACTIVE
        st.caption(run)
        st.fragment(live, run_every=1.0 if ticking else None)(job, ticking)
        with st.container(horizontal=True):
            for page, label in (
                ("manifold", "See its map"),
                ("denoise", "Denoise with it"),
                ("search", "Search with it"),
            ):
                st.page_link(PAGES / f"{page}.py", label=label, query_params={"run": run})
        queue()
table()
