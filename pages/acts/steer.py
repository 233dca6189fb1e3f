"""The buttons that steer a training, rename its run and delete it, with the questions that some of them ask."""

import time
from typing import Any

import streamlit as st

from aecore.folders import LONGEST_NAME, name_of, own_runs, rename
from aecore.process.jobs import LIVE, Job
from pages import _cached, _view
from pages._visitor import may
from pages._widgets import gone, start_run, titles, toasting
from pages._words import plain
from pages.acts.parcel import take_along

BUTTONS = {
    "pause": ("Pause", "Save, and stay ready to continue."),
    "go": ("Resume", "Continue training from here."),
    "batch": ("Step batch", "One step of the optimizer, then pause."),
    "epoch": ("Step epoch", "Finish the current epoch, then pause."),
    "stop": ("Stop and keep", "Save and end; training can continue later."),
}
OFFERED = {
    "waiting": ("stop",),
    "running": ("pause", "stop"),
    "paused": ("go", "batch", "epoch", "stop"),
    "stopped": ("go", "batch", "epoch"),
    "interrupted": ("go", "batch", "epoch"),
    "failed": ("go",),
}


def steer(job: Job, state: str) -> None:
    """The buttons that make sense now, for whom they are."""
    if job.folder.parent != own_runs():
        st.button("Train this run again", key="train-here", on_click=_train_here, args=(job.id,))
        st.caption("This run came with the app, already trained. Train it again to watch it learn.")
        return
    if not may(job):
        st.caption("Somebody else started this training. You can watch and use it, but not control or delete it.")
        return
    orphaned = state not in LIVE and gone(job.id.partition("-")[0])
    if orphaned:
        st.caption("The images it was trained on were deleted, so it cannot be trained further.")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for order in () if orphaned else OFFERED.get(state, ()):
            label, help = BUTTONS[order]
            st.button(label, key=f"order-{order}", help=help, on_click=_order, args=(job, order))
        if state == "waiting":
            return
        if not orphaned:
            help = "Discard progress and retrain with the same seed."
            if st.button("Train again", key="order-restart", type="tertiary", help=help):
                _again(job)
            help = "The same settings with the next seed, as a separate run."
            st.button("New seed", key="new-seed", type="tertiary", help=help, on_click=_new_seed, args=(job.id,))
        if st.button("Rename", key="rename", type="tertiary"):
            _rename(job)
        take_along(job)
        if state not in LIVE and st.button("Delete", key="delete", type="tertiary"):
            _delete(job)


def redraw() -> None:
    """In a callback: have the whole page drawn, which closes a dialog.

    On a busy machine, `st.rerun` may be lost among the ticks of a training; each tick asks again until it is done.
    """
    st.session_state["redraw"] = True


def _order(job: Job, order: str) -> None:
    """Give an order, and wait a moment for what comes of it."""
    if not may(job):
        return
    before = (job.state, job.progress.get("step"))
    with toasting():
        job.ask(order)
    deadline = time.monotonic() + 1.0
    while (job.state, job.progress.get("step")) == before and time.monotonic() < deadline:
        time.sleep(0.05)


@st.dialog("Train this run again?")
def _again(job: Job) -> None:
    st.write("Its progress, curves and measurements are deleted; then the same training starts.")
    with st.container(horizontal=True):
        if st.button("Delete and train again", key="restart-now", on_click=_restart, args=(job,)):
            st.rerun()
        if st.button("Keep it", key="keep-trained", on_click=redraw):
            st.rerun()


def _restart(job: Job) -> None:
    redraw()
    _order(job, "restart")


def _train_here(id: str) -> None:
    _try(_cached.training_store(id).run(id).to_dict())


def _new_seed(id: str) -> None:
    settings = _cached.training_store(id).run(id).to_dict()
    _try(settings | {"seed": settings["seed"] + 1})


def _try(settings: dict[str, Any]) -> None:
    with toasting():
        _view.put("run", start_run(settings), page="train")
    redraw()


@st.dialog("Rename this run")
def _rename(job: Job) -> None:
    known = titles()[job.id]
    help = f"At most {LONGEST_NAME} characters. Leave it empty to go back to the automatic title."
    with st.form("rename-form", border=False):
        st.text_input("Name", name_of(job.folder), LONGEST_NAME, key="run-name", placeholder=known, help=help)
        if st.form_submit_button("Save", type="primary", key="save-name", on_click=_save_name, args=(job,)):
            st.rerun()


def _save_name(job: Job) -> None:
    redraw()
    with toasting():
        if may(job):
            rename(job.folder, st.session_state["run-name"])


@st.dialog("Delete this run?")
def _delete(job: Job) -> None:
    st.write(f"**{plain(titles()[job.id])}**")
    st.caption(job.id)
    st.write("Its weights, curves and measurements are deleted permanently.")
    with st.container(horizontal=True):
        if st.button("Delete permanently", key="delete-permanently"):
            with toasting():
                if may(job) and job.state not in LIVE:
                    _cached.training_store(job.id).delete(job.id)
                    st.session_state["toast"] = "The run was deleted."
                    _view.put("run", None)
                    if _view.picked() == job.id:
                        _view.pick(None)
            st.rerun()
        if st.button("Keep it", key="keep", on_click=redraw):
            st.rerun()
