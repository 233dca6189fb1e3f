"""Numbers from arrays, against independent references."""

import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from sklearn import manifold
from sklearn.metrics import average_precision_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from aecore.data import load_dataset
from aecore.measure.metrics import continuity, mean_trustworthiness, mse, nats, nearest_mse, psnr, retrieval, ssim

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


def test_ssim_agrees_with_scikit_image_image_by_image() -> None:
    expected = [
        structural_similarity(clean[0] / 255, other[0], data_range=1, win_size=7)
        for clean, other in zip(CLEAN, OTHER.clip(0, 1), strict=True)
    ]
    np.testing.assert_allclose(ssim(CLEAN, OTHER), expected, rtol=1e-4)


def test_nats_agree_with_torch_and_a_perfect_picture_has_almost_none() -> None:
    x, y = torch.tensor(CLEAN / 255), torch.tensor(OTHER.clip(0.01, 0.99).astype(np.float64))
    bernoulli = torch.distributions.Bernoulli
    expected = torch.distributions.kl_divergence(bernoulli(x), bernoulli(y)).sum() / len(x)
    assert nats(CLEAN, OTHER.clip(0.01, 0.99)) == pytest.approx(expected.item(), rel=1e-5)
    assert nats(CLEAN, CLEAN) == pytest.approx(0, abs=1e-3)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Queries, their labels, gallery, its labels."""
    images = load_dataset("digits")
    queries, gallery = (split.images.reshape(len(split), -1) / 255 for split in (images.test, images.train))
    return queries, images.test.labels, gallery, images.train.labels


def test_retrieval_agrees_with_scikit_learn(
    digits: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    queries, query_labels, gallery, labels = digits
    found = retrieval(*digits)
    neighbors = NearestNeighbors(n_neighbors=len(gallery), metric="cosine", algorithm="brute").fit(gallery)
    distances, rows = neighbors.kneighbors(queries)
    hits = labels[rows] == query_labels[:, None]
    for k in (1, 4, 10):
        assert found[f"P@{k}"] == pytest.approx(hits[:, :k].mean(), abs=1e-9)
    precision = [average_precision_score(hit, -distance) for hit, distance in zip(hits, distances, strict=True)]
    assert found["mAP"] == pytest.approx(np.mean(precision), abs=1e-4)
    votes = KNeighborsClassifier(5, metric="cosine", algorithm="brute").fit(gallery, labels)
    assert found["5-NN"] == pytest.approx(votes.score(queries, query_labels), abs=0.006)  # ties are broken otherwise


def test_shuffled_labels_give_chance(digits: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> None:
    queries, query_labels, gallery, labels = digits
    found = retrieval(queries, query_labels, gallery, np.random.default_rng(0).permutation(labels))
    for name, value in found.items():
        assert value == pytest.approx(0.1, abs=0.06), name


def test_perfect_codes_are_perfectly_retrieved() -> None:
    labels = np.arange(1200) % 6
    codes = np.eye(6)[labels]
    assert set(retrieval(codes, labels, codes, labels).values()) == {1.0}


def test_the_metrics_of_a_map_agree_with_scikit_learn() -> None:
    pixels = RNG.normal(size=(120, 6))
    points = pixels[:, :2] + RNG.normal(0, 0.3, (120, 2))
    for metric, (one, other) in ((mean_trustworthiness, (pixels, points)), (continuity, (points, pixels))):
        assert metric(pixels, points) == pytest.approx(manifold.trustworthiness(one, other, n_neighbors=12), abs=1e-6)


def test_the_nearest_image_is_found_among_all() -> None:
    differences = CLEAN[:30, None] / 255 - OTHER[None, 10:]
    expected = np.square(differences).mean(axis=(2, 3, 4)).min(axis=1).mean()
    assert nearest_mse(CLEAN[:30], OTHER[10:]) == pytest.approx(expected, rel=1e-4)
    assert nearest_mse(CLEAN, CLEAN) == pytest.approx(0, abs=1e-6)
