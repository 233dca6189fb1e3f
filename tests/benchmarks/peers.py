"""What other libraries train in these benchmarks: the dense network of this project, in the form that they ask for."""

import os
from typing import Any

import torch


def pythae_model(network: Any) -> Any:
    """Pythae's autoencoder around the encoder and decoder of a network; Chadebec et al. 2022,
    https://arxiv.org/abs/2206.08309
    """
    from pythae.models import AE, AEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = network.encoder

        def forward(self, x: torch.Tensor) -> ModelOutput:
            return ModelOutput(embedding=self.layers(x))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = network.decoder

        def forward(self, z: torch.Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.layers(z).sigmoid())

    return AE(AEConfig(input_dim=network.shape, latent_dim=network.latent), Encoder(), Decoder())


def keras_models(latent: int, width: int) -> tuple[Any, Any]:
    """Keras's autoencoder of 784 pixels, on torch and compiled, and its encoder; sums of residual blocks are layers."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    from keras import layers

    def block(x: Any) -> Any:
        return layers.add([x, layers.Dense(width)(layers.Dense(width // 4, "silu")(x))])

    entrance = keras.Input((784,))
    code = layers.Dense(latent)(block(layers.Dense(width, "silu")(entrance)))
    out = layers.Dense(784, "sigmoid")(block(layers.Dense(width, "silu")(code)))
    model = keras.Model(entrance, out)
    model.compile("adam", "mse")
    return model, keras.Model(entrance, code)
