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
    """What is on the map, and on the one beside it, if any; what is shown of it, and by which layout."""

    view: View
    beside: View | None
    mode: str
    color: str
    tile: int
    by: str

    def asked(self, view: View) -> bool:
        """Whether another layout was asked for than this one, which is shown until that one is known."""
        return self.by == "tsne" and view.way == "pca"


def first_split(view: View) -> str:
    """The images that the map opens on: the test images, where there are enough."""
    return "test" if len(_cached.images(view).test) >= 500 else "train"


def arrange(view: View, head: "DeltaGenerator", beside: View | None = None, coded: bool = True) -> Layout:
    """The controls of the map, in `head`; ends the page while the codes are not known, where they have to be."""
    images, both = _cached.images(view), [each for each in (view, beside) if each]
    flat = all(_flat(each) for each in both)
    with head:
        modes = dict(MODES)
        if beside:  # units of two runs have nothing in common
            for name in ("units", *([] if flat else ["decoder"])):
                del modes[name]
        mode = _controls.segments("mode", "Show", modes, "images")
        view = view.at(_controls.segments("of", "Images", SPLITS, first_split(view)))
        given = ["tag"] if tags(images.name, drawer()) else []
        colors = [*(["class"] if images.classes else []), *_cached.split(view).factors, "loss", "trust", *given, "none"]
        color = "none" if mode == "units" else _controls.choice("color", "Color", colors, colors[0], width=120)
        tile = 28
        if mode == "images" or (mode == "decoder" and flat):
            tile = _controls.slider("tile", "Image size", 12, 64, 28, 4, width=130)
        by = "codes" if flat or mode == "units" else _controls.segments("by", "Map by", WAYS, "pca")
    if coded and mode != "units":
        need_codes(view, "train", view.split)
    beside = beside and _laid_out(beside.at(view.split), by)
    return Layout(_laid_out(view, by), beside, mode, color, tile, by)


def _flat(view: View) -> bool:
    return _cached.checkpoint(view).run.model.latent == 2


def _laid_out(view: View, by: str) -> View:
    """The map of a run by a layout; by PCA as long as t-SNE is not known."""
    way = "codes" if by == "codes" or _flat(view) else by
    return view.at(view.split, "pca" if way == "tsne" and _cached.by_tsne(view).answer() is None else way)
