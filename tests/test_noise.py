"""Noise: what every kind promises, and how much of it there is."""

import numpy as np
import pytest
import torch

from aecore.noise import NOISES, change, corrupt

IMAGES = np.random.default_rng(0).random((50, 1, 28, 28)).astype(np.float32) * np.float32(0.8) + np.float32(0.1)


@pytest.mark.parametrize("kind", NOISES)
def test_level_zero_changes_nothing(kind: str) -> None:
    np.testing.assert_array_equal(corrupt(IMAGES, kind, 0), IMAGES)


@pytest.mark.parametrize("kind", NOISES)
def test_the_seed_decides_the_noise(kind: str) -> None:
    first = corrupt(IMAGES, kind, 0.3, seed=5)
    torch.manual_seed(1)
    np.testing.assert_array_equal(first, corrupt(IMAGES, kind, 0.3, seed=5))
    assert (first != corrupt(IMAGES, kind, 0.3, seed=6)).any()


@pytest.mark.parametrize("kind", NOISES)
def test_every_image_gets_noise_of_its_own(kind: str) -> None:
    same = corrupt(np.repeat(IMAGES[:1], 2, axis=0), kind, 0.3)
    assert (same[0] != same[1]).any()


@pytest.mark.parametrize("kind", NOISES)
def test_the_process_wide_generator_is_left_alone(kind: str) -> None:
    before = torch.get_rng_state()
    corrupt(IMAGES, kind, 0.3)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("level", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("kind", NOISES)
def test_clipped_results_are_images_again(kind: str, level: float) -> None:
    spoiled = corrupt(IMAGES, kind, level)
    assert spoiled.dtype == np.float32
    assert spoiled.shape == IMAGES.shape
    assert spoiled.min() >= 0
    assert spoiled.max() <= 1


@pytest.mark.parametrize("kind", ["gaussian", "speckle"])
def test_unclipped_results_may_leave_the_range(kind: str) -> None:
    free = corrupt(IMAGES, kind, 0.8, clip=False)
    assert free.max() > 1
    np.testing.assert_array_equal(free.clip(0, 1), corrupt(IMAGES, kind, 0.8))


@pytest.mark.parametrize("kind", NOISES)
def test_bytes_and_floats_are_spoiled_alike_and_stay_what_they_were(kind: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 9, 8), np.uint8)
    kept = images.copy()
    images.flags.writeable = False
    spoiled = corrupt(images, kind, 0.4)
    np.testing.assert_array_equal(images, kept)
    np.testing.assert_allclose(spoiled, corrupt(images / np.float32(255), kind, 0.4), atol=1e-6)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9, 1.0])
def test_masking_blackens_its_share_of_pixels(level: float) -> None:
    spoiled = corrupt(IMAGES, "masking", level)
    changed = spoiled != IMAGES
    assert changed.mean() == pytest.approx(level, abs=0.01)
    assert (spoiled[changed] == 0).all()


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9, 1.0])
def test_salt_and_pepper_whitens_half_and_blackens_half_of_its_share(level: float) -> None:
    spoiled = corrupt(IMAGES, "salt_and_pepper", level)
    assert (spoiled == 0).mean() == pytest.approx(level / 2, abs=0.01)
    assert (spoiled == 1).mean() == pytest.approx(level / 2, abs=0.01)
    assert (spoiled == IMAGES).mean() == pytest.approx(1 - level, abs=0.01)


@pytest.mark.parametrize("level", [0.1, 0.5, 1.0])
def test_gaussian_noise_has_its_level_as_deviation_and_no_mean(level: float) -> None:
    noise = corrupt(IMAGES, "gaussian", level, clip=False) - IMAGES
    assert noise.std() == pytest.approx(level, rel=0.02)
    assert abs(noise.mean()) < 0.02 * level


@pytest.mark.parametrize("level", [0.1, 0.5, 1.0])
def test_speckle_is_as_strong_as_the_pixel_is_bright(level: float) -> None:
    factor = corrupt(IMAGES, "speckle", level, clip=False) / IMAGES
    assert factor.std() == pytest.approx(level, rel=0.02)
    assert factor.mean() == pytest.approx(1, abs=0.02)
    assert (corrupt(np.zeros_like(IMAGES), "speckle", level) == 0).all()


@pytest.mark.parametrize("level", [0.1, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(50, 1, 28, 28), (50, 3, 20, 40)])
def test_occlusion_covers_one_rectangle_of_its_share(shape: tuple[int, ...], level: float) -> None:
    covered = corrupt(np.ones(shape, np.float32), "occlusion", level) == 0
    assert (covered == covered[:, :1]).all()  # the same place in every channel
    high, wide = (round(side * level**0.5) for side in shape[2:])
    for place in covered[:, 0]:
        lines, columns = np.flatnonzero(place.any(axis=1)), np.flatnonzero(place.any(axis=0))
        assert (len(lines), len(columns)) == (high, wide)
        assert place[lines[0] : lines[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert place.sum() == high * wide


def test_occlusion_reaches_every_border() -> None:
    covered = corrupt(np.ones((400, 1, 8, 8), np.float32), "occlusion", 0.25)[:, 0] == 0
    assert covered[:, 0].any() and covered[:, -1].any() and covered[:, :, 0].any() and covered[:, :, -1].any()  # noqa: PT018


@pytest.mark.parametrize("kind", NOISES)
def test_every_image_may_have_a_level_of_its_own(kind: str) -> None:
    """As the denoising flavor trains: a level of 0 leaves its image alone, whatever the others get."""
    x = torch.from_numpy(IMAGES[:6])
    levels = torch.tensor([0, 0.5, 0, 1, 0, 0.9]).view(-1, 1, 1, 1)
    spoiled = NOISES[kind](x, levels, torch.Generator().manual_seed(0))
    assert [bool((spoiled[row] != x[row]).any()) for row in range(6)] == [False, True, False, True, False, True]


@pytest.mark.parametrize("kind", NOISES)
def test_what_a_noise_does_is_known_before_the_image(kind: str) -> None:
    images = np.random.default_rng(0).random((1, 3, 12, 9), np.float32)
    factor, offset = change(images.shape, kind, 0.4, seed=3)
    np.testing.assert_allclose(factor * images + offset, corrupt(images, kind, 0.4, 3, clip=False), atol=1e-6)


def test_an_unknown_noise_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"'fog'.*gaussian, masking, salt_and_pepper, speckle, occlusion"):
        corrupt(IMAGES, "fog", 0.5)


@pytest.mark.parametrize("level", [-0.1, 1.01, float("nan"), float("inf")])
def test_a_level_outside_zero_to_one_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match=f"{level}; choose a number from 0 to 1"):
        corrupt(IMAGES, "gaussian", level)
