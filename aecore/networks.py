"""The encoders and decoders that all flavors share."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

Shape = tuple[int, int, int]
"""Channels, height and width of one image."""


class Residual(nn.Module):
    """Add to a vector what two layers with a narrow waist make of it."""

    def __init__(self, width: int, waist: int) -> None:
        super().__init__()
        self.narrow, self.wide = nn.Linear(width, waist), nn.Linear(waist, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.wide(nn.functional.silu(self.narrow(x)))


def _dense(shape: Shape, latent: int, heads: int, width: int) -> tuple[nn.Module, nn.Module]:
    """Fully connected layers with one residual block each way; every pixel sees every other."""
    pixels = math.prod(shape)
    width = max(latent, min(width, 2**23 // pixels))  # very large images get narrower layers
    encoder = nn.Sequential(
        *(nn.Flatten(), nn.Linear(pixels, width), nn.SiLU(), Residual(width, width // 4)),
        nn.Linear(width, heads * latent),
    )
    decoder = nn.Sequential(
        *(nn.Linear(latent, width), nn.SiLU(), Residual(width, width // 4)),
        *(nn.Linear(width, pixels), nn.Unflatten(1, shape)),
    )
    return encoder, decoder


def _shallow(shape: Shape, latent: int, heads: int, width: int) -> tuple[nn.Module, nn.Module]:
    """One layer each way with a sigmoid code, as in the first papers; its Jacobian has a closed form."""
    pixels = math.prod(shape)
    encoder = [nn.Flatten(), nn.Linear(pixels, heads * latent)]
    if heads == 1:
        encoder.append(nn.Sigmoid())
    return nn.Sequential(*encoder), nn.Sequential(nn.Linear(latent, pixels), nn.Unflatten(1, shape))


def _conv(shape: Shape, latent: int, heads: int, width: int) -> tuple[nn.Module, nn.Module]:
    """Strided convolutions down to a grid of at most 8x8; sides that do not divide get black borders, cropped later."""
    channels, *sides = shape
    stages = max(1, math.ceil(math.log2(max(sides) / 8)))
    step = 2**stages
    padded = tuple(math.ceil(side / step) * step for side in sides)
    grid = tuple(side // step for side in padded)
    widths = [max(1, width // 32) * min(2**stage, 4) for stage in range(stages)]
    down: list[nn.Module] = [Pad(shape, padded)]
    up: list[nn.Module] = []
    before = channels
    for width_ in widths:
        down += [nn.Conv2d(before, width_, 4, stride=2, padding=1), nn.SiLU()]
        before = width_
    flat, hidden = before * math.prod(grid), max(8, width // 4)
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, hidden), nn.SiLU(), nn.Linear(hidden, heads * latent))
    for after in [*widths[-2::-1], channels]:
        up += [nn.SiLU(), nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)]
        before = after
    decoder = nn.Sequential(
        *(nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, flat), nn.Unflatten(1, (widths[-1], *grid))),
        *(*up, Crop(shape)),
    )
    return encoder, decoder


class Pad(nn.Module):
    """Add black borders, as evenly as possible, until the image has the wanted size."""

    def __init__(self, shape: Shape, size: tuple[int, int]) -> None:
        super().__init__()
        top, left = (size[0] - shape[1]) // 2, (size[1] - shape[2]) // 2
        self.borders = (left, size[1] - shape[2] - left, top, size[0] - shape[1] - top)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.pad(x, self.borders)


class Crop(nn.Module):
    """Take the borders of `Pad` away again."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.height, self.width = shape[1:]

    def forward(self, x: Tensor) -> Tensor:
        top, left = (x.shape[2] - self.height) // 2, (x.shape[3] - self.width) // 2
        return x[:, :, top : top + self.height, left : left + self.width]


NETWORKS: dict[str, Callable[[Shape, int, int, int], tuple[nn.Module, nn.Module]]] = {
    "dense": _dense,
    "conv": _conv,
    "shallow": _shallow,
}


class Autoencoder(nn.Module):
    """An encoder and a decoder: image -> code -> image.

    shape is (channels, height, width): 1 or 3 channels, sides 8 to 128. Flavors that need more than one number per
    code unit (mean and log-variance) ask for `heads=2`. `rectify` keeps codes at zero or above. `width` counts the
    units of a hidden layer, or 32 times the channels of the first convolution. Weights are drawn from `rng` alone.
    """

    def __init__(
        self,
        shape: Shape,
        latent: int,
        kind: str = "dense",
        heads: int = 1,
        rectify: bool = False,
        width: int = 1024,
        rng: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if kind not in NETWORKS:
            raise ValueError(f"network is {kind!r}; choose one of {', '.join(NETWORKS)}")
        channels, *sides = shape
        if channels not in (1, 3) or min(sides) < 8 or max(sides) > 128:
            raise ValueError(
                f"images have {channels} channels and {sides[0]}x{sides[1]} pixels; "
                "a network takes 1 or 3 channels and sides from 8 to 128: resize the images first"
            )
        self.shape, self.latent, self.kind, self.heads_per_unit, self.rectify = shape, latent, kind, heads, rectify
        with torch.device("meta"):  # torch's own initialization would draw from the process-wide generator
            self.encoder, self.decoder = NETWORKS[kind](shape, latent, heads, width)
        self.to_empty(device="cpu")
        rng = rng or torch.Generator().manual_seed(0)
        for parameter in self.parameters():
            if parameter.ndim == 1:
                nn.init.zeros_(parameter)
            else:
                nn.init.xavier_uniform_(parameter, generator=rng)

    def heads(self, x: Tensor) -> Tensor:
        """x (b, c, h, w) in [0, 1] -> (b, heads, latent), everything that the encoder says."""
        return self.encoder(x).unflatten(1, (self.heads_per_unit, self.latent))

    def encode(self, x: Tensor) -> Tensor:
        """x (b, c, h, w) in [0, 1] -> codes (b, latent): the first head."""
        code = self.heads(x)[:, 0]
        return code.relu() if self.rectify else code

    def decode(self, code: Tensor) -> Tensor:
        """codes (b, latent) -> logits (b, c, h, w); their sigmoid is the image."""
        return self.decoder(code)

    def unit_lengths(self) -> Tensor:
        """(latent,): how much of the decoder's first layer each code unit feeds; the Euclidean norm of its column."""
        return self.decoder[0].weight.norm(dim=0)

    def contraction(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """x (b, c, h, w) -> (b,): squared Frobenius norm of the Jacobian of the code at each image.

        Exact for `shallow` (Rifai et al. 2011, https://icml.cc/2011/papers/455_icmlpaper.pdf). Deeper encoders use one
        random sign vector v on the code side: E||J^T v||^2 = ||J||^2 (Hutchinson 1989).
        """
        if self.kind == "shallow" and self.heads_per_unit == 1:
            slope = self.encode(x)
            slope = slope * (1 - slope)
            return slope.square() @ self.encoder[1].weight.square().sum(dim=1)
        x = x.detach().requires_grad_()
        code = self.encode(x)
        signs = torch.randint(0, 2, code.shape, generator=rng).to(code) * 2 - 1
        (gradient,) = torch.autograd.grad((code * signs).sum(), x, create_graph=True)
        return gradient.square().flatten(1).sum(dim=1)
