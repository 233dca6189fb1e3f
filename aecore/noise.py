"""Ways to corrupt an image: used by the denoising flavor and by the Denoise page."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Level = float | Tensor
"""0 to 1: one for all images, or one for each, (b, 1, 1, 1)."""

Noise = Callable[[Tensor, Level, torch.Generator], Tensor]
"""(x (b, c, h, w), level, rng) -> corrupted x. Draws are those of the processor, whatever device x is on."""

NOISES: dict[str, Noise] = {}


def noise(function: Noise) -> Noise:
    """Register a way to corrupt an image under its name; its docstring is its help."""
    NOISES[function.__name__] = function
    return function


@noise
def gaussian(x: Tensor, level: Level, rng: torch.Generator) -> Tensor:
    """Add Gaussian noise; the level is its standard deviation, with black at 0 and white at 1."""
    return x + level * torch.randn(x.shape, generator=rng).to(x.device)


@noise
def masking(x: Tensor, level: Level, rng: torch.Generator) -> Tensor:
    """Set random pixels to black; the level is the share of pixels."""
    return x * (torch.rand(x.shape, generator=rng).to(x.device) >= level)


@noise
def salt_and_pepper(x: Tensor, level: Level, rng: torch.Generator) -> Tensor:
    """Set random pixels to black or white, half each; the level is the share of pixels."""
    draw = torch.rand(x.shape, generator=rng).to(x.device)
    return torch.where(draw < level / 2, 0.0, torch.where(draw < level, 1.0, x))


@noise
def speckle(x: Tensor, level: Level, rng: torch.Generator) -> Tensor:
    """Multiply by Gaussian noise with mean 1, as in radar and ultrasound; the level is its standard deviation."""
    return x * (1 + level * torch.randn(x.shape, generator=rng).to(x.device))


@noise
def occlusion(x: Tensor, level: Level, rng: torch.Generator) -> Tensor:
    """Put a black rectangle with the image's proportions at a random position; the level is its share of the area."""
    count, _, height, width = x.shape
    share = torch.as_tensor(level, dtype=torch.float32, device=x.device).expand(count, 1, 1, 1).sqrt()
    high, wide = (share * height).round(), (share * width).round()
    top = ((height - high + 1) * torch.rand(count, 1, 1, 1, generator=rng).to(x.device)).floor()
    left = ((width - wide + 1) * torch.rand(count, 1, 1, 1, generator=rng).to(x.device)).floor()
    lines, columns = (torch.arange(side, device=x.device) for side in (height, width))
    covered = (lines[:, None] >= top) & (lines[:, None] < top + high) & (columns >= left) & (columns < left + wide)
    return torch.where(covered, 0.0, x)


def change(shape: tuple[int, ...], kind: str, level: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What a noise does to every image of a shape (1, c, h, w): it becomes factor * image + offset, before clipping.

    So it is known before the image is, as long as the noise looks at each pixel alone and draws without it.

    >>> factor, offset = change((1, 1, 8, 8), "masking", 0.5)
    >>> bool((factor * 0.7 + offset == corrupt(np.full((1, 1, 8, 8), 0.7, "float32"), "masking", 0.5)).all())
    True
    """
    offset = corrupt(np.zeros(shape, np.float32), kind, level, seed, clip=False)
    return corrupt(np.ones(shape, np.float32), kind, level, seed, clip=False) - offset, offset


def corrupt(
    images: np.ndarray, kind: str, level: float, seed: int | torch.Generator = 0, clip: bool = True
) -> np.ndarray:
    """Corrupt images (n, c, h, w), uint8 or float in [0, 1] -> float32; `clip` keeps the result in [0, 1].

    In place of a seed, a generator goes on from block to block.

    >>> corrupt(np.zeros((1, 1, 8, 8), np.uint8), "gaussian", 0.5).shape
    (1, 1, 8, 8)
    """
    if kind not in NOISES:
        raise ValueError(f"noise is {kind!r}; choose one of {', '.join(NOISES)}")
    if not 0 <= level <= 1:
        raise ValueError(f"the noise level is {level}; choose a number from 0 to 1")
    x = torch.tensor(images, dtype=torch.float32)
    if images.dtype == np.uint8:
        x /= 255
    rng = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
    corrupted = NOISES[kind](x, level, rng).numpy()
    return corrupted.clip(0, 1) if clip else corrupted
