"""What an autoencoder is, and where to start."""

import streamlit as st

from aecore.data import is_here
from aecore.folders import SHIPPED, own_runs, run_folders
from pages import _cached, _view
from pages._widgets import PAGES, open_view, reset_button, start
from pages.components.board import board
from pages.components.latent_map import send
from pages.components.plane import plane

UNITS = ("unit-1", "unit-2")
EXAMPLES = "fashion_mnist examples"

st.title("Autoencoders on real images")
st.write(
    "An autoencoder squeezes an image through a few numbers, its **code**, and rebuilds the image from them. Nobody "
    "tells it what the images show: to rebuild them, it has to discover what they have in common. "
    "Train one here, see what it learned, and use it."
)
st.page_link(PAGES / "lessons.py", label="New to this? Start with a lesson that takes a few minutes.")
drawing = (PAGES / "components" / "autoencoder.svg").read_text()


@st.fragment
def decode() -> None:
    """The point under the hand is a code; the decoder of the shipped map of blocks draws it, in the browser."""
    view = _cached.newest(_cached.recipes()["blocks-map"]["id"])
    st.write("**Be the code.** Drag the dot: its place is a code of two numbers; the decoder draws a block from it.")
    plane(
        "code", view.half("decoder"), _cached.decoder_part(view), [_view.get(unit, 0.0) for unit in UNITS], 2.0, settle
    )


def settle(*code: float) -> None:
    """Where the hand let go is in the address."""
    for unit, value in zip(UNITS, code, strict=True):
        _view.put(unit, value, default=0.0)


idea, act = st.columns([3, 2], gap="large", vertical_alignment="center")
with idea:
    st.image(
        drawing.replace("currentColor", "#E9E7E2" if st.context.theme.type == "dark" else "#1C1B22"),
        width="stretch",
        alt="An image goes through an encoder into a code of four numbers, and through a decoder into a reconstruction",
    )
with act:
    decode()

st.header("Draw a piece of clothing")
st.write(
    "This autoencoder has only ever seen clothes. It turns whatever you draw into a code of 128 numbers, and "
    "draws from the code what comes closest among clothes."
)
sketched = _cached.newest(_cached.recipes()["fashion-sample"]["id"])
board("sketch", sketched.half("encoder"), sketched.half("decoder"), EXAMPLES)

st.header("Two experiments")
recipes, trained = _cached.recipes(), {path.name for path in [*run_folders(own_runs()), *run_folders(SHIPPED)]}
for column, (name, page) in zip(
    st.columns(2), {"blocks-map": "manifold", "fashion-search": "search"}.items(), strict=True
):
    recipe = recipes[name]
    with column.container(border=True, height="stretch"):
        st.subheader(recipe["title"])
        st.write(recipe["sentence"])
        if recipe["id"] in trained:
            if st.button("See the map" if page == "manifold" else "Search", key=name, type="primary"):
                open_view(page, run=recipe["id"])
        elif st.button("Train it", key=name, type="primary", help="A few minutes on a laptop."):
            start(name)

st.header("Flavors of one idea")
st.write(
    r"They share one network, an encoder $f$ and a decoder $g$, and one distance $d$ between an image $x$ and its "
    "reconstruction. They differ only in their objective."
)
with st.container(key="flavors"), st.grid(3):
    for name, (title, idea, source, formula, _) in _cached.flavors().items():
        with st.container(border=True, height="stretch"):
            st.subheader(title.capitalize(), help=source)
            st.write(idea)
            st.latex(formula)
            if st.button("Try it", key=f"try-{name}"):
                open_view("train", flavor=name)

st.header("What to do with a trained autoencoder")
with st.grid(4, min_column_width=220):
    for page, title, words in (
        (
            "manifold",
            "Manifold",
            "See every image at the place of its code, and what the decoder draws in between.",
        ),
        ("denoise", "Denoise", "Add noise to an image and see how well each autoencoder removes it."),
        ("search", "Search", "Find the images with the most similar codes."),
        ("classify", "Classify", "Classify images from only ten labels per class."),
    ):
        with st.container(border=True, height="stretch"):
            st.page_link(PAGES / f"{page}.py", label=f"**{title}**")
            st.write(words)
reset_button()

with st.container(key="parts", gap=None):
    send("encoder", _cached.encoder_part(sketched))
    send("decoder-of-clothes", _cached.decoder_part(sketched))
    if is_here("fashion_mnist"):
        send("examples", _cached.examples_part("fashion_mnist", 40, EXAMPLES))
