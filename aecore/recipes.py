"""Settings that are known to work, by name. All of them come trained with the package."""

from dataclasses import dataclass
from typing import Any

from aecore.models import VAE, Contractive, Denoising, Flavor, Sparse, Vanilla
from aecore.runs import Run


@dataclass(frozen=True)
class Recipe:
    """A run with a title and a sentence on what it is good for."""

    title: str
    sentence: str
    run: Run


def opening_settings(count: int, flavor: type[Flavor]) -> dict[str, Any]:
    """Settings to begin with on so many training images; by them a vanilla run rebuilds better than PCA.

    Chosen on the digits and on Fashion-MNIST. A small set needs more epochs: what counts is the number of steps. A
    variational run weighs its prior against nats, so that it takes the Bernoulli KL.
    """
    if count < 10_000:
        loss = "kl" if flavor.prior else "mse"
        return {"width": 256, "batch_size": 32, "loss": loss, "lr": 3e-3, "epochs": 60}
    return {"width": 512, "loss": "kl", "lr": 3e-3, "epochs": 10}


def _clothes(model: Flavor) -> Run:
    """Equal but for the flavor, so that comparing runs compares flavors."""
    return Run("fashion_mnist", model, width=512, loss="kl", epochs=30, lr=3e-3)


def _clothes_by_edges(model: Flavor) -> Run:
    """Sees edges instead of pixels: kinds of clothes differ more in those."""
    return Run("fashion_mnist", model, network="edges", width=256, loss="kl", epochs=15, lr=3e-3)


RECIPES: dict[str, Recipe] = {
    "blocks-map": Recipe(
        "Two numbers explain every block",
        "A variational autoencoder lays 80,000 blocks out on a plane: height and width unfold without being told.",
        Run("blocks", VAE(latent=2), width=256, loss="kl", epochs=16, lr=3e-3),
    ),
    "fashion-search": Recipe(
        "Find clothes that look alike",
        "128 numbers per picture, learned without labels; the nearest codes by cosine distance are similar clothes.",
        _clothes_by_edges(Vanilla(latent=128)),
    ),
    "fashion-labels": Recipe(
        "Clothes told from a few labels",
        "512 numbers per picture, learned without labels, from which ten labels per class go further than from pixels.",
        _clothes_by_edges(Sparse(latent=512, weight=1e-5)),
    ),
    "fashion-rebuild": Recipe(
        "Clothes in a sixth of the numbers",
        "Squeezed from 784 pixels into 128 numbers, and rebuilt nearly twice as exactly as by principal components.",
        _clothes(Vanilla(latent=128)),
    ),
    "fashion-sparse": Recipe(
        "Clothes told by few units each",
        "Most of the 128 units stay silent for any one picture.",
        _clothes(Sparse(latent=128, weight=3e-4)),
    ),
    "fashion-denoise": Recipe(
        "Clothes seen through noise",
        "Learns to remove heavy Gaussian noise; compare it with the filters on the Denoise page.",
        _clothes(Denoising(latent=128, level=0.5)),
    ),
    "fashion-contract": Recipe(
        "Codes that keep still",
        "Small changes of a picture change its code little.",
        _clothes(Contractive(latent=128, weight=1e-4)),
    ),
    "fashion-sample": Recipe(
        "Clothes that nobody made",
        "A variational autoencoder with 128 units: draws from its prior are new pictures.",
        _clothes(VAE(latent=128)),
    ),
    "fashion-map": Recipe(
        "All clothes on one plane",
        "A variational autoencoder with two numbers per code: kinds of clothes gather in regions.",
        Run("fashion_mnist", VAE(latent=2), width=256, loss="kl", epochs=30, lr=3e-3),
    ),
    "digits-map": Recipe(
        "Handwritten digits on one plane",
        "Needs no download: the quickest way to see a map.",
        Run("digits", VAE(latent=2), width=256, loss="kl", epochs=150, batch_size=32),
    ),
}
