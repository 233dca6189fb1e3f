"""The lower half of the Train page: all runs in a table, two of them side by side."""

from typing import Any

import streamlit as st

from pages import _cached
from pages._widgets import all_runs, facts, need_dataset

FIGURES = {
    "test MSE": ("reconstruction", "MSE"),
    "P@4": ("retrieval", "P@4"),
    "5-NN": ("retrieval", "5-NN"),
    "10 labels": ("few_labels", "10"),
    "PSNR at .5": ("denoising", "gaussian 0.5"),
    "active units": ("code", "active units"),
}


def table() -> None:
    """Every finished run with what its evaluation found; pick two to compare."""
    from aecore.runs import DamagedRun

    rows, damaged = [], []
    for run in all_runs():
        try:
            stamp = _cached.stamp(run)
            rows.append(_row(run, stamp))
        except DamagedRun as error:
            damaged.append(str(error))
    if not rows:
        return
    st.subheader("All runs", help="On the test split; empty where a run was not evaluated. Pick two to compare.")
    formats = {name: st.column_config.NumberColumn(format="%.4f") for name in ("test MSE", "P@4", "5-NN", "10 labels")}
    formats["PSNR at .5"] = st.column_config.NumberColumn(format="%.2f dB", help="Gaussian noise 0.5, clipped.")
    chosen = st.dataframe(
        rows, hide_index=True, key="runs", on_select="rerun", selection_mode="multi-row", column_config=formats
    ).selection.rows
    for text in damaged:
        st.text(text)
    if len(chosen) == 2:
        _side_by_side([rows[place]["run"] for place in chosen])
    elif chosen:
        st.caption("Pick two runs to see them side by side.")


def _row(run: str, stamp: str) -> dict[str, Any]:
    loaded, parts = _cached.checkpoint(run, stamp), _cached.measured(run, stamp)
    row = {"run": run, "flavor": loaded.run.model.name, "latent": loaded.run.model.latent}
    row |= {"network": loaded.run.network, "epoch": loaded.epoch}
    for title, (part, name) in FIGURES.items():
        figure = ((parts.get(part) or {}).get("rows", {}).get("code") or {}).get(name)
        row[title] = figure.get("mean", figure.get("PSNR")) if hasattr(figure, "get") else figure
    return row


def _side_by_side(runs: list[str]) -> None:
    """Facts, curves, and maps of two runs, on the same test images."""
    from aecore.figures import curves

    for run in runs:
        need_dataset(_cached.checkpoint(run, _cached.stamp(run)).run.dataset)
    for column, run in zip(st.columns(2, gap="large"), runs, strict=True):
        stamp = _cached.stamp(run)
        history = _cached.checkpoint(run, stamp).history
        with column:
            st.caption(run)
            facts(run, stamp)
            st.vega_lite_chart(curves(history), key=f"curves-{run}", height=240, alt=f"Loss terms of {run}")
            st.caption("solid: training, dashed: held out")
            st.image(_cached.map_picture(run, stamp), width="stretch", alt=f"Map of {run}")
            st.caption("Test images at their codes, or at the two principal components of them")
