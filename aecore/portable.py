"""A decoder as bytes, for a forward pass in the browser: what its layers are, and their weights."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from aecore.atlas import packed
from aecore.networks import Residual

if TYPE_CHECKING:
    from aecore.runs import Checkpoint

LAYERS: dict[type[nn.Module], Callable[[Any], list[Any]]] = {
    nn.Linear: lambda layer: ["linear", layer.out_features, layer.in_features],
    nn.SiLU: lambda layer: ["silu"],
    Residual: lambda layer: ["residual", layer.wide.out_features, layer.narrow.out_features],
    nn.Unflatten: lambda layer: ["shape"],
}
"""What can be sent: a layer -> its name, its outputs and its inputs; of a residual block, its width and its waist."""

LARGEST = 2**15 - 1
"""Of the numbers that stand for the weights of a row: with as many bits, floats would be sixteen times as coarse."""

MOST = 2_000_000
"""Weights of a decoder that is sent, two bytes each: larger ones would keep a visitor waiting, and the pointer."""


def decoder(id: str, checkpoint: "Checkpoint") -> bytes | None:
    """The decoder of a checkpoint, packed as `atlas.packed` does it.

    The head has its layers as in LAYERS and the shape of an image (c, h, w). Of every layer in order come a matrix
    (outputs, inputs) by rows, then its biases as one row more; each row is int16 numbers in `weights` times one
    float32 in `scales`. The logits are still to go through a sigmoid. None where a layer is not in LAYERS,
    or there are more than MOST weights.
    """
    network = checkpoint.network
    known = all(type(layer) in LAYERS for layer in network.decoder)
    if not known or sum(weight.numel() for weight in network.decoder.parameters()) > MOST:
        return None
    layers = [LAYERS[type(layer)](layer) for layer in network.decoder]
    rows = [np.atleast_2d(weight.numpy()) for weight in network.decoder.parameters()]
    scales = [np.maximum(abs(each).max(axis=1, keepdims=True) / LARGEST, 1e-30) for each in rows]
    weights = [np.rint(each / scale).astype(np.int16).ravel() for each, scale in zip(rows, scales, strict=True)]
    head = {"id": id, "shape": network.shape, "layers": layers}
    return packed(
        head, {"weights": np.concatenate(weights), "scales": np.concatenate(scales, dtype=np.float32).ravel()}
    )
