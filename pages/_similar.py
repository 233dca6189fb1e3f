"""What the Search page asks: in which space, from which examples; and the near-duplicates and outliers of a set."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from aecore.manifold import project
from aecore.search import combined, groups, nearest_images
from pages import _cached
from pages._query import SOURCES, ask_for
from pages.components.gallery import Action, gallery

if TYPE_CHECKING:
    from aecore import Dataset

SPACES = {"code": "Code", "whitened": "Whitened", "pixels": "Raw pixels", "map": "2-D map"}
SAME = {"cosine": 1e-6, "euclidean": 1e-4}
"""Distances up to this are rounding: a duplicate."""

Example = tuple[str, str, int]
"""+ or -, the split, the row."""


@dataclass(frozen=True)
class Place:
    """Where is searched: a split of a run's images, in a space, by a metric."""

    run: str
    stamp: str
    split: str
    space: str
    metric: str

    def find(
        self, wanted: Sequence[np.ndarray], unwanted: Sequence[np.ndarray], k: int, without: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest to examples for and against, images (c, h, w), but for some rows -> (distances, rows)."""
        if self.space == "pixels":
            images = getattr(_cached.dataset(_cached.checkpoint(self.run, self.stamp).run.dataset), self.split).images
            query = combined(*map(_flat, (wanted, unwanted)), self.metric).reshape(images.shape[1:])
            distances, rows = nearest_images(images, query, k + len(without), self.metric)
        else:
            query = combined(self._vectors(wanted), self._vectors(unwanted), self.metric)
            index = _cached.index(self.run, self.stamp, self.split, self.space, self.metric)
            distances, rows = index.nearest(query, k + len(without))
        kept = ~np.isin(rows, without)
        return distances[kept][:k], rows[kept][:k]

    def _vectors(self, images: Sequence[np.ndarray]) -> np.ndarray:
        if not len(images):
            return np.empty((0, 1), np.float32)
        codes = _cached.checkpoint(self.run, self.stamp).encode(np.stack(images))
        if self.space == "whitened":
            return _cached.whitening(self.run, self.stamp)(codes)
        return project(codes, *_cached.axes(self.run, self.stamp)) if self.space == "map" else codes

    def score(self, distance: float) -> str:
        """Cosine similarity, or euclidean distance, to three digits."""
        return f"{1 - distance if self.metric == 'cosine' else distance:.3f}"

    def sentence(self, latent: int, count: int) -> str:
        """What the metric saw."""
        vector = {
            "code": f"Codes of {latent} numbers",
            "whitened": f"Half-whitened codes of {latent} numbers",
            "pixels": "Raw pixels, all of an image",
            "map": "Places on the map, "
            + ("the 2 numbers of a code" if latent == 2 else "the 2 main axes of the codes"),
        }[self.space]
        centered = "centered" if self.space == "whitened" or (self.space == "map" and latent != 2) else "not centered"
        of = "training" if self.split == "train" else "test"
        measure = "cosine similarity, 1 is the same direction" if self.metric == "cosine" else "euclidean distance"
        words = f"{vector}, {centered}; {measure}; among {count:,} {of} images. No label is used."
        if self.space != "pixels":
            index = _cached.index(self.run, self.stamp, self.split, self.space, self.metric)
            words += "" if index.exact else f" Nearly exact: {index.recall:.1%} of the ten nearest are found."
        return words


def _flat(images: Sequence[np.ndarray]) -> np.ndarray:
    return (
        np.array([image.ravel() for image in images], np.float32).reshape(len(images), -1 if len(images) else 1) / 255
    )


def examples(images: "Dataset") -> list[Example]:
    """The examples for and against of this visit, kept in the address too."""
    if "examples" not in st.session_state:
        words = st.query_params.get("examples", "").split("~")
        found = [(word[0], *word[1:].partition("-")[::2]) for word in words if word]
        st.session_state["examples"] = [
            (sign, split, int(row)) for sign, split, row in found if row.isdecimal() and len(row) < 10
        ]
    if st.session_state.setdefault("examples-of", images.name) != images.name:  # rows of another set mean nothing here
        st.session_state["examples"], st.session_state["examples-of"] = [], images.name
    known = [
        (sign, split, row)
        for sign, split, row in st.session_state["examples"]
        if sign in "pm" and split in ("train", "test") and row < len(getattr(images, split))
    ]
    if known:
        st.query_params["examples"] = "~".join(f"{sign}{split}-{row}" for sign, split, row in known)
    elif "examples" in st.query_params:
        del st.query_params["examples"]
    return known


def show_examples(images: "Dataset", chosen: list[Example]) -> None:
    """The examples in a row; a press takes one away."""

    def drop(place: int, _: str) -> None:
        st.session_state["examples"] = [example for example in chosen if example != chosen[place]]

    pictures = np.stack([getattr(images, split).images[row] for _, split, row in chosen])
    lines = [["for" if sign == "p" else "against"] for sign, _, _ in chosen]
    gallery(pictures, lines, "examples-shown", "Examples", ("drop", "Take this example away"), drop, side=56, most=64)


def hit_gallery(
    images: "Dataset",
    place: Place,
    rows: np.ndarray,
    lines: Sequence[Sequence[str]],
    key: str,
    side: int,
    most: int = 240,
    offer: Sequence[str] = (),
) -> None:
    """Images of the searched split: a press makes one the query; below each what is offered of more, less and map."""

    def act(number: int, action: str) -> None:
        row = int(rows[number])
        if action == "query":
            ask_for(place.split, row)
        elif action == "map":
            st.session_state["locate"] = {"of": SOURCES[place.split], "row": row}
        else:
            example = ({"more": "p", "less": "m"}[action], place.split, row)
            others = [known for known in st.session_state["examples"] if known[1:] != example[1:]]
            st.session_state["examples"] = [*others, example]

    link = f"manifold?{urlencode({'run': place.run, 'of': SOURCES[place.split]})}&row="
    actions = (
        Action("more", "+", "More like this"),
        Action("less", "−", "Less like this"),
        Action("map", "map", "Locate on the map", [f"{link}{row}" for row in rows]),
    )
    gallery(
        getattr(images, place.split).images[rows], lines, key, "Images found", ("query", "Make it the query"), act,
        [action for action in actions if action.name in offer], side=side, most=most,
    )  # fmt: skip


def name_of(images: "Dataset", split: str, row: int) -> str:
    """An image's class, where it is known, and id."""
    part = getattr(images, split)
    return part.ids[row] if part.labels is None else f"{images.classes[part.labels[row]]}, {part.ids[row]}"


def duplicates(images: "Dataset", place: Place) -> None:
    """Pairs of codes nearer than a threshold, grouped."""
    distances, rows = _all_nearest(place)
    usual, widest = (float(np.quantile(distances[:, 0], share)) for share in (0.01, 0.1))
    same = SAME[place.metric]
    widest = max(widest, same)
    threshold = st.slider("Nearer than", 0.0, widest, usual, widest / 100, format="%.4f", width=320,
                          help=f"{place.metric.capitalize()} distance between codes.")  # fmt: skip
    found = groups(distances, rows, max(threshold, same))
    table = [
        (number, images_row, getattr(images, place.split).ids[images_row], distances[images_row, 0])
        for number, group in enumerate(found, start=1)
        for images_row in group
    ]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.write(f"{len(found):,} groups, {len(table):,} images in them; the largest are shown.")
        _export("near-duplicates.csv", ("group", "row", "id", "distance to its nearest"), table)
    for number, group in enumerate(found[:8]):
        st.caption(f"{len(group)} images" + (", equal codes" if distances[group, 0].max() <= same else ""))
        shown = group[:12]
        lines = [[name_of(images, place.split, row)] for row in shown]
        hit_gallery(images, place, shown, lines, f"group-{number}", side=72, most=96)


def outliers(images: "Dataset", place: Place) -> None:
    """The images that the run rebuilds worst, or whose codes have no near neighbor."""
    kinds = {"error": "Rebuilt worst", "far": "Farthest from its neighbors"}
    kind = st.segmented_control("By", list(kinds), default="error", required=True, key="outlier", bind="query-params",
                                format_func=kinds.get, label_visibility="collapsed")  # fmt: skip
    if kind == "error":
        values, unit = _cached.errors(place.run, place.stamp, place.split), "MSE of the reconstruction"
    else:
        distances, _ = _all_nearest(place)
        values, unit = distances.mean(axis=1), f"mean {place.metric} distance to its {distances.shape[1]} nearest codes"
    order = np.argsort(-values, kind="stable")
    ids = getattr(images, place.split).ids
    with st.container(horizontal=True, vertical_alignment="center"):
        st.write(f"By the {unit}; the median is {np.median(values):.4f}.")
        _export("outliers.csv", ("row", "id", unit), [(row, ids[row], values[row]) for row in order[:1000]])
    lines = [[f"{values[row]:.4f}", name_of(images, place.split, row)] for row in order[:24]]
    hit_gallery(images, place, order[:24], lines, "outliers", side=88, most=120, offer=("map",))


def _all_nearest(place: Place) -> tuple[np.ndarray, np.ndarray]:
    """The nearest others of every code, with progress where they are not known yet; ends the page without others."""
    if len(_cached.codes(place.run, place.stamp, place.split)) < 2:
        st.write("One image alone has no neighbors.")
        st.stop()
    bar = st.progress(0.0, "Comparing every code with every other")
    found = _cached.all_nearest(
        place.run, place.stamp, place.split, place.metric,
        lambda done, total: bar.progress(done / total, f"Comparing every code with every other: {done:,} of {total:,}"),
    )  # fmt: skip
    bar.empty()
    return found


def _export(name: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    file = io.StringIO()
    csv.writer(file).writerows([header, *rows])
    st.download_button("Export as CSV", file.getvalue(), name, "text/csv", key=f"export-{name}", on_click="ignore")
