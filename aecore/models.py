"""The flavors: one network, many objectives. A flavor is a frozen dataclass; its fields are its knobs."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Any, ClassVar

import torch
from torch import Tensor

from aecore.networks import Autoencoder, Distance
from aecore.noise import NOISES

FLAVORS: dict[str, type["Flavor"]] = {}


def mse(logits: Tensor, target: Tensor) -> Tensor:
    """Squared error per pixel on [0, 1]."""
    return torch.nn.functional.mse_loss(logits.sigmoid(), target)


def bernoulli_kl(logits: Tensor, target: Tensor) -> Tensor:
    """Nats per pixel: cross-entropy minus the entropy of the target, which no reconstruction can remove."""
    cross = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    negative = sum(share * share.clamp_min(1e-30).log() for share in (target, 1 - target))  # four times as fast as entr
    return cross + negative.mean()


DISTANCES: dict[str, Distance] = {"mse": mse, "kl": bernoulli_kl}

Prior = Callable[[int, int, torch.Generator], Tensor]
"""(count, latent, rng) -> codes (count, latent) that decode to new images."""


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
    """A user setting: its default, its range or choices, what it does, and its label if not its name."""
    about = {"low": low, "high": high, "log": log, "choices": choices, "help": help, "label": label}
    return field(default=default, metadata=about)


def check_knobs(settings: Any) -> None:
    """Raise ValueError if a field made by `knob` has the wrong type or is outside its range or choices."""
    for item in dataclasses.fields(settings):
        value, meta = getattr(settings, item.name), item.metadata
        if not meta:
            continue
        if meta["choices"]:
            if not isinstance(value, str) or value not in meta["choices"]:
                raise ValueError(f"{item.name} is {value!r}; choose one of {', '.join(meta['choices'])}")
            continue
        whole = isinstance(item.default, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise ValueError(
                f"{item.name} is {value!r}; choose a {'whole ' if whole else ''}number "
                f"from {meta['low']:g} to {meta['high']:g}"
            )
        if not meta["low"] <= value <= meta["high"]:
            raise ValueError(
                f"{item.name} is {str(value)[:40]}; choose a number from {meta['low']:g} to {meta['high']:g}"
            )
        if not whole:  # 1 and 1.0 are one setting
            object.__setattr__(settings, item.name, float(value))


@dataclass(frozen=True)
class Flavor(ABC):
    """A kind of autoencoder. Subclassing registers it in `FLAVORS` under the lower-case class name.

    title: what people call it; the name where it has none. heads: how many values the encoder gives for each unit.
    prior: the distribution that the objective pulls codes toward, and new codes are drawn from; such a flavor has two
    heads, mean and log-variance. rectify: no code is negative. outputs_kept: how many times what a layer gives has to
    be kept in memory until all gradients are known.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    formula: ClassVar[str]
    watch: ClassVar[str]
    heads: ClassVar[int] = 1
    prior: ClassVar[Prior | None] = None
    rectify: ClassVar[bool] = False
    outputs_kept: ClassVar[int] = 1
    warmup: ClassVar[float] = 0.0

    latent: int = knob(32, low=1, high=1024, help="Numbers in a code.", label="Units")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.name = cls.__name__.lower()
        cls.title = vars(cls).get("title", cls.name)
        FLAVORS[cls.name] = cls

    def __post_init__(self) -> None:
        check_knobs(self)

    @classmethod
    def described(cls) -> tuple[str, str]:
        """Its idea in a sentence, and where it comes from: the two paragraphs of its docstring."""
        idea, _, source = cleandoc(cls.__doc__).partition("\n\n")
        return idea.replace("\n", " "), source.replace("\n", " ")

    @abstractmethod
    def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
        """Named terms that add up to the objective, in the unit of `distance` per pixel, averaged over the batch.

        x: (b, c, h, w) in [0, 1]. The first term is "reconstruction"; the others grow from 0 to full weight over the
        first share `warmup` of the training.
        """


@dataclass(frozen=True)
class Vanilla(Flavor):
    """Compress each image into a short code, then reconstruct the image from the code alone.

    Undercomplete autoencoder; Hinton and Salakhutdinov 2006, https://doi.org/10.1126/science.1127647
    """

    formula = r"\min_{f,g}\; d\big(x,\; g(f(x))\big)"
    watch = (
        "Use more units: both curves end lower and the reconstructions get sharper, with diminishing returns. "
        "With 2 units, watch the map: different kinds of images separate, although training uses no labels."
    )

    def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
        return {"reconstruction": network.reconstruction_loss(network.encode(x), x, distance)}


@dataclass(frozen=True)
class Sparse(Flavor):
    """Pull every unit toward zero, so that only a few units are active for any one image.

    L1 penalty on the activations, each multiplied by the norm of its decoder column, so that shrinking the code and
    growing the decoder gains nothing; Ranzato et al. 2007, https://doi.org/10.1109/CVPR.2007.383157. Column w_j of the
    decoder belongs to unit j, and λ is the weight.
    """

    formula = (
        r"\min_{f,g}\; d\big(x,\; g(h)\big) + \lambda \sum_j |h_j|\,\lVert w_j \rVert,\quad \allowbreak {h = f(x)}"
    )
    rectify = True
    watch = (
        "Raise the weight: the sparsity curve falls, the reconstruction curve rises, and images lose detail. "
        "Raise it too far, and no unit is active: every reconstruction is the same gray mean."
    )

    outputs_kept = 4  # the penalty is a gradient, and its own gradient goes through both passes
    weight: float = knob(1e-4, low=1e-6, high=1e-1, log=True, help="Weight λ of the penalty.")

    def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
        code = network.encode(x)
        pull = (code.abs() * network.unit_lengths()).sum(dim=1).mean()
        return {"reconstruction": network.reconstruction_loss(code, x, distance), "sparsity": self.weight * pull}


@dataclass(frozen=True)
class Denoising(Flavor):
    """Corrupt each image and reconstruct the clean one: the network learns to remove noise.

    New noise for every image at every step, its strength drawn uniformly from 0 to the level, so that training also
    sees clean and slightly noisy images; Vincent et al. 2008, https://doi.org/10.1145/1390156.1390294
    """

    formula = r"\min_{f,g}\; d\big(x,\; g(f(\tilde{x}))\big),\quad \allowbreak {\tilde{x} \sim q(\tilde{x} \mid x)}"
    watch = (
        "The curves measure repaired images, so they stay higher than without noise. Raise the level: clean images "
        "come out slightly softer, noisy ones much better; the Denoise page shows the figures."
    )

    noise: str = knob("gaussian", choices=NOISES, help="Kind of noise used in training.")
    level: float = knob(0.5, low=0.0, high=1.0, help="Highest noise level used in training.")

    def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
        levels = self.level * torch.rand(len(x), 1, 1, 1, generator=rng).to(x.device)
        corrupted = NOISES[self.noise](x, levels, rng).clamp(0, 1)
        return {"reconstruction": network.reconstruction_loss(network.encode(corrupted), x, distance)}


@dataclass(frozen=True)
class Contractive(Flavor):
    """Penalize the slope of the encoder, so that small changes in an image barely change its code.

    Squared Frobenius norm of the encoder's Jacobian; Rifai et al. 2011, https://icml.cc/2011/papers/455_icmlpaper.pdf
    """

    formula = (
        r"\min_{f,g}\; d\big(x,\; g(f(x))\big) + \lambda \left\lVert \frac{\partial f(x)}{\partial x} \right\rVert_F^2"
    )
    watch = (
        "Raise the weight: the contraction curve falls first, then the reconstructions blur. On the map, small changes "
        "in an image move its code less, and similar images crowd together."
    )

    outputs_kept = 4  # the penalty is a gradient, and its own gradient goes through both passes
    weight: float = knob(1e-4, low=1e-6, high=1e-1, log=True, help="Weight λ of the penalty.")

    def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
        reconstruction = network.reconstruction_loss(network.encode(x), x, distance)
        with torch.autocast(x.device.type, enabled=False):  # a gradient of a gradient needs more digits than bfloat16
            penalty = self.weight * network.contraction(x, rng).mean()
        return {"reconstruction": reconstruction, "contraction": penalty}


@dataclass(frozen=True)
class VAE(Flavor):
    """Turn each image into a cloud of codes, and pull all clouds toward one, so that random codes decode to images.

    Variational autoencoder: mean and log-variance per unit, KL divergence to the unit Gaussian; Kingma and Welling
    2014, https://arxiv.org/abs/1312.6114; beta: Higgins et al. 2017, https://openreview.net/forum?id=Sy2fzU9gl. A
    code z is drawn from the cloud q of an image, and β is the weight.
    """

    formula = (
        r"\min_{f,g}\; \mathbb{E}_{z \sim q}\, d\big(x,\; g(z)\big)"
        r" + {\beta\, D_{KL}\big(q(z \mid x)\,\Vert\,\mathcal{N}(0, I)\big)}"
    )
    title = "variational"
    heads = 2
    prior = staticmethod(unit_gaussian)
    watch = (
        "The kl curve rises while the codes spread out, then settles in balance with the reconstruction. Raise beta: "
        "the map gets rounder and denser in the center, and images blur. Near beta 0, it is a vanilla autoencoder."
    )

    beta: float = knob(1.0, low=0.0, high=100.0, help="Weight β of the KL term; 1 gives the evidence lower bound.")
    warmup: float = knob(0.1, low=0.0, high=1.0, help="Share of the training in which beta grows to its value.")

    def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
        mean, log_variance = posterior(network.heads(x))
        noise = torch.randn(mean.shape, generator=rng).to(mean.device)
        code = mean + noise * (log_variance / 2).exp()
        kl = gaussian_kl(mean, log_variance).sum(dim=1).mean()
        return {"reconstruction": network.reconstruction_loss(code, x, distance), "kl": self.beta * kl / x[0].numel()}


def posterior(heads: Tensor) -> tuple[Tensor, Tensor]:
    """Heads (b, 2, latent) -> mean and log-variance of the codes, (b, latent) each; the latter clamped to [-12, 12]."""
    mean, log_variance = heads.unbind(dim=1)
    return mean, log_variance.clamp(-12, 12)


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(b, latent) each -> (b, latent): KL divergence of N(mean, variance) from N(0, 1), in nats per unit."""
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2
