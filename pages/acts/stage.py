"""What a lesson shows: parts of the pages, each as its page draws it, at the values of a step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from aecore.charts import accuracy_curves, confusion
from aecore.pixels import to_floats
from aecore.process.questions import labels
from pages import _cached, _controls, _view
from pages._view import View
from pages._widgets import picture, plot, titles
from pages._words import plain
from pages.acts import compare, linear, map, path, units
from pages.acts.layout import arrange, first_split
from pages.acts.query import pick_query
from pages.acts.repairs import choose_noise, follow, large, over_levels, runs_on_images, walk
from pages.acts.similar import Place, hit_gallery, name_of
from pages.acts.wait import FEW, answer, need_codes
from pages.acts.where import choose_place

Marks = Mapping[str, Any]
UNCODED = {"image", "linear", "place", "units", "numbers"}
"""Parts of the map's page that do without the codes of all images."""


def play(page: str, view: View, parts: Sequence[str], marks: Marks) -> None:
    """Draw parts of a page about a run, side by side; marks: what to show on the map besides."""
    _STAGES[page](view, parts, marks)


def _manifold(view: View, parts: Sequence[str], marks: Marks) -> None:
    head = st.container(horizontal=True, vertical_alignment="bottom")
    layout = arrange(view, head, coded=not UNCODED.issuperset(parts))
    view = layout.view
    row, own = map.picked_row(view), {}
    columns = dict(zip(parts, st.columns([5 if part == "map" else 3 for part in parts]), strict=True))
    for part in parts:
        with columns[part]:
            if part == "image":
                map.row_field(view)
                units.pair(view, row)
            elif part == "linear":
                map.row_field(view)
                linear.beside(view, row)
            elif part == "place":
                own = units.place(view)
            elif part == "path":
                own = path.path(view)
            elif part == "dice":
                own = path.samples(view, row)
            elif part == "units":
                code = _cached.checkpoint(view).encode(_cached.split(view).images[row : row + 1])[0]
                units.traversals(view, units.rack(view, code, row))
            elif part == "numbers":
                map.numbers(view)
    if "map" in parts:
        with columns["map"]:
            map.draw(view, layout.color, layout.mode, layout.tile, row, {**own, **marks})
        map.send_pictures(view)


def _denoise(view: View, parts: Sequence[str], _: Marks) -> None:
    noise = choose_noise()
    query = pick_query(_cached.images(view))
    clean = to_floats(query.image[None])
    noisy, checkpoint, name = noise.added(clean), _cached.checkpoint(view), plain(titles()[view.run])
    for part in parts:
        if part == "pictures":
            large(clean, noisy, checkpoint.reconstruct(noisy), query.name, name)
            if _view.shows("level"):
                follow(clean, noise, view)
        elif part == "again":
            walk(checkpoint, name, noisy[0])
        elif part == "levels":
            over_levels(runs_on_images(view), view.run, noise)


def _search(view: View, parts: Sequence[str], _: Marks) -> None:
    images = _cached.images(view)
    query = pick_query(images)
    place, k = choose_place(view, query)
    left, right = st.columns([1, 4])
    with left:
        picture(query.image, query.name, 280)
    with right:
        for part in parts:
            _hits(place if part == "hits" else place.in_pixels(), query, k, part)


def _hits(place: Place, query: Any, k: int, key: str) -> None:
    """The nearest images of a place, and how many of them are of the query's class."""
    images, split = _cached.images(place.view), _cached.split(place.view)
    without = [query.row] if query.split == place.view.split else []
    distances, rows = place.find([query.image], [], k, without)
    by = "Nearest as raw pixels" if place.space == "pixels" else "Nearest by their codes"
    if query.row >= 0 and split.labels is not None:
        same = int((split.labels[rows] == images.split(query.split).labels[query.row]).sum())
        by += f": **{same} of {len(rows)} of the same class**"
    st.markdown(by)
    lines = [
        [name_of(images, place.view.split, row), place.score(distance)]
        for distance, row in zip(distances, rows, strict=True)
    ]
    hit_gallery(images, place, rows, lines, f"{key}-found", 120, 190)


def _classify(view: View, parts: Sequence[str], _: Marks) -> None:
    if "curves" in parts and (part := _cached.measured(view).get("few_labels")):
        plot(accuracy_curves(part["rows"]), height=420, alt="Test accuracy over labels per class")
        st.caption(f"Mean and standard deviation over {part['seeds']} random choices of the labels.")
    if "confusion" in parts:
        images = _cached.images(view)
        amount, seed = _controls.number("labels", "Labels per class", 1, 1000, 10), 0
        question = labels(view.run, view.stamp, amount, seed)
        if found := answer(question, "Learning from the labels", quick=len(images.train) <= FEW):
            chart = confusion(images.test.labels, found[0], images.classes)
            plot(chart, height=420, alt="Confusion matrix of the test images")


def _train(_: View, parts: Sequence[str], __: Marks) -> None:
    compare.side_by_side()


_STAGES: dict[str, Callable[[View, Sequence[str], Marks], None]] = {
    "manifold": _manifold,
    "denoise": _denoise,
    "search": _search,
    "classify": _classify,
    "train": _train,
}
PARTS: dict[str, tuple[str, ...]] = {
    "manifold": ("map", "image", "linear", "place", "path", "dice", "units", "numbers"),
    "denoise": ("pictures", "again", "levels"),
    "search": ("hits", "pixels"),
    "classify": ("curves", "confusion"),
    "train": ("compare",),
}
"""Page -> what a lesson can show of it."""


def truth(view: View, row: int) -> np.ndarray:
    """Where an image of the split that the step shows is on the map, (2,); ends the page while that is not known."""
    view = view.at(_view.get("of", first_split(view)))
    need_codes(view, "train", view.split)
    return _cached.places(view)[row]
