"""Choose data, flavor and knobs; start, watch and stop a training."""

import dataclasses
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import streamlit as st

from aecore import FLAVORS, Run, figures
from aecore.data import dataset_title, is_here
from aecore.devices import about_bfloat16
from aecore.folders import folder_of, own_runs
from aecore.process.jobs import LIVE, Job
from aecore.recipes import opening_settings
from aecore.store import DamagedRun
from pages import _cached, _controls, _view
from pages._visitor import may
from pages._widgets import (
    all_runs,
    facts,
    go,
    gone,
    knob_controls,
    need_dataset,
    pick_run,
    reset_button,
    sets,
    start_runs,
)
from pages._words import plain, sentence
from pages.acts import compare, knee, live
from pages.acts.parcel import bring_back
from pages.acts.take import take
from pages.components.reveal import reveal

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

OWN = "own"


def settings() -> None:
    """The left third: what to train."""
    recipes = _cached.recipes()
    options = {OWN: "Own settings", **{name: recipe["title"] for name, recipe in recipes.items()}}
    help = "Settings known to work well."
    recipe = _controls.choice("recipe", "Recipe", options, OWN, help=help)
    if recipe != OWN:
        chosen = recipes[recipe]["run"]
        st.write(recipes[recipe]["sentence"])
        need_dataset(chosen["dataset"])
        model = chosen["model"]
        st.caption(
            f"{dataset_title(chosen['dataset'])}, {FLAVORS[model['flavor']].title}, {model['latent']} units per code, "
            f"{chosen['network']} network, {chosen['loss']} loss, {chosen['epochs']} epochs"
        )
        buttons(chosen, ())
        return
    name = _controls.choice("dataset", "Dataset", sets(), "digits")
    images = need_dataset(name)
    sheet = figures.sheet(images.train.images[:8], columns=8, scale=max(1, 56 // images.shape[2]))
    st.image(sheet, width="stretch", alt=f"Eight training images of {images.title}")
    st.caption(f"{plain(images.title)}: {len(images.train):,} training and {len(images.test):,} test images")
    flavor = _controls.segments(
        "flavor", "Flavor", {name: kind.title for name, kind in FLAVORS.items()}, "vanilla", wrap=True
    )
    st.caption(_cached.flavors()[flavor][1])
    act = st.container()
    knobs = [item.name for item in dataclasses.fields(FLAVORS[flavor])]
    values = knob_controls(FLAVORS[flavor], ["latent", *knobs[1:3]], {}, (flavor,))
    with st.expander("More settings", key="more-settings"):
        values |= knob_controls(FLAVORS[flavor], knobs[3:], {}, (flavor,))
        fields = [item.name for item in dataclasses.fields(Run) if item.metadata]
        others = knob_controls(Run, fields, opening_settings(len(images.train), FLAVORS[flavor]), (name, flavor))
        try:
            st.caption(about_bfloat16())
        except ValueError as error:  # AECORE_DEVICE names no device of this machine
            st.text(sentence(error))
    explain(flavor)
    with act:
        chosen = {"dataset": name, "model": {"flavor": flavor, **values}, **others}
        own_loss = others["loss"] != opening_settings(len(images.train), FLAVORS[flavor])["loss"]
        all_flavors = []
        for other, kind in FLAVORS.items():
            loss = others["loss"] if own_loss else opening_settings(len(images.train), kind)["loss"]
            model = {"flavor": other, "latent": values["latent"]}
            all_flavors.append(chosen | {"model": model, "loss": loss})
        buttons(chosen, all_flavors)
        if begun := knee.press(chosen):
            watch(begun[:1])


def buttons(chosen: dict[str, Any], all_flavors: list[dict[str, Any]]) -> None:
    """Start one training, or one for every flavor."""
    try:
        if st.button("Train", type="primary", width="stretch"):
            watch(start_runs([chosen]))
        help = "The same images, network and seed, one after another; then compare them."
        if all_flavors and st.button("Train every flavor", width="stretch", help=help):
            watch(start_runs(all_flavors))
    except ValueError as error:
        st.error(sentence(error))


def watch(runs: list[str]) -> None:
    """Show the first of these runs that is not trained yet, and compare them where there are several."""
    run = next((run for run in runs if Job(folder_of(run)).state in LIVE), runs[0])
    _view.put("run", run)
    _view.put("compare", runs if len(runs) > 1 else None)
    st.session_state["started"] = run
    st.rerun()


def explain(flavor: str) -> None:
    """On request the flavor's formula and what to watch."""
    _, _, source, formula, watched = _cached.flavors()[flavor]
    with st.expander("Formula and what to watch", key="formula"):
        st.latex(formula)
        st.write(watched)
        st.caption(source)


def about(run: str, changing: bool, here: "DeltaGenerator") -> None:
    """The facts of a run, and below it the forms in which it can be taken along, unless it is changing."""
    with st.sidebar, suppress(DamagedRun):
        view = _cached.newest(run)
        if not changing and is_here(_cached.checkpoint(view).run.dataset):
            facts(view)
            with here:
                take(view)


st.title("Train")
st.session_state.pop("redraw", None)  # this is it
mine = next((run for run in all_runs() if (job := Job(folder_of(run))).folder.parent == own_runs() and may(job)), None)
run = pick_run(mine or _cached.recipes()["digits-map"]["id"])
if run == mine:
    _view.put("run", run)
left, right = st.columns([1, 2], gap="large")
with left:
    settings()
    bring_back()
with right, st.container(key="training"):
    if run is None:
        st.write("The training appears here: its curves, and eight images getting sharper.")
    else:
        knee.knee(run)
        job = Job(folder_of(run))
        pace = live.PACE.get(job.state)
        st.fragment(live.live, run_every=pace)(job, pace)
        if gone(run.partition("-")[0]):
            st.write("The images of this run were deleted.")
        else:
            with st.container(horizontal=True):
                for page, label in (
                    ("manifold", "See its map"),
                    ("denoise", "Denoise with it"),
                    ("search", "Search with it"),
                    ("classify", "Classify with it"),
                ):
                    if st.button(label, key=f"to-{page}", type="tertiary"):
                        go(page, run=run)
        live.queue(own_runs(), run)
        about(run, pace is not None, st.container())
reveal("training", st.session_state.get("started", ""))
compare.comparison()
compare.table()
with st.sidebar:
    reset_button()
