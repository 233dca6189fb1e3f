"""What an export takes along: a trained run, a split of its images, and what was measured."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aecore import manifold
from aecore.export.names import file_names
from aecore.folders import name_of
from aecore.text import sound

if TYPE_CHECKING:
    from aecore.data import Dataset, Split
    from aecore.runs import Checkpoint
    from aecore.store import Store


@dataclass(frozen=True, eq=False)
class Cargo:
    """A checkpoint, its dataset, one split of it ("train" or "test"), the parts of its evaluation, and its title.

    What is computed from them is computed once. Raises ValueError for an unknown split.
    """

    checkpoint: "Checkpoint"
    dataset: "Dataset"
    split: str = "test"
    parts: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""

    def __post_init__(self) -> None:
        self.dataset.split(self.split)

    @property
    def name(self) -> str:
        """What the run is called."""
        return self.title or self.checkpoint.run.title

    @property
    def images(self) -> "Split":
        """The split that is exported."""
        return self.dataset.split(self.split)

    @cached_property
    def ids(self) -> list[str]:
        """(n,) ids of the images, without what no file can hold."""
        return [sound(id) for id in self.images.ids]

    @cached_property
    def files(self) -> list[str]:
        """(n,) names for the images as files, all different."""
        return [f"{name}.png" for name in file_names([id.removesuffix(".png") for id in self.ids])]

    @cached_property
    def labels(self) -> list[str] | None:
        """(n,) names of the classes; None for images without."""
        if self.images.labels is None or self.dataset.classes is None:
            return None
        classes = [sound(name) for name in self.dataset.classes]
        return [classes[label] for label in self.images.labels]

    @cached_property
    def codes(self) -> np.ndarray:
        """(n, latent) float32."""
        return self.checkpoint.encode(self.images.images)

    @cached_property
    def places(self) -> np.ndarray:
        """(n, 2) float32: the codes where they have 2 units, else on the two principal axes of training codes."""
        if self.checkpoint.run.model.latent == 2:
            return self.codes
        return manifold.plane(self.codes, self.checkpoint.encode(self.dataset.train.images[:20_000]))

    @cached_property
    def weights(self) -> bytes:
        """The weights as a safetensors file."""
        import safetensors.torch

        return safetensors.torch.save(self.checkpoint.network.state_dict())

    @property
    def sha256(self) -> str:
        """Of the weights."""
        return hashlib.sha256(self.weights).hexdigest()


def load(store: "Store", id: str, split: str = "test") -> Cargo:
    """A run of a store, a split of its images, and what was measured.

    Raises UnknownRun, DamagedRun, Unavailable, and ValueError for an unknown split.
    """
    from aecore.data import load_dataset
    from aecore.measure.evaluate import measured

    checkpoint = store.load(id)
    parts = measured(store, id).get("parts", {})
    return Cargo(checkpoint, load_dataset(checkpoint.run.dataset), split, parts, name_of(store.path(id)))
