"""Choose data, flavor and knobs; start, watch and stop a training."""

import dataclasses
from contextlib import suppress

import streamlit as st

from aecore import DATASETS, FLAVORS, Run, figures
from aecore.datasets import is_here
from aecore.jobs import Job, active
from aecore.runs import DamagedRun
from pages import _cached
from pages._compare import table
from pages._live import PACE, live
from pages._widgets import PAGES, facts, folder_of, knob_sliders, need_dataset, pick_run, root, start_run


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
        explain(flavor)
        knobs = [item.name for item in dataclasses.fields(FLAVORS[flavor])]
        values = knob_sliders(FLAVORS[flavor], ["latent", *knobs[1:3]], {})
        with st.expander("More settings", key="more-settings"):
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


def explain(flavor: str) -> None:
    """The flavor's idea; on request its formula and what to watch."""
    idea, source, formula, watch = _cached.flavors()[flavor]
    st.caption(idea)
    with st.expander("Formula, and what to watch", key="formula"):
        st.latex(formula)
        st.write(watch)
        st.caption(source)


def queue() -> None:
    """What else trains or waits."""
    others = [job for job in active(root()) if job.id != run]
    if others:
        st.caption("Also in the queue: " + ", ".join(f"{job.id} ({job.state})" for job in others))


def about(run: str, changing: bool) -> None:
    """The facts of a run, unless it is changing."""
    with st.sidebar, suppress(DamagedRun):
        stamp = _cached.stamp(run)
        if not changing and is_here(_cached.checkpoint(run, stamp).run.dataset):
            facts(run, stamp)


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
        pace = PACE.get(job.state)
        st.fragment(live, run_every=pace)(job, pace)
        with st.container(horizontal=True):
            for page, label in (
                ("manifold", "See its map"),
                ("denoise", "Denoise with it"),
                ("search", "Search with it"),
            ):
                st.page_link(PAGES / f"{page}.py", label=label, query_params={"run": run})
        queue()
        about(run, pace is not None)
table()
