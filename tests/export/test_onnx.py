"""ONNX files give what the checkpoint gives, for every kind of network and any number of images."""

from pathlib import Path

import numpy as np
import pytest
import torch

from aecore import Checkpoint, models
from aecore.data import Dataset, Split
from aecore.export import Cargo, download, possible
from aecore.networks import NETWORKS, Autoencoder
from aecore.runs import Run

pytest.importorskip("onnx", reason="install onnx to write such files")
onnxruntime = pytest.importorskip("onnxruntime", reason="install onnxruntime to run such files")
from aecore.export.onnx_model import write_onnx  # noqa: E402

RNG = np.random.default_rng(0)


def _cargo(flavor: models.Flavor, network: str, shape: tuple[int, int, int] = (1, 28, 28)) -> Cargo:
    images = RNG.integers(0, 256, (300, *shape), np.uint8)
    run = Run("digits", flavor, network, width=64, seed=3)
    checkpoint = Checkpoint(run, run.build(shape))
    checkpoint.network.calibrate(torch.tensor(images[:40] / np.float32(255)))
    return Cargo(checkpoint, Dataset("digits", Split(images), Split(images)))


def _through(file: Path, given: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: given})
    return found


@pytest.mark.parametrize("count", [1, 7, 300])
@pytest.mark.parametrize(
    ("flavor", "network", "shape"),
    [
        *((models.VAE(latent=5), network, (1, 28, 28)) for network in NETWORKS),
        (models.Sparse(latent=16), "dense", (1, 8, 8)),
        (models.Vanilla(latent=3), "edges", (3, 60, 57)),
        (models.Vanilla(latent=3), "conv", (3, 30, 20)),
    ],
)
def test_both_ways_are_those_of_the_checkpoint(
    flavor: models.Flavor, network: str, shape: tuple[int, int, int], count: int, tmp_path: Path
) -> None:
    cargo = _cargo(flavor, network, shape)
    write_onnx(cargo, tmp_path / "onnx")
    images = cargo.dataset.test.images[:count]
    codes = _through(tmp_path / "onnx" / "encoder.onnx", images / np.float32(255))
    np.testing.assert_allclose(codes, cargo.checkpoint.encode(images), rtol=1e-4, atol=1e-5)
    rebuilt = _through(tmp_path / "onnx" / "decoder.onnx", codes)
    np.testing.assert_allclose(rebuilt, cargo.checkpoint.decode(codes), rtol=1e-4, atol=1e-5)
    assert rebuilt.shape == images.shape


def test_it_is_one_of_the_forms_and_writing_it_changes_nothing() -> None:
    cargo = _cargo(models.Vanilla(latent=2), "dense")
    before = {name: weight.clone() for name, weight in cargo.checkpoint.network.state_dict().items()}
    assert "onnx" in possible()
    name, content = download(cargo, "onnx")
    assert name.endswith("-onnx.zip")
    assert len(content) > 100_000
    network: Autoencoder = cargo.checkpoint.network
    assert not network.training
    assert all(torch.equal(before[name], weight) for name, weight in network.state_dict().items())
