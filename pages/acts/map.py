"""The map itself: which parts it is made of, and what a click, a lasso or a place on it changes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from aecore import manifold
from aecore.charts import unit_bars
from aecore.data import DATASETS, revision
from aecore.measure.metrics import Figure
from aecore.tags import tags
from pages import _cached, _controls, _view
from pages._view import View
from pages._visitor import drawer
from pages._widgets import offer_measuring, plot
from pages.acts.wait import answer
from pages.components.latent_map import event, latent_map, send, send_script

MODES = {"images": "Images", "points": "Points", "decoder": "Decoder", "units": "Units"}
SPLITS = {"train": "Training", "test": "Test"}
KINDS = {"train": "training", "test": "test"}
WAYS = {"pca": "PCA", "tsne": "t-SNE"}

MEANING = (
    "Trustworthiness: neighbors on the map are neighbors in pixels. Continuity: neighbors in pixels are neighbors on "
    "the map. R²: how much of a factor can be told from the place. 1 is perfect."
)

AREAS = {"map": "area", "map-beside": "beside-area"}
"""Key of a map -> the parameter that holds the area which is selected on it."""


class Area(NamedTuple):
    """Corners on a map, and the classes that were shown when they were drawn (none: all); no corners select nothing."""

    view: View
    corners: list[tuple[float, float]]
    classes: list[int]


def picked_row(view: View) -> int:
    """The image that is looked at in a split of a set."""
    row = _view.get("row", 0, (_cached.images(view).name, view.split))
    return row if row < len(_cached.split(view)) else 0


def row_field(view: View) -> None:
    """A field for the row of the image."""
    scope = (_cached.images(view).name, view.split)
    _controls.number("row", "Image number", 0, len(_cached.split(view)) - 1, 0, scope, width=150)


def located(run: str, split: str, row: int) -> dict[str, Any]:
    """The values of the Manifold page at which an image is seen at its place."""
    mode = _view.words("manifold").get("mode")
    return {
        "run": run, "of": split, "row": row, "tool": None, "area": None, "mode": mode if mode == "points" else None
    }  # fmt: skip


def area(view: View, beside: View | None = None) -> Area:
    """The area that is selected on this map or, without one, on the map beside it."""
    found = _area(view, "map")
    return _area(beside, "map-beside") if beside and not found.corners else found


def _area(view: View, key: str) -> Area:
    outline, _, classes = _view.get(AREAS[key], "", (view.run, view.split, view.way)).partition(";")
    try:
        numbers, shown = (
            [float(part) for part in outline.split(",")],
            [int(part) for part in classes.split(",") if part],
        )
    except ValueError:
        return Area(view, [], [])
    whole = 6 <= len(numbers) <= 200 and len(numbers) % 2 == 0 and np.isfinite(numbers).all()
    return Area(view, list(zip(numbers[::2], numbers[1::2], strict=True)) if whole else [], shown if whole else [])


def selected(area: Area) -> np.ndarray:
    """Rows (m,) of the images in an area."""
    view, corners, shown = area
    if not corners:
        return np.empty(0, int)
    rows, places = _cached.mapped(view)
    within = manifold.inside(places, np.array(corners))
    labels = _cached.split(view).labels
    if shown and labels is not None:
        within &= np.isin(labels[rows], shown)
    return rows[within]


def _parts(view: View, color: str) -> dict[str, str]:
    """The parts of a map: what each is for -> its id, which changes when its bytes do."""
    name, points = _cached.images(view).name, " ".join(view)
    given = f" {hash(str(tags(name, drawer())))}" if color == "tag" else ""
    return {
        "points": points,
        "colors": f"{points} {color}{given}",
        "pictures": f"{name} {revision(name)} {view.split} pictures",
        "rebuilt": f"{view.run} {view.stamp} {view.split} rebuilt",
        "lattice": f"{view.run} {view.stamp} lattice",
        "decoder": view.half("decoder"),
    }


def draw(
    view: View, color: str, mode: str, tile: int, row: int, marks: Mapping[str, Any], other: View | None = None,
    key: str = "map",
) -> None:  # fmt: skip
    """The map of a split, with its points and colors; `send_pictures` brings the rest.

    other: what the other map shows where there are two; key: which of `AREAS` this one is.
    """
    name, split, parts = _cached.images(view).name, view.split, _parts(view, color)

    def click() -> None:
        if (row := event(key, "click")) is not None:
            if _view.get("tool") == "path":
                _view.put("b", int(row), (name, split), 1)
                return
            _view.put("row", int(row), (name, split), 0)
            if _view.get("tool") in ("selection", "trust"):
                _view.put("tool", None)  # the others go on with the new image, or do without

    def place() -> None:
        if (where := event(key, "place")) is not None:
            for axis, value in zip("xy", where, strict=True):
                _view.put(axis, round(float(value), 3), (view.run,), 0.0)
            _view.put("tool", None)

    def select() -> None:
        if (drawn := event(key, "area")) is not None:
            outline = ",".join(f"{float(number):g}" for corner in drawn["corners"] for number in corner)
            classes = drawn["classes"] if color == "class" else []
            outline += f";{','.join(map(str, classes))}" if outline and classes else ""
            _view.forget(AREAS.values())  # one selection at a time
            _view.put(AREAS[key], outline, (view.run, split, view.way), "")
            _view.put("tool", "selection" if outline else None)

    found = area(view, other) if key == "map" else area(other, view)
    words, beside = _title(view), _parts(other, color) if other else {}
    latent_map(
        key, parts, title=words, file=f"{view.run}-{view.split}-{mode}",
        alt=f"Map of images by their codes: {words}", mode=mode, tile=tile,
        row=None if mode == "decoder" else row,
        originals="" if name in DATASETS else f"assets/originals/{name}/{split}", area=found.corners,
        classes=found.classes, marks=marks, beside={part: beside[part] for part in ("points", "colors") if beside},
        elsewhere=found.view != view, on_click=click, on_place=place, on_area=select,
    )  # fmt: skip
    with st.container(key=f"{key}-parts", gap=None):
        send(f"{key}-points", _cached.points_part(view, parts["points"]))
        send(f"{key}-colors", _cached.colors_part(view, color, parts["colors"], tags(name, drawer())))


def send_pictures(view: View, key: str = "map") -> None:
    """What comes after the map: pictures, reconstructions and, for codes of two units, the decoder."""
    parts = _parts(view, "")
    with st.container(key=f"{key}-pictures", gap=None):
        if key == "map":  # the other map has the same
            send_script()
            send("pictures", _cached.pictures_part(_cached.images(view).name, view.split, parts["pictures"]))
        if _cached.checkpoint(view).run.model.latent == 2:
            send(f"{key}-lattice", _cached.lattice_part(view, parts["lattice"]))
            if decoder := _cached.decoder_part(view):
                send(f"{key}-decoder", decoder)
        send(f"{key}-rebuilt", _cached.rebuilt_part(view, parts["rebuilt"]))


def _title(view: View) -> str:
    """What the map shows: how many of how many images, where they stand, and how far to trust it."""
    images, (rows, _) = _cached.split(view), _cached.mapped(view)
    latent, kind, way = _cached.checkpoint(view).run.model.latent, KINDS[view.split], view.way
    count = f"{len(rows):,}" if len(rows) == len(images) else f"{len(rows):,} of {len(images):,}"
    words = f"{count} {kind} images{'' if len(rows) == len(images) else ', seed 0'}"
    if way == "codes":
        return words
    known = _cached.measured(view).get("map_quality")
    if way == "pca" and known and known["split"] == view.split:
        trust = known["rows"]["map"]["trustworthiness"]
    else:
        trust = _cached.mean_trust(view, len(rows))
    return f"{words} · {WAYS[way]} of {latent} units" + ("" if trust is None else f", trustworthiness {trust:.3f}")


def quality(view: View) -> None:
    """How far the map is to be trusted, beside the map by PCA."""
    known, way = _cached.measured(view).get("map_quality"), view.way
    if known and way != "tsne":
        ours, linear = known["rows"]["map"], known["rows"].get("PCA-2", {})
        beside = {name: f" (PCA {value:.3f})" for name, value in linear.items()} if way == "codes" else {}
        pairs = [f"{name} {value:.3f}{beside.get(name, '')}".replace("R^2", "R²") for name, value in ours.items()]
        st.caption(f"On {KINDS[known['split']]} images: " + " · ".join(pairs), help=f"{MEANING} {_sample(known)}" + (
            "" if way == "codes" else " This is the plane of the two principal components of the codes."))  # fmt: skip


def _sample(known: Mapping[str, Any]) -> str:
    return f"On {known['images']:,} different {KINDS[known['split']]} images, 12 neighbors, seed 0."


def lay_out(view: View) -> None:
    """Offer t-SNE, and show its progress; the page has its map once it is known."""
    count = len(_cached.split(view))
    some = min(5000, count)
    st.write(
        f"t-SNE preserves neighborhoods rather than distances. It lays out {some:,} of {count:,} images, "
        f"chosen with seed 0, which takes {'a minute or two' if some > 1000 else 'seconds'}. Until then the map "
        "shows PCA."
    )
    words = "Four steps; the first, which finds neighbors, takes longest"
    answer(_cached.by_tsne(view), words, "Lay out by t-SNE")


def numbers(view: View) -> None:
    """How good the map is beside the linear one, and what each unit of the code does."""
    if known := _cached.measured(view).get("map_quality"):
        rows = known["rows"]
        ours = "the codes" if _cached.checkpoint(view).run.model.latent == 2 else "PCA of the codes"
        columns = {ours: rows["map"], "PCA of the pixels": rows.get("PCA-2", {})}
        table = [
            {"": name.replace("R^2", "R²"), **{title: figures.get(name) for title, figures in columns.items()}}
            for name in rows["map"]
        ]
        formats = {title: st.column_config.NumberColumn(format=Figure().pattern) for title in columns}
        st.dataframe(table, hide_index=True, placeholder="–", column_config=formats)
        st.caption(_sample(known) + (" t-SNE is not in this table." if view.way == "tsne" else ""))
        others = [f"{name.removeprefix('published: ')} {row['5-NN']:.3f}" for name, row in rows.items() if ":" in name]
        if others:
            st.caption(f"Published 5-NN: {', '.join(others)}. {known['published']}.")
    else:
        offer_measuring(view, "map_quality")
    units = _cached.units(view)
    variational = _cached.checkpoint(view).run.model.prior is not None
    kind = "KL divergence (nats)" if variational else "variance"
    plot(unit_bars(units["activity"], kind), height=200, alt=f"{kind} of every unit of the code")
    used = _cached.measured(view).get("code")
    some = min(2000, len(_cached.images(view).test))
    count, active = len(units["order"]), int((units["variance"] > 0.01).sum())
    dead = used["rows"]["code"]["dead units"] if used else 0
    others = (f", {dead} dead" if used else "") + (
        f", {count - active - dead} hardly vary" if dead and count > active + dead else ""
    )
    st.caption(f"{active} of {count} units active (variance over 0.01){others}; on {some:,} test images.")
