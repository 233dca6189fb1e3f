"""Named settings that are known to work. The package includes a trained run of each."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aecore import runs
from aecore.folders import folder_of
from aecore.models import VAE, Contractive, Denoising, Flavor, Sparse, Vanilla
from aecore.runs import Run
from aecore.store import DamagedRun, store_at


@dataclass(frozen=True)
class Recipe:
    """A run, its title, and a sentence on what it is for."""

    title: str
    sentence: str
    run: Run

    def to_dict(self) -> dict[str, Any]:
        """Title, sentence, run and its id as plain values."""
        return {"title": self.title, "sentence": self.sentence, "run": self.run.to_dict(), "id": self.run.id}


def opening_settings(count: int, flavor: type[Flavor]) -> dict[str, Any]:
    """Default settings for `count` training images; with them, a vanilla run reconstructs better than PCA.

    Chosen on digits, shapes and Fashion-MNIST. A small set needs more epochs, because the number of steps is what
    counts. A variational run measures its prior in nats, so it uses the Bernoulli KL.
    """
    if count < 10_000:
        loss = "kl" if flavor.prior else "mse"
        return {"width": 256, "batch_size": 32, "loss": loss, "lr": 3e-3, "epochs": 60 if count < 3_000 else 40}
    return {"width": 512, "loss": "kl", "lr": 3e-3, "epochs": 10}


def _clothes(model: Flavor) -> Run:
    """All settings equal except the flavor, so that comparing runs compares flavors."""
    return Run("fashion_mnist", model, width=512, loss="kl", epochs=30, lr=3e-3)


def _clothes_by_edges(model: Flavor) -> Run:
    """Uses edges instead of pixels: kinds of clothes differ more in their edges."""
    return Run("fashion_mnist", model, network="edges", width=256, loss="kl", epochs=15, lr=3e-3)


RECIPES: dict[str, Recipe] = {
    "blocks-map": Recipe(
        "Map of blocks",
        "A variational autoencoder with 2 units maps 80,000 blocks: their height and width appear, without labels.",
        Run("blocks", VAE(latent=2), network="coordinates", width=256, loss="kl", epochs=8, lr=3e-3),
    ),
    "fashion-search": Recipe(
        "Clothes search",
        "128 units per image, learned without labels; images with similar codes, by cosine distance, look alike.",
        _clothes_by_edges(Vanilla(latent=128)),
    ),
    "fashion-labels": Recipe(
        "Few-label clothes",
        "512 units per image, learned without labels. From 10 labels per class, codes classify better than pixels do.",
        _clothes_by_edges(Sparse(latent=512, weight=1e-5)),
    ),
    "fashion-rebuild": Recipe(
        "Vanilla clothes",
        "784 pixels compressed to 128 units, then rebuilt with little more than half the MSE of PCA.",
        _clothes(Vanilla(latent=128)),
    ),
    "fashion-sparse": Recipe(
        "Sparse clothes",
        "Most of the 128 units are inactive for any one image.",
        _clothes(Sparse(latent=128, weight=3e-4)),
    ),
    "fashion-denoise": Recipe(
        "Denoising clothes",
        "Learns to remove strong Gaussian noise; compare it with the filters on the Denoise page.",
        _clothes(Denoising(latent=128, level=0.5)),
    ),
    "fashion-contract": Recipe(
        "Contractive clothes",
        "Small changes in an image barely change its code.",
        _clothes(Contractive(latent=128, weight=1e-4)),
    ),
    "fashion-sample": Recipe(
        "Variational clothes",
        "A variational autoencoder with 128 units: samples from its prior decode to new images.",
        _clothes(VAE(latent=128)),
    ),
    "fashion-map": Recipe(
        "Map of clothes",
        "A variational autoencoder with 2 units: each kind of clothes gathers in a region of the map.",
        Run("fashion_mnist", VAE(latent=2, beta=0.1), width=512, loss="kl", epochs=100, lr=3e-3),
    ),
    "digits-map": Recipe(
        "Map of digits",
        "A variational autoencoder with 2 units. Needs no download: the quickest way to see a map.",
        Run("digits", VAE(latent=2), width=256, loss="kl", epochs=150, batch_size=32),
    ),
}


def recipes_for(dataset: str, count: int) -> dict[str, Recipe]:
    """What to train on a set of one's own, by what it is for, from its name and its number of training images."""

    def run(model: Flavor, **other: Any) -> Run:
        return Run(dataset, model, **opening_settings(count, type(model)) | other)

    return {
        "search": Recipe(
            "Search",
            "128 units that describe edges: the nearest codes are similar images. Near-duplicates and outliers, too.",
            run(Vanilla(latent=128), network="edges", width=256, epochs=15),
        ),
        "map": Recipe(
            "Map", "A variational autoencoder with 2 units lays all images out on a map.", run(VAE(latent=2))
        ),
        "clean": Recipe(
            "Denoising",
            "Learns to remove strong Gaussian noise; Denoise compares it with classical filters.",
            run(Denoising(latent=128, level=0.5), network="pca_plus", lr=1e-3),
        ),
    }


def sweep_settings(dataset: str, count: int) -> Run:
    """What a sweep over the units trains on a set with `count` training images; the units are not chosen yet.

    It is what Train offers at first, so that a run of either is one of the other's, too. On the generated shapes, eight
    such runs take under two minutes on two cores.
    """
    return Run(dataset, Vanilla(latent=1), **opening_settings(count, Vanilla))


def titles(ids: Sequence[str]) -> dict[str, str]:
    """Id -> what a run is called: its recipe's title, or its settings; one that cannot be read is called by its id."""
    of_recipes, others = {recipe.run.id: recipe.title for recipe in RECIPES.values()}, []
    for id in ids:
        with suppress(DamagedRun, KeyError):
            if id not in of_recipes:
                others.append(store_at(folder_of(id)).run(id))
    return {id: of_recipes.get(id, id) for id in ids} | runs.titles(others)
