"""Where is searched: among which images, in which space, by which metric, for how many."""

import streamlit as st

from aecore.search import METRICS
from pages import _cached, _controls
from pages._view import View
from pages.acts.query import SOURCES, Query
from pages.acts.similar import SPACES, Place
from pages.acts.wait import need_codes


def choose_place(view: View, query: Query) -> tuple[Place, int]:
    """The place and how many images to find there; ends the page while the codes are not known."""
    latent = _cached.checkpoint(view).run.model.latent
    with st.container(horizontal=True, vertical_alignment="bottom"):
        splits = {name: SOURCES[name] for name in ("train", "test")}
        where = _controls.segments("gallery", "Search in", splits, "train")
        help = "What is compared. Whitened: codes along their principal axes, with strong axes scaled down."
        space = _controls.segments("space", "Space", SPACES, "code", help=help)
        flat = (latent == 2 and space != "pixels") or space == "map"  # of two numbers, a direction tells too little
        metric = _controls.segments("metric", "Metric", METRICS, "euclidean" if flat else "cosine", (flat,))
        k = _controls.number("k", "How many", 1, 100, 4, width=90)
    if space != "pixels":
        needed = [where, *(["train"] if space != "code" else []), *(["test"] if query.row < 0 else [])]
        need_codes(view, *needed)
    return Place(view.at(where), space, metric), k
