"""The encoders and decoders that all flavors share: one class for each kind of network."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

Shape = tuple[int, int, int]
"""Channels, height and width of one image."""

Distance = Callable[[Tensor, Tensor], Tensor]
"""(logits, target) -> mean per pixel, never negative, 0 for a perfect reconstruction."""

NETWORKS: dict[str, type["Autoencoder"]] = {}


class Autoencoder(nn.Module, ABC):
    """An encoder and a decoder: image -> code -> image. A subclass with a `kind` is registered under it in `NETWORKS`.

    shape is (channels, height, width): 1 or 3 channels, sides 8 to 128. Flavors that need more than one value per
    unit (mean and log-variance) ask for `heads=2`. `rectify` keeps codes at zero or above. `width` is the number of
    neurons in a hidden layer, or 32 times the channels of the first convolution. Weights are drawn from `rng` alone.
    """

    def __init_subclass__(cls, kind: str = "") -> None:
        super().__init_subclass__()
        if kind:
            NETWORKS[kind] = cls

    def __init__(
        self,
        shape: Shape,
        latent: int,
        heads: int = 1,
        rectify: bool = False,
        width: int = 1024,
        rng: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        channels, *sides = shape
        if channels not in (1, 3) or min(sides) < 8 or max(sides) > 128:
            raise ValueError(
                f"images have {channels} channels and {sides[0]}x{sides[1]} pixels; "
                "a network takes 1 or 3 channels and sides from 8 to 128: resize the images first"
            )
        self.shape, self.latent, self.heads_per_unit, self.rectify = shape, latent, heads, rectify
        self.known: tuple[Tensor, Tensor] | None = None
        with torch.device("meta"):  # torch's own initialization would draw from the process-wide generator
            self.encoder, self.decoder = self.layers(shape, latent, heads, width)
        rng = rng or torch.Generator().manual_seed(0)
        for module in self.modules():  # `to_empty` would import sympy: 1 s and 30 MB
            for name, buffer in module.named_buffers(recurse=False):
                setattr(module, name, torch.zeros(buffer.shape))
            for name, weight in module.named_parameters(recurse=False):
                setattr(module, name, nn.Parameter(torch.zeros(weight.shape)))
        for weight in self.parameters():
            if weight.ndim > 1:
                nn.init.xavier_uniform_(weight, generator=rng)

    @staticmethod
    @abstractmethod
    def layers(shape: Shape, latent: int, heads: int, width: int) -> tuple[nn.Sequential, nn.Sequential]:
        """An encoder from images (b, c, h, w) to (b, heads * latent), and a decoder from codes (b, latent) to logits.

        The decoder starts with a linear layer.
        """

    @staticmethod
    def calibrated_on(shape: Shape) -> int:
        """From how many training images `calibrate` measures."""
        return 1000

    @abstractmethod
    def calibrate(self, x: Tensor) -> None:
        """Measure on training images x (b, c, h, w) what has to be known before training."""

    @staticmethod
    def fixed_outputs(shape: Shape) -> int:
        """How many numbers the part of the encoder that never learns makes of an image; 0 where all of it learns."""
        return 0

    def fixed(self, x: Tensor) -> Tensor:
        """x (b, c, h, w) -> (b, fixed_outputs). What it makes of an image does not depend on the others, to the bit.

        Whoever knows it sets `known` to (x, fixed(x)), and it is not computed again for the same tensor.
        """
        return x.new_empty(len(x), 0)

    @abstractmethod
    def reconstruction_loss(self, code: Tensor, x: Tensor, distance: Distance) -> Tensor:
        """Loss between the images decoded from codes (b, latent) and x (b, c, h, w); a scalar, never negative."""

    def contraction(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """x (b, c, h, w) -> (b,): squared Frobenius norm of the Jacobian J of the code at each image.

        Estimated with one random sign vector v in code space for each image: E||J^T v||^2 = ||J||^2 (Hutchinson 1989,
        https://doi.org/10.1080/03610918908812806). A network with a closed form has its own.
        """
        x = x.detach().requires_grad_()
        code = self.encode(x)
        signs = torch.randint(0, 2, code.shape, generator=rng).to(code) * 2 - 1
        (gradient,) = torch.autograd.grad((code * signs).sum(), x, create_graph=True)
        return gradient.square().flatten(1).sum(dim=1)

    def heads(self, x: Tensor) -> Tensor:
        """x (b, c, h, w) in [0, 1] -> (b, heads, latent) float32, the full output of the encoder."""
        return self.encoder(x).float().unflatten(1, (self.heads_per_unit, self.latent))

    def encode(self, x: Tensor) -> Tensor:
        """x (b, c, h, w) in [0, 1] -> codes (b, latent): the first head."""
        code = self.heads(x)[:, 0]
        return code.relu() if self.rectify else code

    def decode(self, code: Tensor) -> Tensor:
        """codes (b, latent) -> logits (b, c, h, w) float32; their sigmoid is the image."""
        return self.decoder(code).float()

    def unit_lengths(self) -> Tensor:
        """(latent,): how strongly each unit drives the decoder's first layer; the Euclidean norm of its column."""
        return self.decoder[0].weight.norm(dim=0)


class _OnPixels(Autoencoder):
    """What learns from pixels alone."""

    def calibrate(self, x: Tensor) -> None:
        pass

    def reconstruction_loss(self, code: Tensor, x: Tensor, distance: Distance) -> Tensor:
        return distance(self.decode(code), x)


class Dense(_OnPixels, kind="dense"):
    """Fully connected layers with one residual block each way; every unit depends on every pixel."""

    @staticmethod
    def layers(shape: Shape, latent: int, heads: int, width: int) -> tuple[nn.Sequential, nn.Sequential]:
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


class Conv(_OnPixels, kind="conv"):
    """Strided convolutions down to a grid of at most 8x8; sides that do not divide are padded black, then cropped."""

    @staticmethod
    def layers(shape: Shape, latent: int, heads: int, width: int) -> tuple[nn.Sequential, nn.Sequential]:
        channels, *sides = shape
        stages = max(1, math.ceil(math.log2(max(sides) / 8)))
        step = 2**stages
        padded = tuple(math.ceil(side / step) * step for side in sides)
        grid = tuple(side // step for side in padded)
        widths = [max(1, width // 32) * min(2**stage, 4) for stage in range(stages)]
        down: list[nn.Module] = [Pad(shape, padded)]
        up: list[nn.Module] = []
        before = channels
        for after in widths:
            down += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.SiLU()]
            before = after
        flat, hidden = before * math.prod(grid), max(8, width // 4)
        encoder = nn.Sequential(
            *(*down, nn.Flatten()), *(nn.Linear(flat, hidden), nn.SiLU(), nn.Linear(hidden, heads * latent))
        )
        for after in [*widths[-2::-1], channels]:
            up += [nn.SiLU(), nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)]
            before = after
        decoder = nn.Sequential(
            *(nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, flat), nn.Unflatten(1, (widths[-1], *grid))),
            *(*up, Crop(shape)),
        )
        return encoder, decoder


class Shallow(_OnPixels, kind="shallow"):
    """One layer each way with a sigmoid code, as in the first papers; its Jacobian has a closed form."""

    @staticmethod
    def layers(shape: Shape, latent: int, heads: int, width: int) -> tuple[nn.Sequential, nn.Sequential]:
        pixels = math.prod(shape)
        encoder = [nn.Flatten(), nn.Linear(pixels, heads * latent)]
        if heads == 1:
            encoder.append(nn.Sigmoid())
        return nn.Sequential(*encoder), nn.Sequential(nn.Linear(latent, pixels), nn.Unflatten(1, shape))

    def contraction(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """Exact for one head: Rifai et al. 2011, https://icml.cc/2011/papers/455_icmlpaper.pdf"""
        if self.heads_per_unit > 1:
            return super().contraction(x, rng)
        code = self.encode(x)
        slope = code * (1 - code)
        return slope.square() @ self.encoder[1].weight.square().sum(dim=1)


class OnEdges(Autoencoder, kind="edges"):
    """Edges instead of pixels, then one learned layer; the decoder makes the edges first, then the image from them."""

    @staticmethod
    def layers(shape: Shape, latent: int, heads: int, width: int) -> tuple[nn.Sequential, nn.Sequential]:
        edges, pixels = Edges(shape), math.prod(shape)
        width = min(width, 2**23 // pixels)
        decoder = nn.Sequential(
            *(nn.Linear(latent, edges.outputs), nn.Linear(edges.outputs, width), nn.SiLU()),
            *(nn.Linear(width, pixels), nn.Unflatten(1, shape)),
        )
        return nn.Sequential(edges, nn.Linear(edges.outputs, heads * latent)), decoder

    @staticmethod
    def fixed_outputs(shape: Shape) -> int:
        return Edges(shape).outputs

    def fixed(self, x: Tensor) -> Tensor:
        if self.known and self.known[0] is x:
            return self.known[1]
        with torch.autocast(x.device.type, enabled=False):
            return self.encoder[0](x)

    def heads(self, x: Tensor) -> Tensor:
        return self.encoder[1](self.fixed(x)).float().unflatten(1, (self.heads_per_unit, self.latent))

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> None:
        """Measure the average of the edges."""
        self.encoder[0].average += self.encoder[0](x).mean(dim=0)

    def reconstruction_loss(self, code: Tensor, x: Tensor, distance: Distance) -> Tensor:
        """Add the mean squared error of the edges that are decoded on the way.

        Trained on pixels alone, the code would lose edges that affect few pixels.
        """
        edges = self.decoder[0](code).float()
        return distance(self.decoder[1:](edges).float(), x) + 0.3 * (edges - self.fixed(x)).square().mean()


class OnComponents(_OnPixels, kind="pca_plus"):
    """Principal components, and layers that add to them: before it learns, it rebuilds as well as PCA does."""

    LOG_VARIANCE = -4.0
    """Of the codes of a flavor with a prior, before it learns."""

    @staticmethod
    def layers(shape: Shape, latent: int, heads: int, width: int) -> tuple[nn.Sequential, nn.Sequential]:
        pixels = math.prod(shape)
        width = max(latent, min(width, 2**23 // pixels))
        added = Dense.layers(shape, latent, heads, width)[0][1:]
        encoder = nn.Sequential(nn.Flatten(), Sum(nn.Linear(pixels, heads * latent), added))
        decoder = nn.Sequential(nn.Linear(latent, pixels + width), FromPixels(pixels, width), nn.Unflatten(1, shape))
        return encoder, decoder

    @staticmethod
    def calibrated_on(shape: Shape) -> int:
        return min(10_000, 2**24 // math.prod(shape))

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> None:
        """Set the linear layers to the principal components of x, and what is added to them to zero.

        Where codes are never negative, each component has two units, one for each sign. Where they have a prior, they
        begin with its variance.
        """
        flat = x.flatten(1)
        mean = flat.mean(dim=0)
        axes, spread = principal(flat - mean, min(self.latent // (2 if self.rectify else 1), *flat.shape))
        spread = (spread if self.heads_per_unit > 1 else spread.mean().expand_as(spread)).clamp(min=1e-3)
        if self.rectify:
            axes, spread = torch.cat([axes, -axes], dim=1), spread.repeat(2)
        units, pixels = len(spread), len(mean)
        encode, decode = self.encoder[1].linear, self.decoder[0]
        for last in (encode, self.encoder[1].added[-1], self.decoder[1].added[-1]):
            last.weight.zero_()
        encode.weight[:units] = axes.T / spread[:, None]
        encode.bias[:units] = -(axes.T @ mean) / spread
        encode.bias[self.latent :] = self.LOG_VARIANCE
        decode.weight[:pixels] = 0.0
        decode.weight[:pixels, :units] = axes * spread
        decode.bias[:pixels] = mean


class OnCoordinates(_OnPixels, kind="coordinates"):
    """Each pixel is drawn from the code, its row and its column, all with the same few weights.

    So the decoder also draws shapes that it never saw. After CoordConv, Liu et al. 2018, https://arxiv.org/abs/1807.03247
    """

    PATTERNS = 8
    """Products of a pattern along the rows and one along the columns; an image is their sum."""

    @staticmethod
    def layers(shape: Shape, latent: int, heads: int, width: int) -> tuple[nn.Sequential, nn.Sequential]:
        lines, features = shape[1] + shape[2], width // 4
        decoder = nn.Sequential(
            *(nn.Linear(latent, width), nn.SiLU(), Residual(width, features), nn.Linear(width, features)),
            *(Spread(features, lines), nn.SiLU(), nn.Conv2d(features, features, 1), nn.SiLU()),
            *(nn.Conv2d(features, shape[0] * OnCoordinates.PATTERNS, 1), Crossed(shape)),
        )
        return Dense.layers(shape, latent, heads, width)[0], decoder


def principal(centered: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The strongest axes of rows (n, d) as columns (d, count), and the standard deviation along each, (count,).

    By the randomized method of Halko, Martinsson and Tropp 2011, https://doi.org/10.1137/090771806.
    """
    rng = torch.Generator().manual_seed(0)
    found = torch.randn(centered.shape[1], min(count + 10, *centered.shape), generator=rng)
    for _ in range(4):
        found = torch.linalg.qr(centered.T @ torch.linalg.qr(centered @ found)[0])[0]
    _, lengths, turn = torch.linalg.svd(centered @ found, full_matrices=False)
    return found @ turn.T[:, :count], lengths[:count] / math.sqrt(len(centered))


class Sum(nn.Module):
    """What a linear layer makes of x, and what other layers add to it."""

    def __init__(self, linear: nn.Linear, added: nn.Sequential) -> None:
        super().__init__()
        self.linear, self.added = linear, added

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.added(x)


class FromPixels(nn.Module):
    """From pixels (b, pixels) and features (b, width), side by side, to the logits of the pixels and an addition."""

    MARGIN = 1e-3
    """Of pixels from black and white, whose logits are infinite."""

    def __init__(self, pixels: int, width: int) -> None:
        super().__init__()
        self.pixels = pixels
        self.added = nn.Sequential(nn.SiLU(), Residual(width, width // 4), nn.Linear(width, pixels))

    def forward(self, x: Tensor) -> Tensor:
        pixels = x[:, : self.pixels].float().clamp(self.MARGIN, 1 - self.MARGIN)
        return (pixels / (1 - pixels)).log() + self.added(x[:, self.pixels :])


class Residual(nn.Module):
    """x + f(x), where f is two layers with a narrow waist."""

    def __init__(self, width: int, waist: int) -> None:
        super().__init__()
        self.narrow, self.wide = nn.Linear(width, waist), nn.Linear(waist, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.wide(nn.functional.silu(self.narrow(x)))


class Spread(nn.Module):
    """Features (b, n) at every row and column, plus what is learned about each: (b, n, rows + columns, 1)."""

    TIMES = 4.0
    """Rows and columns differ that much more than torch's initialization has them; training would take longer."""

    def __init__(self, features: int, lines: int) -> None:
        super().__init__()
        self.lines = nn.Parameter(torch.empty(features, lines))

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, :, None] + self.TIMES * self.lines).unsqueeze(-1)


class Crossed(nn.Module):
    """From patterns along rows and columns (b, c * n, rows + columns, 1) to the sum of their products, (b, c, h, w)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        channels, *sides = self.shape
        rows, columns = x.squeeze(-1).unflatten(1, (channels, -1)).split(sides, dim=-1)
        return rows.transpose(2, 3) @ columns


class Edges(nn.Module):
    """The brightness of each cell of a grid, and the strength of its edges by direction and frequency.

    Every 6x6 patch is filtered with 14 fixed cosine patterns. Positive and negative responses are kept apart (Coates
    and Ng 2011, https://icml.cc/2011/papers/485_icmlpaper.pdf), divided by the contrast of the patch (Jarrett et al.
    2009, https://doi.org/10.1109/ICCV.2009.5459469), averaged over each cell, and square-rooted, so that a few strong
    edges do not dominate. Nothing here is learned; only the average over training images is subtracted, once it is
    known. Images of 56 pixels or more are downscaled first.
    """

    GRID, SIZE, FINEST = 5, 6, 4
    AT_ONCE = 256
    """Images whose filtered patches, 40 times as many numbers as pixels, are in memory at the same time."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.step = max(1, min(max(shape[1:]) // 28, min(shape[1:]) // 8))
        self.patterns = cosines(self.SIZE, self.FINEST)
        places = [side // self.step + 5 - self.SIZE for side in shape[1:]]  # of a patch, in an image padded by 2
        self.patches = [means(n + self.SIZE - 1, [(start, start + self.SIZE) for start in range(n)]) for n in places]
        self.cells = [means(n, parts(n, self.GRID)) for n in places]
        self.outputs = shape[0] * (1 + 2 * len(self.patterns)) * self.GRID**2
        self.register_buffer("average", torch.zeros(self.outputs))

    def forward(self, x: Tensor) -> Tensor:
        """x (b, c, h, w) in [0, 1] -> (b, outputs), about -5 to 5."""
        if len(x) <= self.AT_ONCE:
            return self._seen(x)
        return torch.cat([self._seen(part) for part in x.split(self.AT_ONCE)])

    def _seen(self, x: Tensor) -> Tensor:
        if self.step > 1:
            x = nn.functional.avg_pool2d(x, self.step)
        x = nn.functional.pad(x.flatten(0, 1).unsqueeze(1), (2, 2, 2, 2))
        light, square = _averaged(torch.cat([x, x.square()], dim=1), self.patches).split(1, dim=1)
        contrast = ((square - light.square()).clamp(min=0) + 0.01).sqrt()
        answers = nn.functional.conv2d(x, self.patterns.to(x.device)) / (self.SIZE * contrast)
        positive = _averaged(answers.relu(), self.cells)
        negative = (positive - _averaged(answers, self.cells)).clamp(min=0)
        seen = torch.cat([_averaged(light, self.cells), positive, negative], dim=1)
        return 10 * (seen.clamp(min=0) + 1e-3).sqrt().reshape(-1, self.outputs) - self.average


def _averaged(x: Tensor, windows: list[Tensor]) -> Tensor:
    """Means of (b, c, h, w) over windows, given for rows and columns by `means`; faster than torch's pooling.

    Each image is a product of its own. In x @ columns.T, all would be rows of one, whose last bits depend on where.
    """
    rows, columns = (each.to(x.device) for each in windows)
    return rows @ (columns @ x.transpose(2, 3)).transpose(2, 3)


def means(side: int, windows: list[tuple[int, int]]) -> Tensor:
    """(windows, side): each row takes the mean from the first to before the last place of a window."""
    found = torch.zeros(len(windows), side, device="cpu")  # known even while all parameters are only being planned
    for row, (first, last) in zip(found, windows, strict=True):
        row[first:last] = 1 / (last - first)
    return found


def parts(side: int, count: int) -> list[tuple[int, int]]:
    """Windows that divide a side as evenly as whole numbers can."""
    return [(place * side // count, -(-(place + 1) * side // count)) for place in range(count)]


def cosines(size: int, finest: int) -> Tensor:
    """(n, 1, size, size): the patterns of the discrete cosine transform (Ahmed et al. 1974) except the flat one.

    Only those with two frequencies that add up to at most `finest`; each has length 1.
    """
    frequency = torch.arange(size, device="cpu")  # known even while all parameters are only being planned
    waves = torch.cos(math.pi / size * (frequency[None] + 0.5) * frequency[:, None])
    waves = waves / waves.norm(dim=1, keepdim=True)
    pairs = [(row, column) for row in range(size) for column in range(size) if 0 < row + column <= finest]
    return torch.stack([torch.outer(waves[row], waves[column]) for row, column in pairs])[:, None]


class Pad(nn.Module):
    """Add black borders, as evenly as possible, up to the given size."""

    def __init__(self, shape: Shape, size: tuple[int, int]) -> None:
        super().__init__()
        top, left = (size[0] - shape[1]) // 2, (size[1] - shape[2]) // 2
        self.borders = (left, size[1] - shape[2] - left, top, size[0] - shape[1] - top)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.pad(x, self.borders)


class Crop(nn.Module):
    """Remove the borders that `Pad` added."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.height, self.width = shape[1:]

    def forward(self, x: Tensor) -> Tensor:
        top, left = (x.shape[2] - self.height) // 2, (x.shape[3] - self.width) // 2
        return x[:, :, top : top + self.height, left : left + self.width]
