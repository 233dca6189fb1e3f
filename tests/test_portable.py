"""A decoder as bytes, run as the browser runs it: written independently."""

import json

import numpy as np
import pytest
import torch

import aecore
from aecore import models, networks, portable
from aecore.folders import SHIPPED
from aecore.runs import Checkpoint


def drawn(payload: bytes, codes: np.ndarray) -> np.ndarray:
    length = int.from_bytes(payload[:4], "little")
    head = json.loads(payload[4 : 4 + length])
    arrays = {
        name: np.frombuffer(payload, kind, count, 4 + length + offset).astype(np.float64)
        for name, (kind, offset, count) in head["arrays"].items()
    }
    weights, scales = arrays["weights"], arrays["scales"]

    def take(rows: int, columns: int) -> np.ndarray:
        nonlocal weights, scales
        found, weights = np.split(weights, [rows * columns])
        scale, scales = np.split(scales, [rows])
        return found.reshape(rows, columns) * scale[:, None]

    def linear(x: np.ndarray, outputs: int, inputs: int) -> np.ndarray:
        return x @ take(outputs, inputs).T + take(1, outputs)

    def silu(x: np.ndarray) -> np.ndarray:
        return x / (1 + np.exp(-x))

    x = codes
    for kind, *sizes in head["layers"]:
        if kind == "linear":
            x = linear(x, *sizes)
        elif kind == "residual":
            x = x + linear(silu(linear(x, sizes[1], sizes[0])), *sizes)
        elif kind == "silu":
            x = silu(x)
    assert not len(weights) + len(scales), "every weight belongs to a layer"
    return (1 / (1 + np.exp(-x))).reshape(-1, *head["shape"])


@pytest.mark.parametrize("recipe", list(aecore.RECIPES))
def test_what_is_sent_draws_what_torch_draws(recipe: str) -> None:
    checkpoint = aecore.Store(SHIPPED).load(aecore.RECIPES[recipe].run.id)
    codes = torch.randn(200, checkpoint.run.model.latent, generator=torch.Generator().manual_seed(0)).numpy()
    payload = portable.decoder("a", checkpoint)
    assert np.abs(drawn(payload, codes) - checkpoint.decode(codes)).max() < 1 / 255
    assert len(payload) < 2.1 * sum(weight.numel() for weight in checkpoint.network.decoder.parameters())


@pytest.mark.parametrize("network", networks.NETWORKS)
def test_a_network_goes_whole_or_not_at_all(network: str) -> None:
    run = aecore.Run("digits", models.Vanilla(latent=2), network=network, width=32)
    checkpoint = Checkpoint(run, run.build((1, 8, 8)))
    payload, codes = portable.decoder("a", checkpoint), np.array([[0.5, -2.0], [3.0, 1.0]], np.float32)
    assert (payload is None) == (network in {"conv", "pca_plus"}), "layers that the browser does not know"
    if payload:
        np.testing.assert_allclose(drawn(payload, codes), checkpoint.decode(codes), atol=1e-4)


def test_a_decoder_that_is_too_large_to_be_sent_stays_on_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    run = aecore.Run("digits", models.Vanilla(latent=2), width=32)
    checkpoint = Checkpoint(run, run.build((1, 8, 8)))
    count = sum(weight.numel() for weight in checkpoint.network.decoder.parameters())
    monkeypatch.setattr(portable, "MOST", count)
    assert portable.decoder("a", checkpoint)
    monkeypatch.setattr(portable, "MOST", count - 1)
    assert portable.decoder("a", checkpoint) is None
