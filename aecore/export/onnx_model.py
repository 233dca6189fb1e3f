"""Encoder and decoder as ONNX files, for programs in other languages. https://onnx.ai"""

import logging
import warnings
from pathlib import Path

from aecore.export.cargo import Cargo


def write_onnx(cargo: Cargo, folder: Path) -> list[str]:
    """encoder.onnx: images (n, c, h, w) float32, 0 black to 1 white -> codes (n, latent); decoder.onnx: back again.

    Any number of images at once. Needs the package onnx.
    """
    import torch

    class Encoder(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return network.encode(images)

    class Decoder(torch.nn.Module):
        def forward(self, codes: torch.Tensor) -> torch.Tensor:
            return network.decode(codes).sigmoid()

    network = cargo.checkpoint.network
    folder.mkdir()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    for module, gets, gives, example in (
        (Encoder(), "images", "codes", torch.zeros(2, *network.shape)),
        (Decoder(), "codes", "images", torch.zeros(2, network.latent)),
    ):
        module.network = network  # its weights become those of the file
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch traces the network as it was, which is what is wanted
            torch.onnx.export(
                module.eval(),
                (example,),
                str(folder / f"{type(module).__name__.lower()}.onnx"),
                input_names=[gets],
                output_names=[gives],
                dynamic_axes={gets: {0: "n"}, gives: {0: "n"}},
                dynamo=False,
            )
    return ["images are float32 (n, channels, height, width), 0 black to 1 white"]
