"""A run (all settings of a training) and a checkpoint (the state it has reached)."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aecore.data import dataset_title
from aecore.devices import PRECISIONS
from aecore.kept import room
from aecore.models import DISTANCES, FLAVORS, Flavor, check_knobs, gaussian_kl, knob, posterior
from aecore.networks import NETWORKS, Autoencoder, Shape

LATER = ("precision",)
"""Settings that came later: at their default, they are not written, so that ids stay what they were."""
LARGEST = 1e4
"""Network inputs are clamped to plus or minus this, so that no float, however large, becomes inf or nan on its way."""


@dataclass(frozen=True)
class Run:
    """All settings of one training. Equal settings have equal ids and, on one machine, give equal weights."""

    dataset: str
    model: Flavor
    network: str = knob(
        "dense",
        choices=NETWORKS,
        help="dense: fully connected layers; conv: convolutions; shallow: one layer each way; "
        "edges: one layer on fixed edge filters, for search and classification; pca plus: begins as PCA, "
        "then learns what PCA misses; coordinates: draws each pixel from the code, its row and "
        "its column, for simple shapes.",
    )
    width: int = knob(1024, low=32, high=4096, help="Neurons per hidden layer; conv starts with width / 32 channels.")
    loss: str = knob("mse", choices=DISTANCES, help="Loss per pixel: squared error, or Bernoulli KL in nats.")
    epochs: int = knob(10, low=1, high=1000, help="Passes over the training images.")
    batch_size: int = knob(128, low=1, high=4096, help="Images per step.")
    lr: float = knob(
        1e-3, low=1e-6, high=1.0, log=True, help="Peak learning rate; it rises, then falls to 0.", label="Learning rate"
    )
    seed: int = knob(0, low=0, high=2**31 - 1, help="Sets the initial weights, the image order and the noise.")
    precision: str = knob(
        "float32",
        choices=PRECISIONS,
        help="Of the layers while they train; bfloat16 is faster where a GPU or the processor (AMX) has it.",
    )
    _written: Mapping[str, Any] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]{1,64}", self.dataset):
            raise ValueError(f"dataset is {self.dataset!r}; use 1 to 64 lowercase letters, digits and underscores")
        check_knobs(self)

    @property
    def id(self) -> str:
        """Readable and unique, such as "fashion_mnist-sparse-1f3a9c2e"."""
        return id_of(self.to_dict())

    @property
    def title(self) -> str:
        """A short name, such as "Clothes · sparse · 128 units"; `titles` tells equal ones apart."""
        units = f"{self.model.latent} unit{'' if self.model.latent == 1 else 's'}"
        return " · ".join([dataset_title(self.dataset), self.model.title, units])

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain values, ready for JSON; of a run from a file, those that are written there."""
        if self._written is not None:
            return deepcopy(dict(self._written))
        settings = {
            item.name: getattr(self, item.name)
            for item in dataclasses.fields(self)
            if item.init and not (item.name in LATER and getattr(self, item.name) == item.default)
        }
        return settings | {"model": {"flavor": self.model.name, **dataclasses.asdict(self.model)}}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "Run":
        """The run that `to_dict` described. Raises ValueError for impossible settings."""
        knobs = dict(settings["model"])
        flavor = knobs.pop("flavor")
        if flavor not in FLAVORS:
            raise ValueError(f"flavor is {flavor!r}; choose one of {', '.join(FLAVORS)}")
        known = {item.name for item in dataclasses.fields(FLAVORS[flavor])}
        if strange := knobs.keys() - known:
            raise ValueError(f"{flavor} has no knob {sorted(strange)[0]!r}; it has {', '.join(sorted(known))}")
        return cls(**{**settings, "model": FLAVORS[flavor](**knobs)})

    @classmethod
    def from_file(cls, settings: Mapping[str, Any]) -> "Run":
        """The run that a file describes. A setting that did not exist yet when it was written does not change its id.

        Raises ValueError for impossible settings.
        """
        run = cls.from_dict(settings)
        object.__setattr__(run, "_written", settings)
        return run

    def build(self, shape: Shape) -> Autoencoder:
        """The untrained network for images of this shape, the same for the same seed."""
        rng = torch.Generator().manual_seed(self.seed)
        model = self.model
        return NETWORKS[self.network](shape, model.latent, model.heads, model.rectify, self.width, rng)


def id_of(settings: Mapping[str, Any]) -> str:
    """The id for settings as they are written."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return f"{settings['dataset']}-{settings['model']['flavor']}-{digest[:8]}"


def titles(runs: Iterable[Run]) -> dict[str, str]:
    """Id -> title of every run; where several would be equal, followed by the settings in which they differ."""
    alike: dict[str, list[Run]] = {}
    for run in runs:
        alike.setdefault(run.title, []).append(run)
    found = {}
    for title, group in alike.items():
        settings = [dataclasses.asdict(run) for run in group]
        settings = [{**each.pop("model"), **each, "_written": None} for each in settings]
        differ = [name for name in settings[0] if len({each[name] for each in settings}) > 1]
        for run, each in zip(group, settings, strict=True):
            found[run.id] = " · ".join([title, *(_words(name, each[name]) for name in differ)])
    return found


def _words(name: str, value: Any) -> str:
    """A setting in words; a network's name speaks for itself."""
    if name == "network":
        return f"{value} network"
    return f"{name.replace('_', ' ')} {value:g}" if isinstance(value, float) else f"{name.replace('_', ' ')} {value}"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run at one moment of its training: numpy in, numpy out.

    history: rows as `aecore.history` describes them. step counts batches. state is what only training needs to
    continue: optimizer, generator, unfinished means.
    """

    run: Run
    network: Autoencoder
    history: tuple[dict[str, Any], ...] = ()
    step: int = 0
    steps: int = 0
    state: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.network.eval().requires_grad_(False)

    def __repr__(self) -> str:
        mse = f", test MSE {self.history[-1]['test']['mse']:.4f}" if self.history else ""
        return f"<{self.run.id}: epoch {self.epoch:g} of {self.run.epochs}{mse}>"

    @property
    def done(self) -> bool:
        """Whether the training is complete."""
        return self.step >= self.steps

    @property
    def epoch(self) -> float:
        """Passes over the training images so far, rounded to two decimals."""
        return round(self.run.epochs * self.step / max(self.steps, 1), 2)

    def encode(self, images: np.ndarray) -> np.ndarray:
        """images (n, c, h, w), uint8 or float in [0, 1] -> codes (n, latent) float32."""
        return self._batched(self.network.encode, self._checked(images), (self.run.model.latent,))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """codes (n, latent) -> images (n, c, h, w) float32 in [0, 1]."""
        codes = np.asarray(codes, np.float32)
        if codes.ndim != 2 or codes.shape[1] != self.run.model.latent:
            raise ValueError(f"codes have shape {codes.shape}; this run takes (n, {self.run.model.latent})")
        return self._batched(lambda code: self.network.decode(code).sigmoid(), codes, self.network.shape)

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """images (n, c, h, w), uint8 or float in [0, 1] -> float32 in [0, 1], through the code."""
        through = lambda x: self.network.decode(self.network.encode(x)).sigmoid()  # noqa: E731
        return self._batched(through, self._checked(images), self.network.shape)

    def posterior(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """images (n, c, h, w) -> mean and standard deviation of their codes, (n, latent) each.

        Raises ValueError for a flavor without a prior, as do `unit_kl` and `sample`.
        """
        self._need_prior("gives each image one code, without a spread")
        both = self._batched(
            lambda x: torch.stack(posterior(self.network.heads(x)), dim=1),
            self._checked(images),
            (2, self.run.model.latent),
        )
        return both[:, 0], np.exp(both[:, 1] / 2)

    def unit_kl(self, images: np.ndarray) -> np.ndarray:
        """images (n, c, h, w) -> (latent,): KL divergence of their codes from the prior, nats per unit, on average."""
        self._need_prior("has no prior")
        divergence = lambda x: gaussian_kl(*posterior(self.network.heads(x)))  # noqa: E731
        return self._batched(divergence, self._checked(images), (self.run.model.latent,)).mean(axis=0, dtype=np.float64)

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """New images (count, c, h, w) float32: decoded draws from the prior."""
        self._need_prior("has no prior to draw from")
        rng = torch.Generator().manual_seed(seed)
        return self.decode(self.run.model.prior(count, self.run.model.latent, rng).numpy())

    def _need_prior(self, problem: str) -> None:
        if self.run.model.prior is None:
            able = ", ".join(name for name, flavor in FLAVORS.items() if flavor.prior)
            raise ValueError(f"{self.run.model.name} {problem}; choose a flavor with a prior: {able}")

    def _checked(self, images: np.ndarray) -> np.ndarray:
        if images.ndim != 4 or images.shape[1:] != self.network.shape:
            raise ValueError(
                f"images have shape {images.shape}; this run takes (n, {', '.join(map(str, self.network.shape))})"
            )
        return images

    @torch.inference_mode()
    def _batched(self, function: Any, array: np.ndarray, shape: tuple[int, ...], size: int = 256) -> np.ndarray:
        out = room((len(array), *shape))
        for start in range(0, len(array), size):
            batch = torch.tensor(array[start : start + size], dtype=torch.float32)
            if array.dtype == np.uint8:
                batch /= 255
            batch.clamp_(-LARGEST, LARGEST)
            out[start : start + size] = function(batch).numpy()
        return out
