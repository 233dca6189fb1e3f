"""Settings that are known to work, by name."""

from dataclasses import dataclass

from aecore.models import VAE, Vanilla
from aecore.runs import Run


@dataclass(frozen=True)
class Recipe:
    """A run with a title and a sentence on what it is good for."""

    title: str
    sentence: str
    run: Run


RECIPES: dict[str, Recipe] = {
    "blocks-map": Recipe(
        "Two numbers explain every block",
        "A variational autoencoder lays 80,000 blocks out on a plane: height and width unfold without being told.",
        Run("blocks", VAE(latent=2), loss="kl", epochs=8),
    ),
    "fashion-search": Recipe(
        "Find clothes that look alike",
        "128 numbers per picture, learned without labels; the nearest codes by cosine distance are similar clothes.",
        Run("fashion_mnist", Vanilla(latent=128), loss="kl", epochs=10),
    ),
}
