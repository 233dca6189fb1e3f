"""A run taken along as a file, and brought back."""

import streamlit as st

from aecore.folders import own_runs
from aecore.process.jobs import Job
from aecore.store import DamagedRun
from pages import _cached, _view
from pages._uploads import upload_limit
from pages._view import View
from pages._visitor import token
from pages._words import sentence


def take_along(job: Job) -> None:
    """A button that downloads a run."""
    try:
        stamp = _cached.training_store(job.id).stamp(job.id)
    except DamagedRun:  # nothing to take yet
        return
    help = "Settings and weights in one file. “Bring a run back” loads it on another server, or here if it was deleted."
    st.download_button(
        "Download", lambda: _cached.parcel(View(job.id, stamp)), f"{job.id}.zip", "application/zip", type="tertiary",
        key="take-along", on_click="ignore", help=help,
    )  # fmt: skip


def bring_back() -> None:
    """A place for such a file; the page goes on with the run in it."""
    with st.expander("Bring a run back", key="bring-back"):
        st.file_uploader(
            "A run that was downloaded from the Train page", "zip", max_upload_size=upload_limit(), key="parcel",
            on_change=_bring,
        )  # fmt: skip
        if problem := st.session_state.get("parcel-problem"):
            st.text(problem)


def _bring() -> None:
    from aecore import Store
    from aecore.process import visitors

    st.session_state["parcel-problem"] = ""
    if (file := st.session_state["parcel"]) is None:
        return
    try:
        run = visitors.bring(file.getvalue(), Store(own_runs()), token())
    except ValueError as error:
        st.session_state["parcel-problem"] = sentence(error)
    else:
        _view.put("run", run.id, page="train")
