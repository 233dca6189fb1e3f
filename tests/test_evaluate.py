"""The honest numbers against independent references."""

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from aecore.datasets import Split, load_dataset
from aecore.evaluate import mse, pca_mse, precision_at, psnr, reconstruction_mse
from aecore.models import Vanilla
from aecore.runs import Checkpoint, Run

RNG = np.random.default_rng(0)
CLEAN = RNG.integers(0, 256, (40, 1, 12, 9), np.uint8)
OTHER = (CLEAN / 255 + RNG.normal(0, 0.2, CLEAN.shape)).astype(np.float32)


def test_mse_agrees_with_scikit_image() -> None:
    assert mse(CLEAN, OTHER) == pytest.approx(mean_squared_error(CLEAN / 255, OTHER.astype(float)), rel=1e-6)
    assert mse(OTHER, CLEAN) == pytest.approx(mse(CLEAN, OTHER), rel=1e-6)
    assert mse(CLEAN, CLEAN) == 0
    assert mse(np.zeros((2, 1, 8, 8), np.uint8), np.full((2, 1, 8, 8), 255, np.uint8)) == 1


def test_mse_is_the_same_in_one_block_or_many() -> None:
    clean = np.tile(CLEAN, (60, 1, 1, 1))
    other = np.tile(OTHER, (60, 1, 1, 1))
    assert mse(clean, other) == pytest.approx(mse(CLEAN, OTHER), rel=1e-9)


def test_psnr_agrees_with_scikit_image_image_by_image() -> None:
    expected = [peak_signal_noise_ratio(c / 255, o, data_range=1) for c, o in zip(CLEAN, OTHER.clip(0, 1), strict=True)]
    np.testing.assert_allclose(psnr(CLEAN, OTHER), expected, rtol=1e-5)


def test_psnr_of_a_perfect_picture_is_finite() -> None:
    assert np.isfinite(psnr(CLEAN, CLEAN)).all()
    assert (psnr(CLEAN, CLEAN) > 100).all()


@pytest.mark.parametrize("components", [1, 10, 40])
def test_pca_mse_agrees_with_scikit_learn(components: int) -> None:
    digits = load_dataset("digits")
    flat = [split.images.reshape(len(split), -1) / 255 for split in (digits.train, digits.test)]
    pca = PCA(components, svd_solver="full").fit(flat[0])
    expected = np.square(pca.inverse_transform(pca.transform(flat[1])) - flat[1]).mean()
    assert pca_mse(digits.train.images, digits.test.images, components) == pytest.approx(expected, rel=1e-4)


def test_pca_mse_of_blocks_is_the_published_yardstick() -> None:
    """A random split of all 784 blocks: two components leave .0602, 32 leave .0097, the mean image .1447."""
    images = load_dataset("blocks", count=8000).train.images
    for components, published in ((0, 0.1447), (2, 0.0602), (32, 0.0097)):
        assert pca_mse(images, images, components) == pytest.approx(published, rel=0.05)


def test_pca_with_all_components_leaves_nothing() -> None:
    assert pca_mse(CLEAN, CLEAN, 12 * 9) == pytest.approx(0, abs=1e-7)


def test_pca_is_not_tried_where_it_would_take_minutes() -> None:
    assert pca_mse(np.zeros((2, 3, 64, 64), np.uint8), np.zeros((2, 3, 64, 64), np.uint8), 2) is None


@pytest.mark.parametrize("k", [1, 4, 10])
def test_precision_agrees_with_brute_force_neighbors(k: int) -> None:
    digits = load_dataset("digits")
    gallery, queries = (split.images.reshape(len(split), -1) / 255 for split in (digits.train, digits.test))
    _, rows = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(gallery).kneighbors(queries)
    expected = (digits.train.labels[rows] == digits.test.labels[:, None]).mean()
    found = precision_at(queries, digits.test.labels, gallery, digits.train.labels, k)
    assert found == pytest.approx(expected, abs=2e-3)
    assert found > 0.9


def test_precision_of_shuffled_labels_is_chance() -> None:
    codes, labels = RNG.normal(size=(4000, 5)), RNG.integers(0, 10, 4000)
    assert precision_at(codes[:2000], labels[:2000], codes[2000:], labels[2000:]) == pytest.approx(0.1, abs=0.02)


def test_precision_of_perfect_codes_is_one() -> None:
    labels = np.arange(1200) % 6
    codes = np.eye(6)[labels]
    assert precision_at(codes, labels, codes, labels, 4) == 1


def test_reconstruction_mse_measures_what_the_checkpoint_rebuilds() -> None:
    run = Run("digits", Vanilla(latent=4))
    checkpoint = Checkpoint(run, run.build((1, 12, 9)))
    expected = np.square(checkpoint.reconstruct(CLEAN) - CLEAN / 255).mean()
    assert reconstruction_mse(checkpoint, Split(CLEAN.copy())) == pytest.approx(expected, rel=1e-5)
