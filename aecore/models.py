"""The flavors: one network, many objectives. A flavor is a frozen dataclass whose fields are its knobs."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from aecore.networks import Autoencoder, Distance
from aecore.noise import NOISES

FLAVORS: dict[str, type["Flavor"]] = {}


def mse(logits: Tensor, target: Tensor) -> Tensor:
    """Squared error per pixel on [0, 1]."""
    return (logits.sigmoid() - target).square().mean()


def bernoulli_kl(logits: Tensor, target: Tensor) -> Tensor:
    """Nats per pixel: cross-entropy minus the entropy of the target, which no reconstruction can remove."""
    cross = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    entropy = torch.special.entr(target) + torch.special.entr(1 - target)
    return cross - entropy.mean()


DISTANCES: dict[str, Distance] = {"mse": mse, "kl": bernoulli_kl}

Prior = Callable[[int, int, torch.Generator], Tensor]
"""(count, latent, rng) -> codes (count, latent) of images that nobody has seen."""


def unit_gaussian(count: int, latent: int, rng: torch.Generator) -> Tensor:
    """Draws from N(0, I), (count, latent)."""
    return torch.randn(count, latent, generator=rng)


def knob(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    log: bool = False,
    choices: Collection[str] | None = None,
    help: str = "",
    label: str = "",
) -> Any:
    """A setting that a person may turn: its default, range or choices, what it does, its label if not its name."""
    about = {"low": low, "high": high, "log": log, "choices": choices, "help": help, "label": label}
    return field(default=default, metadata=about)


def check_knobs(settings: Any) -> None:
    """Raise ValueError where a field made by `knob` is outside its range or choices, or of another type."""
    for item in dataclasses.fields(settings):
        value, meta = getattr(settings, item.name), item.metadata
        if not meta:
            continue
        if meta["choices"]:
            if value not in meta["choices"]:
                raise ValueError(f"{item.name} is {value!r}; choose one of {', '.join(meta['choices'])}")
            continue
        whole = isinstance(item.default, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise ValueError(f"{item.name} is {value!r}; it takes a {'whole ' if whole else ''}number")
        if not meta["low"] <= value <= meta["high"]:
            raise ValueError(
                f"{item.name} is {str(value)[:40]}; choose a number from {meta['low']:g} to {meta['high']:g}"
            )
        if not whole:  # 1 and 1.0 are one setting
            object.__setattr__(settings, item.name, float(value))


@dataclass(frozen=True)
class Flavor(ABC):
    """A kind of autoencoder. Subclassing registers it in `FLAVORS` under the lower-case class name.

    heads: numbers that the encoder says of each unit. prior: what codes are drawn from, where the objective holds them
    to it; such a flavor has two heads, mean and log-variance. rectify: codes at zero or above.
    """

    name: ClassVar[str]
    formula: ClassVar[str]
    watch: ClassVar[str]
    heads: ClassVar[int] = 1
    prior: ClassVar[Prior | None] = None
    rectify: ClassVar[bool] = False
    warmup: ClassVar[float] = 0.0

    latent: int = knob(32, low=1, high=1024, help="How many numbers make the code of one image.")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.name = cls.__name__.lower()
        FLAVORS[cls.name] = cls

    def __post_init__(self) -> None:
        check_knobs(self)

    @abstractmethod
    def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
        """Named terms whose sum is the objective, in the unit of `distance` per pixel, averaged over the batch.

        x: (b, c, h, w) in [0, 1]. The first term is "reconstruction"; over the share `warmup` of the training, the
        others grow from nothing to their full weight.
        """


@dataclass(frozen=True)
class Vanilla(Flavor):
    """Squeeze the image through a narrow code and rebuild it: what survives is what matters.

    Undercomplete autoencoder; Hinton and Salakhutdinov 2006, https://doi.org/10.1126/science.1127647
    """

    formula = r"\min_{f,g}\; d\big(x,\; g(f(x))\big)"
    watch = (
        "More numbers per code: both curves end lower and the pictures get sharper, with less and less to gain. "
        "With two, watch the map: kinds of images part from each other although nobody named them."
    )

    def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
        return {"reconstruction": network.reconstruction_loss(network.encode(x), x, distance)}


@dataclass(frozen=True)
class Sparse(Flavor):
    """Pull the code towards zero, so that few units answer for any one image.

    L1 penalty on the activations, each weighed by the length of its decoder column, so that shrinking the code and
    growing the decoder gains nothing; Ranzato et al. 2007, https://doi.org/10.1109/CVPR.2007.383157
    """

    formula = r"\min_{f,g}\; d\big(x,\; g(h)\big) + \lambda \sum_j |h_j|\,\lVert w_j \rVert, \quad h = f(x)"
    rectify = True
    watch = (
        "Turn the weight up: the sparsity curve falls, the reconstruction pays for it and the pictures lose their "
        "details; turned up too far, all units go silent and every picture is the same gray mean."
    )

    weight: float = knob(1e-4, low=1e-6, high=1e-1, log=True, help="How hard to pull every unit towards zero.")

    def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
        code = network.encode(x)
        pull = (code.abs() * network.unit_lengths()).sum(dim=1).mean()
        return {"reconstruction": network.reconstruction_loss(code, x, distance), "sparsity": self.weight * pull}


@dataclass(frozen=True)
class Denoising(Flavor):
    """Corrupt the image, ask for the clean one: the network learns where real images live.

    Fresh noise for every image at every step, its strength drawn evenly up to the level, so that clean images and
    slight noise are met too; Vincent et al. 2008, https://doi.org/10.1145/1390156.1390294
    """

    formula = r"\min_{f,g}\; d\big(x,\; g(f(\tilde{x}))\big), \quad \tilde{x} \sim q(\tilde{x} \mid x)"
    watch = (
        "The curves are those of repaired images, so they stay higher than without noise. Turn the level up: clean "
        "pictures get a little softer, noisy ones much better; the Denoise page has the figures."
    )

    noise: str = knob("gaussian", choices=NOISES, help="What corrupts the image.")
    level: float = knob(0.5, low=0.0, high=1.0, help="How strong the noise may be.")

    def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
        levels = self.level * torch.rand(len(x), 1, 1, 1, generator=rng)
        corrupted = NOISES[self.noise](x, levels, rng).clamp(0, 1)
        return {"reconstruction": network.reconstruction_loss(network.encode(corrupted), x, distance)}


@dataclass(frozen=True)
class Contractive(Flavor):
    """Keep the code still when the image trembles: penalize the slope of the encoder.

    Squared Frobenius norm of the encoder's Jacobian; Rifai et al. 2011, https://icml.cc/2011/papers/455_icmlpaper.pdf
    """

    formula = (
        r"\min_{f,g}\; d\big(x,\; g(f(x))\big) + \lambda \left\lVert \frac{\partial f(x)}{\partial x} \right\rVert_F^2"
    )
    watch = (
        "Turn the weight up: the contraction curve falls first, then the pictures blur. On the map, small changes of "
        "an image move its code less, and images crowd where the network sees no difference that pays."
    )

    weight: float = knob(1e-4, low=1e-6, high=1e-1, log=True, help="How strongly slopes are punished.")

    def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
        reconstruction = network.reconstruction_loss(network.encode(x), x, distance)
        return {"reconstruction": reconstruction, "contraction": self.weight * network.contraction(x, rng).mean()}


@dataclass(frozen=True)
class VAE(Flavor):
    """Give each image a small cloud instead of a point, and keep all clouds near the origin: then any point decodes.

    Variational autoencoder: mean and log-variance per unit, KL divergence to the unit Gaussian; Kingma and Welling
    2014, https://arxiv.org/abs/1312.6114; beta: Higgins et al. 2017, https://openreview.net/forum?id=Sy2fzU9gl
    """

    formula = (
        r"\min_{f,g}\; \mathbb{E}_{z \sim q}\, d\big(x,\; g(z)\big)"
        r" + \beta\, D_{KL}\big(q(z \mid x)\,\Vert\,\mathcal{N}(0, I)\big)"
    )
    heads = 2
    prior = staticmethod(unit_gaussian)
    watch = (
        "The kl curve rises while codes find their places, then settles against the reconstruction. Turn beta up: the "
        "map becomes rounder and denser around the middle, the pictures blur; near 0 it is a vanilla autoencoder."
    )

    beta: float = knob(1.0, low=0.0, high=100.0, help="Weight of the prior; 1 is the evidence lower bound.")
    warmup: float = knob(0.1, low=0.0, high=1.0, help="Share of the training over which beta grows to its value.")

    def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
        mean, log_variance = posterior(network.heads(x))
        noise = torch.randn(mean.shape, generator=rng)
        code = mean + noise * (log_variance / 2).exp()
        kl = gaussian_kl(mean, log_variance).sum(dim=1).mean()
        return {"reconstruction": network.reconstruction_loss(code, x, distance), "kl": self.beta * kl / x[0].numel()}


def posterior(heads: Tensor) -> tuple[Tensor, Tensor]:
    """Heads (b, 2, latent) -> mean and log-variance of the codes, (b, latent) each, the latter within 12 of zero."""
    mean, log_variance = heads.unbind(dim=1)
    return mean, log_variance.clamp(-12, 12)


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(b, latent) each -> (b, latent): KL divergence of N(mean, variance) from N(0, 1), in nats per unit."""
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2
