"""The server: streamlit run app.py"""

import gc
import logging
import runpy
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.scriptrunner import get_script_run_ctx

from aecore.process.nursery import close_nursery, open_nursery, quiet
from aecore.process.questions import coded, labels, labels_of_pixels
from aecore.process.tasks import SERVER, Task
from pages._memory import hand_back_memory, make_room, spare_memory
from pages._routes import routes
from pages._uploads import Gate

ROUTER = Path(__file__).parent / "pages" / "_router.py"


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Import what is heavy in the background, so that the first visitor does not wait for it."""
    spare_memory()
    quiet.clear()
    threading.Thread(target=warm_up, daemon=True).start()
    yield
    close_nursery()


def warm_up() -> None:
    """Import what pages need, before a visitor asks.

    Garbage is collected with all visitors waiting. The imported modules are 300,000 objects that stay: looking at them
    again takes 0.15 s each time, unless they are frozen. Trainings share them from here on.
    """
    try:
        import aecore.__main__
        import aecore.charts
        import aecore.measure.evaluate
        import aecore.measure.repair
        import aecore.noise
        import aecore.recipes
        import aecore.search
        import aecore.training  # noqa: F401

        gc.collect()
        gc.freeze()
        open_nursery()
    finally:
        quiet.set()
    tell_lessons()
    warm_opening_views()
    while True:
        hand_back_memory()
        for _ in range(10):
            time.sleep(3)
            gc.collect()
            make_room()


def tell_lessons() -> None:
    """Have the log name what is wrong with lessons; whatever that is, the server goes on."""
    try:
        from pages import _syllabus

        _syllabus.report()
    except Exception:
        logging.getLogger("aecore.lessons").exception("the lessons could not be checked")


def warm_opening_views() -> None:
    """What the experiments show first, so that it is known when the first visitor comes.

    What takes long is done outside the server: one who comes before should not wait for it.
    """
    from aecore.data import is_here
    from pages import _cached

    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel(logging.ERROR)  # no visitor
    views = {name: _cached.newest(recipe["id"]).at("train") for name, recipe in _cached.recipes().items()
             if is_here(recipe["run"]["dataset"])}  # fmt: skip
    for name in ("blocks-map", "fashion-search", "fashion-labels"):
        if name in views:
            finish(coded(views[name].run, views[name].stamp, "train"))
    if "blocks-map" in views:
        _cached.places(views["blocks-map"])
    if "fashion-search" in views:
        _cached.index(views["fashion-search"], "code", "cosine")
    if "fashion-labels" in views:
        view = views["fashion-labels"]
        finish(labels(view.run, view.stamp, 10, 0))
        finish(labels_of_pixels(_cached.images(view).name, 1, 10, 0))


def finish(task: Task) -> None:
    """Have a long computation done, and wait for it."""
    if task.answer() is None:
        task.ask(SERVER)
        while task.alive:
            task.wait(SERVER)
            time.sleep(1)


if get_script_run_ctx(suppress_warning=True):  # a host that knows no st.App runs this file as a page, on every visit
    runpy.run_path(str(ROUTER))
else:
    app = st.App(ROUTER, lifespan=lifespan, routes=routes(), middleware=[Middleware(Gate)])
