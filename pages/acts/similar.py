"""What the Search page asks: in which space, from which examples; and the near-duplicates and outliers of a set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from aecore.export import csv_text
from aecore.manifold import project
from aecore.pixels import to_floats
from aecore.process.questions import nearest
from aecore.search import combined, groups
from pages import _cached, _controls, _view
from pages._view import View
from pages._words import counted
from pages.acts.files import files
from pages.acts.map import located
from pages.acts.query import ask_for
from pages.acts.wait import FEW, answer
from pages.components.gallery import Action, gallery

if TYPE_CHECKING:
    from aecore import Dataset

SPACES = {"code": "Code", "whitened": "Whitened", "pixels": "Raw pixels", "map": "2-D map"}
MOST_GROUPS = 8
"""Groups of near-duplicates that are shown."""
SAME = 1e-5
"""Codes that differ by less than this share of their length are equal but for rounding."""

Example = tuple[str, str, int]
"""+ or -, the split, the row."""


@dataclass(frozen=True)
class Place:
    """Where is searched: a split of a run's images, in a space, by a metric."""

    view: View
    space: str
    metric: str

    def in_pixels(self) -> "Place":
        """The baseline: the same among raw pixels."""
        return replace(self, space="pixels")

    def find(
        self, wanted: Sequence[np.ndarray], unwanted: Sequence[np.ndarray], k: int, without: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest to examples for and against, images (c, h, w) -> (distances, rows).

        One row for equal images; the rows `without` are never found, but a copy of them may be.
        """
        images, name, split = _cached.split(self.view).images, _cached.images(self.view).name, self.view.split
        first, every = _cached.distinct(name, split)
        rows_of = {int(number): _another(every, int(number), without) for number in every[without]}
        lone = [number for number, row in rows_of.items() if row < 0]
        if self.space == "pixels":
            query = combined(*map(_flat, (wanted, unwanted)), self.metric).reshape(images.shape[1:])
            distances, found = _cached.pixel_neighbors(
                name, split, sha256(query.tobytes()).hexdigest(), k + len(lone), self.metric, query
            )
        else:
            query = combined(self._vectors(wanted), self._vectors(unwanted), self.metric)
            index = _cached.index(self.view, self.space, self.metric)
            distances, found = index.nearest(query, k + len(lone))
        kept = ~np.isin(found, lone)
        distances, found = distances[kept][:k], found[kept][:k]
        return distances, np.array([rows_of.get(int(number), first[number]) for number in found], int)

    def sameness(self, image: np.ndarray, rows: Sequence[int]) -> list[list[str]]:
        """In a word, whether an image of the split is equal to each of these, or its code is; nothing for most."""
        others = _cached.split(self.view).images[rows]
        equal = (others == image).all(axis=(1, 2, 3))
        alike = np.zeros(len(others), bool)
        if self.space != "pixels":
            codes = self._vectors([image, *others])
            alike = np.linalg.norm(codes[1:] - codes[0], axis=1) <= SAME * np.linalg.norm(codes[0])
        return [
            ["duplicate"] if same else ["identical code"] if near else []
            for same, near in zip(equal, alike, strict=True)
        ]

    def _vectors(self, images: Sequence[np.ndarray]) -> np.ndarray:
        if not len(images):
            return np.empty((0, 1), np.float32)
        codes = _cached.checkpoint(self.view).encode(np.stack(images))
        if self.space == "whitened":
            return _cached.whitening(self.view)(codes)
        return project(codes, *_cached.axes(self.view)) if self.space == "map" else codes

    def score(self, distance: float) -> str:
        """Cosine similarity, or euclidean distance, to three digits."""
        return f"{1 - distance if self.metric == 'cosine' else distance:.3f}"

    def sentence(self, latent: int, count: int) -> str:
        """What the metric saw."""
        vector = {
            "code": f"Codes of {latent} units",
            "whitened": f"Whitened codes of {latent} units",
            "pixels": "Raw pixels",
            "map": "Places on the map, " + ("the 2 units of a code" if latent == 2 else "the 2 main axes of the codes"),
        }[self.space]
        of = "training" if self.view.split == "train" else "test"
        measure = "cosine similarity (1 is the same direction)" if self.metric == "cosine" else "euclidean distance"
        words = f"{vector}, compared with {count:,} {of} images by {measure}. No labels are used."
        if self.space != "pixels":
            index = _cached.index(self.view, self.space, self.metric)
            words += "" if index.exact else f" Approximate: {index.recall:.1%} of the ten nearest are found."
        return words


def _another(every: np.ndarray, number: int, without: Sequence[int]) -> int:
    """A row with the distinct image of this number that is none of these; -1 where there is none."""
    rows = np.flatnonzero(every == number)
    others = rows[~np.isin(rows, without)]
    return int(others[0]) if len(others) else -1


def _flat(images: Sequence[np.ndarray]) -> np.ndarray:
    return to_floats(np.array([image.ravel() for image in images])) if len(images) else np.empty((0, 1), np.float32)


def examples(images: "Dataset") -> list[Example]:
    """The examples for and against, from the address."""
    words = _view.get("examples", "", (images.name,)).split("~")
    found = [(word[0], *word[1:].partition("-")[::2]) for word in words if word]
    return [
        (sign, split, int(row))
        for sign, split, row in found
        if sign in "pm" and split in ("train", "test") and row.isascii() and row.isdecimal() and len(row) < 10
        and int(row) < len(images.split(split))
    ]  # fmt: skip


def _keep_examples(name: str, chosen: Sequence[Example]) -> None:
    _view.put("examples", "~".join(f"{sign}{split}-{row}" for sign, split, row in chosen), (name,), "")


def show_examples(images: "Dataset", chosen: list[Example]) -> None:
    """The examples in a row; a press takes one away."""

    def drop(place: int, _: str) -> None:
        _keep_examples(images.name, [example for example in chosen if example != chosen[place]])

    pictures = np.stack([images.split(split).images[row] for _, split, row in chosen])
    lines = [["like this" if sign == "p" else "unlike this"] for sign, _, _ in chosen]
    gallery(pictures, lines, "examples-shown", "Examples", ("drop", "Remove this example"), drop, side=56, most=64)
    st.caption("Press an example to remove it.")


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
            ask_for(images.name, place.view.split, row)
            st.session_state["asked-from-below"] = "" if key == "hits" else f"{key} {row}"
        elif action == "map":
            st.session_state["locate"] = located(place.view.run, place.view.split, row)
        else:
            example = ({"more": "p", "less": "m"}[action], place.view.split, row)
            _keep_examples(images.name, [*(known for known in examples(images) if known[1:] != example[1:]), example])

    links = [
        f"manifold?{urlencode(_view.link('manifold', **located(place.view.run, place.view.split, int(row))))}"
        for row in rows
    ]
    actions = (
        Action("more", "more", "More like this"),
        Action("less", "less", "Less like this"),
        Action("map", "map", "Locate on the map", links),
    )
    gallery(
        _cached.originals(images.name, place.view.split, tuple(map(int, rows))), lines, key, "Images found",
        ("query", "Search for it"), act,
        [action for action in actions if action.name in offer], side=side, most=most,
    )  # fmt: skip


def name_of(images: "Dataset", split: str, row: int) -> str:
    """An image's class, where it is known, and id; how many like it there are, where it is not the only one."""
    part, copies = images.split(split), _copies(images.name, split, row)
    name = part.ids[row] if part.labels is None else f"{images.classes[part.labels[row]]}, {part.ids[row]}"
    return f"{name}, one of {copies:,} identical" if copies > 1 else name


def _copies(name: str, split: str, row: int) -> int:
    _, every = _cached.distinct(name, split)
    return int(_cached.copies(name, split)[every[row]])


def duplicates(images: "Dataset", place: Place) -> None:
    """Equal images, and those whose codes are nearer than a threshold, grouped."""
    _, every = _cached.distinct(images.name, place.view.split)
    distances, near = _all_nearest(place)
    usual, widest = (float(np.quantile(distances[:, 0], share)) for share in (0.01, 0.1))
    widest = max(widest, 1e-6)
    scope = (place.view.run, place.view.split, place.metric)
    threshold = _controls.slider(
        "near", "Nearer than", 0.0, widest, min(usual, widest), widest / 100, scope, format="%.4f", width=320,
        help=f"{place.metric.capitalize()} distance between codes.",
    )  # fmt: skip
    alike = groups(distances, near, threshold)
    grouped = set(np.concatenate(alike).tolist()) if alike else set()
    alone = [np.array([number]) for number in np.flatnonzero(_cached.copies(images.name, place.view.split) > 1)]
    found = [*alike, *(group for group in alone if group[0] not in grouped)]
    order = np.argsort(every, kind="stable")
    ends = np.cumsum(_cached.copies(images.name, place.view.split))
    members = [np.concatenate([order[(ends[n - 1] if n else 0) : ends[n]] for n in group]) for group in found]
    ids = images.split(place.view.split).ids
    table = [
        (number, row, ids[row], int(every[row]))
        for number, rows in enumerate(members, start=1)
        for row in rows.tolist()
    ]  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        few = f"; the largest {MOST_GROUPS} are shown" if len(found) > MOST_GROUPS else ""
        st.write(f"{counted(len(found), 'group')}, {len(table):,} images in all{few}.")
        _export("near-duplicates.csv", ("group", "row", "id", "distinct image"), table)
        numbers, rows = [f"group {number}" for number, *_ in table], [row for _, row, *_ in table]
        files(images, place.view.split, rows, "near-duplicates", numbers)
    largest = sorted(range(len(found)), key=lambda number: -len(members[number]))[:MOST_GROUPS]
    for number in largest:
        of, kinds = len(members[number]), len(found[number])
        words = ", all identical" if kinds == 1 else f", {kinds:,} of them distinct" if kinds < of else ""
        st.caption(f"{of:,} images{words}")
        shown = np.sort(members[number])[:12]
        lines = [[name_of(images, place.view.split, row)] for row in shown]
        hit_gallery(images, place, shown, lines, f"group-{number}", side=72, most=96)


def outliers(images: "Dataset", place: Place) -> None:
    """The images that the run rebuilds worst, or whose codes have no near neighbor; equal images count once."""
    kinds = {"error": "Worst reconstruction", "far": "Farthest from its neighbors"}
    kind = _controls.segments("odd", "By", kinds, "error", label_visibility="collapsed")
    first, _ = _cached.distinct(images.name, place.view.split)
    if kind == "error":
        values, unit = _cached.errors(place.view)[first], "MSE of the reconstruction"
    else:
        distances, _ = _all_nearest(place)
        values, unit = distances.mean(axis=1), f"mean {place.metric} distance to its {distances.shape[1]} nearest codes"
    order = np.argsort(-values, kind="stable")
    ids, rows = images.split(place.view.split).ids, first[order]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.write(f"Sorted by {unit}; the median is {np.median(values):.4f}.")
        _export(
            "outliers.csv",
            ("row", "id", unit),
            [(r, ids[r], v) for r, v in zip(rows[:1000], values[order], strict=False)],
        )
        files(images, place.view.split, rows[:1000], "outliers", ["outliers"] * len(rows[:1000]))
    lines = [
        [f"{value:.4f}", name_of(images, place.view.split, row)]
        for row, value in zip(rows[:24], values[order][:24], strict=True)
    ]
    hit_gallery(images, place, rows[:24], lines, "outliers", side=88, most=120, offer=("map",))


def _all_nearest(place: Place) -> tuple[np.ndarray, np.ndarray]:
    """The nearest others of every distinct image's code, with progress until they are known; ends without others."""
    count = len(_cached.distinct(_cached.images(place.view).name, place.view.split)[0])
    if count < 2:
        st.write("A single image has no neighbors.")
        _view.stop()
    view = place.view
    found = answer(
        nearest(view.run, view.stamp, view.split, place.metric),
        "Comparing every code with every other",
        quick=count <= FEW,
    )
    if found is None:
        _view.stop()
    return found[0], found[1]


def _export(name: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    st.download_button(
        "Export as CSV", csv_text(header, rows), name, "text/csv", key=f"export-{name}", on_click="ignore"
    )
