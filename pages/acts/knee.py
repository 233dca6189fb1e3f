"""A sweep: the same run with more and more units, in one press; its error over the units, in which the knee stands."""

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from aecore import charts, sweep
from aecore.data import is_here
from aecore.folders import folder_of, own_runs
from aecore.process import visitors
from aecore.process.jobs import LIVE, Job
from aecore.process.limits import limit
from aecore.store import Store
from pages import _cached, _controls, _view
from pages._visitor import may, owner
from pages._widgets import all_runs, plot, start_runs
from pages._words import counted, sentence
from pages.components.gallery import gallery

if TYPE_CHECKING:
    from aecore import Dataset

MOST = 16
"""Units up to which a page offers a sweep."""
SEEN = 3
"""Test images that are shown as every run rebuilds them."""


def press(settings: dict[str, Any]) -> list[str]:
    """A button that trains these settings with 1 unit, 2 and so on; ids of the runs, empty unless it is pressed.

    At first, it goes no further than this visitor may; either all runs of the sweep are allowed, or none begins.
    """
    allowed = MOST if owner() else int(min(MOST, *map(limit, ("AECORE_MAX_RUNS", "AECORE_MAX_TRAININGS"))))
    first = max(2, min(max(sweep.LATENTS), allowed))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        help = "The same settings with 1 unit, with 2, and so on up to this number: how many do these images need?"
        most = _controls.number("upto", "Sweep up to", 2, MOST, first, help=help, width=120)
        if st.button(f"Train 1 to {most} units", key="sweep"):
            try:
                latents = range(1, most + 1)
                return start_runs([settings | {"model": settings["model"] | {"latent": units}} for units in latents])
            except ValueError as error:
                st.error(sentence(error))
    return []


def knee(run: str) -> None:
    """Of a run with 1 unit, 2 and so on up to the first number that no run has: all errors, and what each rebuilds."""
    every = _cached.family(tuple(sorted(all_runs())), run)
    family = {units: id for place, (units, id) in enumerate(every.items(), start=1) if units == place}
    if len(family) < 2 or run not in family.values() or not is_here(run.partition("-")[0]):
        return
    live = len(_live(family))
    st.fragment(_sweep, run_every=1.0 if live else None)(run, family, live)


def _jobs(family: dict[int, str]) -> dict[int, Job]:
    """Units -> the job of their run, of those that are still there."""
    here = set(all_runs())
    return {latent: Job(folder_of(id)) for latent, id in family.items() if id in here}


def _live(family: dict[int, str]) -> dict[int, Job]:
    return {latent: job for latent, job in _jobs(family).items() if job.state in LIVE}


def _sweep(run: str, family: dict[int, str], before: int) -> None:
    live = _live(family)
    if st.session_state.get("redraw") or len(live) != before:
        st.rerun()
    for job in live.values():
        job.watched()
    if live:
        _progress(run, family, live)
    whole = live or len(family) >= _view.get("upto", max(sweep.LATENTS))
    with st.expander("Sweep: the error over the units of a code", expanded=bool(whole)):
        _results(run, family, live)


def _results(run: str, family: dict[int, str], live: dict[int, Job]) -> None:
    """The chart, where the knee stands, and the same images as every run rebuilds them."""
    dataset = _cached.dataset(run.partition("-")[0])
    views = {latent: _cached.newest(id) for latent, id in family.items() if latent not in live and _trained(id)}
    errors = {latent: _cached.test_mse(view)[0] for latent, view in views.items()}
    linear = _cached.sweep_baseline(dataset.name, max(*family, max(sweep.LATENTS)))
    chosen = next((latent for latent, id in family.items() if id == run), None)

    def lead(latent: int) -> None:
        if latent in family:
            _view.put("run", family[latent], page="train")
            st.session_state["redraw"] = True

    def pressed() -> None:
        points = st.session_state["knee"].selection.get("point") or []
        for point in points[:1]:
            lead(point.get("units"))

    chart = charts.knee({0: linear[0], **errors}, linear, chosen, len(dataset.train.factors))
    plot(
        chart, key="knee", height=260, on_select=pressed, selection_mode="point",
        alt="Test MSE over the units of a code, of these runs and of PCA",
    )  # fmt: skip
    _words(dataset, errors, linear[0], bool(live))
    if views:
        _pictures(dataset, views, errors, chosen, lead)


def _trained(run: str) -> bool:
    """Whether a run is trained to its end."""
    if (state := Job(folder_of(run)).state) != "idle":
        return state == "done"
    return run in _cached.store(run).ids() and _cached.checkpoint(_cached.newest(run)).done


def _progress(run: str, family: dict[int, str], live: dict[int, Job]) -> None:
    """How far the sweep is, all of its runs together, and one button to end it."""
    parts = {latent: job.progress for latent, job in live.items()}
    shares = [part.get("step", 0) / max(1, part.get("steps", 1)) for part in parts.values()]
    now = next((latent for latent, job in live.items() if job.state == "running"), None)
    words = f"{len(family) - len(live)} of {len(family)} trained"
    if now is not None and "epoch" in parts[now]:
        words += f", {counted(now, 'unit')}: epoch {parts[now]['epoch']:.2f} of {parts[now]['epochs']}"
    st.progress(min(1.0, 1 - (len(live) - sum(shares)) / len(family)), words)
    if any(may(job) for job in live.values()):
        help = "What is trained stays; what waits is removed from the queue."
        st.button("Cancel the sweep", key="cancel-sweep", help=help, on_click=_cancel, args=(run, family))


def _cancel(run: str, family: dict[int, str]) -> None:
    """End what trains and waits; where the run in front only waited, show another one."""
    visitors.cancel([job for job in _live(family).values() if may(job)], Store(own_runs()))
    left = [job.id for job in _jobs(family).values()]
    if _view.picked() in {*family.values()} - {*left}:
        _view.pick(None)
    if run not in left:
        _view.put("run", next(iter(left), None), page="train")
    st.session_state["redraw"] = True


def _words(dataset: "Dataset", errors: dict[int, float], mean: float, live: bool) -> None:
    """Where the knee stands, and what the images are made of."""
    place, before = sweep.knee(errors, mean), {0: mean, **errors}
    if place:
        share = errors[place] / before[place - 1]
        big = f"**The big step is to {counted(place, 'unit')}**"
        words = f"{big}: with one fewer, the error is {1 / share:,.0f} times as large."
    else:
        words = "" if live else "There is no big step: no added unit cuts the error to less than a tenth."
    if causes := list(dataset.train.factors):
        words += f" These images have {counted(len(causes), 'cause')}: {', '.join(causes)}."
    st.write(words)


def _pictures(
    dataset: "Dataset", views: dict[int, Any], errors: dict[int, float], chosen: int | None, lead: Any
) -> None:
    """The same test images as every run rebuilds them; a press leads to the run."""
    first = dataset.test.images[:SEEN]
    columns = [first, *(_cached.first_rebuilt(view, SEEN) for view in views.values())]
    tall = np.stack([np.concatenate(list(column), axis=1) for column in columns])
    lines = [["original"], *([counted(latent, "unit"), f"{errors[latent]:.2g}"] for latent in views)]
    latents = [None, *views]
    gallery(
        tall, lines, "knee-pictures", "Test images as each run rebuilds them", ("run", "Go to this run"),
        lambda place, _: lead(latents[place]), side=48, most=96,
        chosen=latents.index(chosen) if chosen in views else None,
    )  # fmt: skip
