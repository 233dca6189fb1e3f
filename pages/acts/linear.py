"""An image beside what a linear map and the run rebuild from equally few numbers."""

import streamlit as st

from aecore.measure.metrics import mse
from pages import _cached
from pages._view import View
from pages._widgets import picture
from pages._words import erring


def beside(view: View, row: int) -> None:
    """An image, rebuilt by PCA and by the run, from as many numbers each."""
    one, checkpoint = _cached.split(view).images[row : row + 1], _cached.checkpoint(view)
    latent, name = checkpoint.run.model.latent, _cached.images(view).name
    rebuilt = {
        f"PCA with {latent}": _cached.linear_rebuilt(name, view.split, row, latent),
        f"Autoencoder with {latent}": checkpoint.reconstruct(one),
    }
    for column, (words, image) in zip(st.columns(3), {"The image": one, **rebuilt}.items(), strict=True):
        with column:
            error = "" if image is one else f", {erring(mse(one, image))}"
            picture(image[0], f"{words}{error}", 280)
