"""Partial whitening of codes."""

import numpy as np
import pytest

from aecore.whitening import Whitening


def _codes(count: int = 500) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(count, 5)) * (9, 3, 1, 0.3, 0.1) @ rng.normal(size=(5, 5)) + 4).astype(np.float32)


@pytest.mark.parametrize("power", [0.0, 0.25, 0.5])
def test_each_axis_keeps_its_variance_to_what_the_power_leaves(power: float) -> None:
    codes = _codes()
    white = Whitening.fit(codes, power)(codes)
    spread = np.cov(white.T, bias=True)
    variances = np.linalg.eigvalsh(np.cov(codes.T.astype(np.float64), bias=True))[::-1]
    assert np.allclose(white.mean(axis=0), 0, atol=1e-3)
    assert np.allclose(np.diag(spread), variances ** (1 - 2 * power), rtol=1e-3)
    assert np.allclose(spread - np.diag(np.diag(spread)), 0, atol=1e-3 * np.diag(spread).max())


def test_without_power_distances_stay_as_they_are() -> None:
    codes = _codes(40)
    white = Whitening.fit(codes, 0)(codes)
    before = np.linalg.norm(codes[:, None] - codes, axis=2)
    assert np.allclose(np.linalg.norm(white[:, None] - white, axis=2), before, atol=1e-3)


def test_new_codes_are_mapped_by_what_was_fitted() -> None:
    codes = _codes()
    whitening = Whitening.fit(codes)
    assert np.allclose(whitening(codes[7:8]), whitening(codes)[7:8], atol=1e-4)


@pytest.mark.parametrize("codes", [np.zeros((3, 4)), np.ones((1, 2)), np.eye(3)[:, :1] * 0])
def test_codes_without_variance_stay_finite(codes: np.ndarray) -> None:
    assert np.isfinite(Whitening.fit(codes)(codes)).all()
