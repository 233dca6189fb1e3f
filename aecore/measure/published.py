"""Figures that others published for the same measurement: same images, same split, same formula."""

SOURCE = "Sainburg, McInnes, Gentner (2021), doi.org/10.1162/neco_a_01434"
"""Convolutional networks, 50 epochs; their 5-NN of PCA-2 is .506."""

_PUBLISHED = {
    ("fashion_mnist", 2): {
        "autoencoder": {"MSE": 0.0244, "5-NN": 0.734},
        "variational": {"MSE": 0.0253, "5-NN": 0.716},
        "UMAP with an autoencoder": {"MSE": 0.0240, "5-NN": 0.756},
    },
    ("fashion_mnist", 64): {"autoencoder": {"MSE": 0.0054}, "variational": {"MSE": 0.0058}},
}


def published(dataset: str, latent: int, figure: str) -> dict[str, dict[str, float]]:
    """Rows for a table with this figure ("MSE" or "5-NN"): {"published: method": {figure: value}}; often none."""
    methods = _PUBLISHED.get((dataset, latent), {})
    return {f"published: {name}": {figure: found[figure]} for name, found in methods.items() if figure in found}
