"""The lower half of the Train page: chosen runs side by side, and all runs in a table."""

from typing import Any

import streamlit as st

from aecore.folders import folder_of, own_runs
from aecore.measure.metrics import figure
from aecore.process.jobs import LIVE, Job
from pages import _cached, _controls
from pages._view import View
from pages._visitor import may
from pages._widgets import go, gone, learned, need_dataset, plot, titles, toasting
from pages._words import counted, erring, plain

COLUMNS = {
    "test MSE": ("reconstruction", "MSE", "MSE"),
    "P@4": ("retrieval", "P@4", "P@4"),
    "5-NN, cosine": ("retrieval", "5-NN", "5-NN"),
    "10 labels": ("few_labels", "10", "mean"),
    "PSNR at .5": ("denoising", "gaussian 0.5", "PSNR"),
    "active units": ("code", "active units", ""),
}
"""Title of a column -> part of the evaluation, name of its figure, the figure that says how it is written."""

HELP = {
    "flavor": "The kind of autoencoder.",
    "network": "The layers of encoder and decoder.",
    "epoch": "Passes over the training images so far.",
    "test MSE": "Mean squared error of reconstructed test images, per pixel; 0 is a perfect copy.",
    "units": "Numbers in a code.",
    "P@4": "Share of the 4 nearest codes that are of the same class.",
    "5-NN, cosine": "Accuracy of a vote of the 5 nearest codes, as in Search; Manifold has that of places on the map.",
    "10 labels": "Accuracy from 10 labels per class.",
    "PSNR at .5": "Of repaired images, in decibels; Gaussian noise 0.5, clipped.",
    "active units": "Units whose values differ between test images, by a variance over 0.01.",
}
MOST = 6
"""Runs that can be compared."""
ABREAST = 3
"""Runs in a row: with more, one cannot read their curves."""


def comparison() -> None:
    """Runs to choose, and the chosen ones side by side; those that still train are drawn again as they go on."""
    st.subheader("Side by side")
    runs = _controls.many("compare", "Runs", titles(), MOST, placeholder=f"Choose two to {MOST} runs to compare them")
    if len(runs) > 1:
        live = sum(_training(run) for run in runs)
        st.fragment(_comparison, run_every=3.0 if live else None)(runs, live)
    alike = len(runs) == 2 and len({run.partition("-")[0] for run in runs}) == 1
    help = "Both maps on one page: pointer, selection and colors are shared."
    if alike and all(map(learned, runs)) and st.button("Link their maps", help=help):
        go("manifold", run=runs[0], beside=runs[1])


def side_by_side() -> None:
    """The chosen runs side by side, without a way to choose others."""
    runs = _controls.many("compare", "Runs", titles(), MOST)
    _comparison(runs, sum(_training(run) for run in runs))


def _training(run: str) -> bool:
    return Job(folder_of(run)).state in LIVE


def _comparison(runs: list[str], live: int) -> None:
    from aecore.charts import curves, overlay

    now = sum(_training(run) for run in runs)
    if live and not now:
        st.rerun()
    if live:
        st.progress(1 - now / len(runs), f"{len(runs) - now} of {len(runs)} are trained")
    ready = {run: view for run in runs if (view := learned(run))}
    names = {run: _cached.checkpoint(view).run.model.title for run, view in ready.items()}
    if len(set(names.values())) < len(names):
        names = {run: titles()[run] for run in ready}
    histories = {run: _cached.checkpoint(view).history for run, view in ready.items()}
    if not ready:
        st.skeleton(height=200)
        return
    chart = overlay({names[run]: history for run, history in histories.items()})
    plot(chart, key="overlay", height=260, alt="MSE of every run on held-out images, over its epochs")
    columns = [column for _ in range(0, len(ready), ABREAST) for column in st.columns(min(len(ready), ABREAST))]
    for column, (run, view) in zip(columns, ready.items(), strict=False):
        loaded = _cached.checkpoint(view)
        need_dataset(loaded.run.dataset)
        with column:
            st.markdown(f"**{plain(names[run])}**")
            error, _ = _cached.test_mse(view)
            st.caption(
                f"{counted(loaded.run.model.latent, 'unit')} per code, epoch {loaded.epoch:g}, test {erring(error)}"
            )
            st.image(_cached.strip(view), width="stretch", alt=f"Eight images and their reconstructions by {run}")
            chart = curves(histories[run], log=True, beside=histories.values())
            plot(chart, key=f"curves-{run}", height=240, alt=f"Loss terms of {run}")
            st.image(_cached.map_picture(view), width="stretch", alt=f"Map of {run}")
    st.caption(
        "Curves: training solid, held out dashed, all on one logarithmic axis. Maps: test images at their codes, or at "
        "the two principal components of their codes."
    )


def table() -> None:
    """Every run with what its evaluation found."""
    from aecore.store import DamagedRun

    rows, damaged = [], []
    for run, title in titles().items():
        try:
            rows.append(_row(_cached.newest(run), title))
        except DamagedRun as error:
            if not _training(run):
                damaged.append(str(error))
    if not rows:
        return
    st.subheader("All runs", help="On test images; empty where a run has not been measured.")
    formats = {
        title: st.column_config.NumberColumn(format=figure(name).pattern, help=HELP.get(title))
        for title, (_, _, name) in COLUMNS.items()
        if name
    }
    formats |= {title: st.column_config.Column(help=HELP[title]) for title in HELP.keys() - formats.keys()}
    formats["run"] = st.column_config.TextColumn(width=230)
    ids = [row.pop("id") for row in rows]
    st.dataframe(rows, hide_index=True, placeholder="–", column_config=formats)
    for text in damaged:
        st.text(text)
    _measure(ids)


def _measure(runs: list[str]) -> None:
    """Offer to measure the visitor's own runs of which a part is not measured."""
    from aecore.measure.evaluate import PARTS

    there = [Job(folder_of(run)) for run in runs if not gone(run.partition("-")[0])]
    mine = [job for job in there if job.folder.parent == own_runs() and may(job)]
    jobs = [job for job in mine if PARTS.keys() - _cached.measured(_cached.newest(job.id))]
    if waiting := [job for job in jobs if not job.measuring and job.state not in LIVE]:
        help = "Fills in every figure of the table, one run after another, in the background."
        if st.button(f"Measure {counted(len(waiting), 'run')}", help=help):
            with toasting():
                for job in waiting:
                    job.measure()
            st.rerun()
    if busy := [job for job in jobs if job.measuring]:
        st.fragment(_measuring, run_every=2.0)(len(busy), jobs)


def _measuring(before: int, jobs: list[Job]) -> None:
    busy = sum(job.measuring for job in jobs)
    if busy < before:
        st.rerun()
    st.caption(f"Measuring {counted(busy, 'run')}; you can leave this page.")


def _row(view: View, title: str) -> dict[str, Any]:
    loaded, parts = _cached.checkpoint(view), _cached.measured(view)
    row = {"id": view.run, "run": title, "flavor": loaded.run.model.title, "units": loaded.run.model.latent}
    row |= {"network": loaded.run.network, "epoch": loaded.epoch}
    for title, (part, name, inner) in COLUMNS.items():
        found = ((parts.get(part) or {}).get("rows", {}).get("code") or {}).get(name)
        row[title] = found.get(inner) if hasattr(found, "get") else found
    return row
