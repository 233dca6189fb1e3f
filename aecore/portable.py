"""The two halves of a network as bytes, for a forward pass in the browser: what their layers are, and their weights."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from aecore.atlas import packed
from aecore.networks import Crop, Crossed, Edges, FromPixels, Pad, Residual, Spread, Sum

if TYPE_CHECKING:
    from aecore.runs import Checkpoint

LAYERS: dict[type[nn.Module], Callable[[Any], list[Any]]] = {
    nn.Sequential: lambda layer: ["chain", *layer],
    nn.Linear: lambda layer: ["linear", layer.weight, layer.bias],
    nn.Conv2d: lambda layer: ["conv", layer.weight, layer.bias, *_grid(layer)],
    nn.ConvTranspose2d: lambda layer: ["deconv", layer.weight, layer.bias, *_grid(layer)],
    nn.SiLU: lambda layer: ["silu"],
    nn.ReLU: lambda layer: ["relu"],
    nn.Sigmoid: lambda layer: ["sigmoid"],
    nn.Flatten: lambda layer: ["flat"],
    nn.Unflatten: lambda layer: ["shape", layer.unflattened_size],
    Pad: lambda layer: ["pad", layer.borders],
    Crop: lambda layer: ["crop", layer.height, layer.width],
    Residual: lambda layer: ["residual", layer.narrow, layer.wide],
    Sum: lambda layer: ["sum", layer.linear, layer.added],
    FromPixels: lambda layer: ["from_pixels", layer.pixels, layer.MARGIN, layer.added],
    Spread: lambda layer: ["spread", layer.lines, layer.TIMES],
    Crossed: lambda layer: ["crossed", layer.shape],
    Edges: lambda layer: ["edges", layer.step, layer.SIZE, layer.patterns, *layer.cells, layer.average],
}
"""What can be sent: a layer -> its name, and what it is made of: weights, layers and numbers."""

LARGEST = {"int8": 2**7 - 1, "int16": 2**15 - 1}
"""Of the numbers that stand for the weights of a row. Floats of 16 bits would be sixteen times as coarse as int16."""

MOST = 2_000_000
"""Weights of a half that is sent, at most two bytes each: larger ones would keep a visitor waiting, and the pointer."""


def encoder(id: str, checkpoint: "Checkpoint") -> bytes | None:
    """The encoder of a checkpoint, from an image (c, h, w) in [0, 1] to its code (latent,), packed as `half` says."""
    network = checkpoint.network
    ends = [["first", network.latent], *([nn.ReLU()] if network.rectify else [])]
    return half(id, network.shape, network.shape, ["chain", network.encoder, *ends])


def decoder(id: str, checkpoint: "Checkpoint") -> bytes | None:
    """The decoder of a checkpoint, from a code (latent,) to an image (c, h, w) in [0, 1], packed as `half` says."""
    network = checkpoint.network
    return half(id, network.shape, (network.latent, 1, 1), ["chain", network.decoder, nn.Sigmoid()])


def half(id: str, shape: tuple[int, ...], takes: tuple[int, ...], layers: list[Any]) -> bytes | None:
    """Layers as `atlas.packed` packs them; None where one of them is not in LAYERS, or has more than MOST weights.

    The head has the shape of an image (c, h, w), what the layers take in that form, and `layers`: each is a list of
    its name and what it is made of, which may be other layers. Weights are in the arrays "float32", "int8" and "int16",
    in this order of layers; in their place stands {"of": array, "rows": n, "columns": n}. Each row of integers is to be
    multiplied by the next number in "scales". Runs that come with the app are made of such integers: these stay exact.
    """
    arrays: dict[str, list[np.ndarray]] = {"float32": [], "int8": [], "int16": [], "scales": []}
    try:
        described = _described(layers, arrays)
    except KeyError:
        return None
    joined = {
        name: np.concatenate([np.empty(0), *parts]).astype("float32" if name == "scales" else name)
        for name, parts in arrays.items()
    }
    if sum(len(joined[name]) for name in ("float32", *LARGEST)) > MOST:
        return None
    return packed({"id": id, "shape": shape, "takes": takes, "layers": described}, joined)


def _described(part: Any, arrays: dict[str, list[np.ndarray]]) -> Any:
    """A part of a layer, ready for JSON; its weights are put into `arrays`. KeyError: it cannot be sent."""
    if isinstance(part, Tensor):
        return _weights(part, arrays)
    if isinstance(part, nn.Module):
        return _described(LAYERS[type(part)](part), arrays)
    if part is None:
        raise KeyError("a layer without biases is not sent")
    if isinstance(part, list):
        return [_described(each, arrays) for each in part]
    return part


def _weights(tensor: Tensor, arrays: dict[str, list[np.ndarray]]) -> dict[str, Any]:
    """Learned matrices as integers, of 8 bits where that changes nothing; the rest as it is."""
    matrix, of = tensor.detach().numpy().reshape(len(tensor) if tensor.ndim > 1 else 1, -1), "float32"
    if isinstance(tensor, nn.Parameter) and tensor.ndim > 1:
        most = np.maximum(abs(matrix).max(axis=1, keepdims=True), 1e-30)
        short = matrix * (LARGEST["int8"] / most)
        of = "int8" if abs(short - np.rint(short)).max() < 1e-3 else "int16"
        scales = most / LARGEST[of]
        arrays["scales"].append(scales.ravel())
        matrix = np.rint(matrix / scales)
    arrays[of].append(matrix.ravel())
    return {"of": of, "rows": matrix.shape[0], "columns": matrix.shape[1]}


def _grid(layer: nn.Conv2d | nn.ConvTranspose2d) -> list[int]:
    """Kernel, stride and padding of a convolution that is the same in both directions; KeyError for another one."""
    sides = [layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.output_padding, (layer.groups,) * 2]
    if any(len({*side}) > 1 for side in sides) or [side[0] for side in sides[3:]] != [1, 0, 1]:
        raise KeyError(f"{layer} is not one of the convolutions that are sent")
    return [side[0] for side in sides[:3]]
