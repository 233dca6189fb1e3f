"""What takes long: asked for, waited for with its progress and a way to cancel, shown when it is known."""

from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from aecore.files import Unwritable
from aecore.process.questions import coded
from aecore.process.tasks import ENDED, Busy, Task
from pages import _cached, _view
from pages._view import View
from pages._visitor import drawer
from pages._words import sentence

if TYPE_CHECKING:
    import numpy as np


FEW = 5000
"""Images up to which codes are compared, or learned from, in no more time than a page takes anyway."""


def answer(task: Task, words: str, button: str = "", quick: bool = False) -> "list[np.ndarray] | None":
    """What a task finds; None as long as that is not known, and its progress is drawn here.

    words say what is done. With a button, nothing begins before it is pressed; without one, it has one after Cancel.
    What is quick is done at once.
    """
    if (found := task.answer()) is not None:
        return found
    if quick:
        return task.compute()
    who, known = drawer() or "owner", st.session_state.setdefault("tasks", {})
    if (last := known.get(task.function)) and last != task:
        last.leave(who)  # everybody waits for one of a kind
        del known[task.function]
    if not task.waits(who):
        left = task.name in st.session_state.setdefault("left", set())
        pressed = (left or button) and st.button(button or "Compute", type="primary", key=f"ask-{task.function}")
        if (left or button) and not pressed:
            return None
        st.session_state["left"].discard(task.name)
        try:
            task.ask(who)
        except (Busy, Unwritable) as error:
            st.text(sentence(error))
            return None
    known[task.function] = task
    st.fragment(_progress, run_every=1.0)(task, who, words)
    return None


def need_codes(view: View, *splits: str) -> None:
    """See that the codes of splits of a run's images are known; while they are not, the page ends with the progress."""
    for split in splits:
        quick = len(_cached.images(view).split(split)) <= FEW
        if answer(coded(view.run, view.stamp, split), "Encoding the images", quick=quick) is None:
            _view.stop()


def quietly(task: Task) -> "list[np.ndarray] | None":
    """The same for what is nice to know: it is asked for once, and the page is drawn again when it is known."""
    if (found := task.answer()) is not None:
        return found
    if "error" in task.report:
        return None  # it would fail each time the page is drawn
    with suppress(Busy, Unwritable):
        task.ask(drawer() or "owner")
        st.fragment(_until_known, run_every=2.0)(task, drawer() or "owner")
    return None


def _until_known(task: Task, who: str) -> None:
    task.wait(who)
    if task.answer() is not None:
        st.rerun()


def _progress(task: Task, who: str, words: str) -> None:
    """How far it is; the page is drawn again when that is all."""
    if task.answer() is not None or not task.waits(who):
        st.rerun()
    task.wait(who)
    report = task.report
    if not task.alive:
        st.text(f"This failed: {sentence(report.get('error', ENDED))}")
    elif ahead := report.get("ahead"):
        st.progress(0.0, f"{words}: {ahead} ahead in the queue")
    else:
        st.progress(min(1.0, report.get("done", 0) / max(report.get("of", 1), 1)), words)
    st.button("Cancel" if task.alive else "Close", key=f"leave-{task.function}", on_click=_leave, args=(task, who))


def _leave(task: Task, who: str) -> None:
    task.leave(who)
    st.session_state["left"].add(task.name)
