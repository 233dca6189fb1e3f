"""How the map is laid out: its controls, and what they say."""

from typing import TYPE_CHECKING, NamedTuple

from aecore.tags import tags
from pages import _cached, _controls
from pages._view import View
from pages._visitor import drawer
from pages.acts.map import MODES, SPLITS, WAYS
from pages.acts.wait import need_codes

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


class Layout(NamedTuple):
    """What is on the map, what it shows of it, and whether another layout was asked for that is not known yet."""

    view: View
    mode: str
    color: str
    tile: int
    asked: bool


def first_split(view: View) -> str:
    """The images that the map opens on: the test images, where there are enough."""
    return "test" if len(_cached.images(view).test) >= 500 else "train"


def arrange(view: View, head: "DeltaGenerator", coded: bool = True) -> Layout:
    """The controls of the map, in `head`; ends the page while the codes are not known, where they have to be."""
    images, flat = _cached.images(view), _cached.checkpoint(view).run.model.latent == 2
    with head:
        mode = _controls.segments("mode", "Show", MODES, "images")
        view = view.at(_controls.segments("of", "Images", SPLITS, first_split(view)))
        given = ["tag"] if tags(images.name, drawer()) else []
        colors = [*(["class"] if images.classes else []), *_cached.split(view).factors, "loss", "trust", *given, "none"]
        color = "none" if mode == "units" else _controls.choice("color", "Color", colors, colors[0], width=120)
        tile = 28
        if mode == "images" or (mode == "decoder" and flat):
            tile = _controls.slider("tile", "Picture size", 12, 64, 28, 4, width=130)
        way = "codes" if flat or mode == "units" else _controls.segments("by", "Map by", WAYS, "pca")
    if coded and mode != "units":
        need_codes(view, "train", view.split)
    asked = coded and way == "tsne" and _cached.by_tsne(view).answer() is None
    return Layout(view.at(view.split, "pca" if asked else way), mode, color, tile, asked)
