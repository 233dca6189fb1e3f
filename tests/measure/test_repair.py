"""Repairs: the figures of the evaluation, walks, whole sets."""

import io
import os
import tracemalloc
import zipfile
from collections.abc import Iterator

import numpy as np
import pytest

import aecore
from aecore import Checkpoint, load_dataset
from aecore.data.pictures import InputRejected, Picture, read_picture
from aecore.measure import metrics
from aecore.measure.evaluate import NOISES, PARTS, compute_anew
from aecore.measure.filters import filters
from aecore.measure.repair import COUNT, LEVELS, again, repair_all, repaired_by_filters, repaired_by_run, trained_on
from aecore.noise import corrupt
from aecore.pixels import png

DIGITS = load_dataset("digits")
SAME = {"doing nothing": "noisy"}


def test_the_sweep_has_the_figures_of_the_evaluation(digits_runs: list[Checkpoint]) -> None:
    rows = PARTS["denoising"].figures(digits_runs[1], DIGITS, compute_anew)["rows"]
    assert {level for kind, level in NOISES if kind == "gaussian"} <= set(LEVELS)
    for kind, level in NOISES:
        found = repaired_by_filters(DIGITS, kind, level) | {
            "code": repaired_by_run(digits_runs[1], DIGITS, kind, level)
        }
        for name, score in found.items():
            assert score["mean"] == rows[SAME.get(name, name)][f"{kind} {level:g}"]["PSNR"], name
        assert len(found) == len(rows) == 5


@pytest.mark.fashion
def test_the_sweep_has_the_figures_that_a_shipped_run_was_measured_with() -> None:
    from aecore.measure.evaluate import measured

    run = aecore.RECIPES["fashion-denoise"].run
    rows = measured(aecore.showcase(), run.id)["parts"]["denoising"]["rows"]
    clothes, checkpoint = load_dataset("fashion_mnist"), aecore.showcase().load(run.id)
    assert repaired_by_run(checkpoint, clothes, "gaussian", 0.5)["mean"] == pytest.approx(
        rows["code"]["gaussian 0.5"]["PSNR"], abs=0.01
    )
    for name, score in repaired_by_filters(clothes, "gaussian", 0.5).items():
        assert score["mean"] == pytest.approx(rows[SAME.get(name, name)]["gaussian 0.5"]["PSNR"], abs=0.01), name
    assert trained_on(run) == ("gaussian", 0.5)


def test_error_bars_hold_the_mean_of_all_images_as_often_as_they_say(digits_runs: list[Checkpoint]) -> None:
    clean = DIGITS.test.images
    each = metrics.psnr(clean, digits_runs[1].reconstruct(corrupt(clean, "gaussian", 0.5)))[:COUNT]
    score = repaired_by_run(digits_runs[1], DIGITS, "gaussian", 0.5)
    drawn = np.random.default_rng(0).choice(each, (4000, COUNT)).mean(axis=1)
    assert np.mean(np.abs(drawn - score["mean"]) <= score["error"]) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("clip", [True, False])
def test_filters_are_fitted_to_the_noise_they_meet(clip: bool) -> None:
    """A filter fitted to noise that is clipped, or not, as the images are does better than one fitted otherwise."""
    clean = DIGITS.test.images
    noisy = corrupt(clean, "gaussian", 0.5, 3, clip)
    right, wrong = (
        metrics.psnr(clean, filters(noisy, DIGITS, "gaussian", 0.5, fitted)["linear filter"]).mean()
        for fitted in (clip, not clip)
    )
    assert right > wrong + 0.1


def test_only_the_denoising_flavor_was_trained_on_noise(digits_runs: list[Checkpoint]) -> None:
    assert [trained_on(checkpoint.run) for checkpoint in digits_runs] == [None, ("gaussian", 0.5)]


def test_again_is_one_application_after_the_other(digits_runs: list[Checkpoint]) -> None:
    image = corrupt(DIGITS.test.images[:1], "gaussian", 0.5, clip=False)[0]
    walk, steps = again(digits_runs[1], image, 4)
    assert walk.shape == (5, *DIGITS.shape)
    np.testing.assert_array_equal(walk[0], image)
    for before, after, step in zip(walk, walk[1:], steps, strict=False):
        np.testing.assert_array_equal(after, digits_runs[1].reconstruct(before[None])[0])
        assert step == pytest.approx(np.sqrt(metrics.mse(before[None], after[None])), rel=1e-5)


def named(count: int) -> Iterator[tuple[str, Picture | InputRejected]]:
    for row in range(count):
        yield f"folder/{row}.jpg", Picture(DIGITS.test.images[row % 300], 8, 8, 0.0)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9])
def test_a_whole_set_is_repaired_picture_by_picture(count: int, digits_runs: list[Checkpoint]) -> None:
    out = io.BytesIO()
    told = list(repair_all(named(count), digits_runs[1], out, batch=4))
    assert told == [(f"folder/{row}.jpg", None) for row in range(count)]
    expected = digits_runs[1].reconstruct(DIGITS.test.images[:count])
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == [f"folder/{row}.png" for row in range(count)]
        for name, image in zip(archive.namelist(), expected, strict=True):
            pixels = read_picture(archive.read(name), DIGITS.shape).pixels
            assert np.abs(pixels / 255 - image).max() <= 0.6 / 255


def test_pictures_that_are_not_taken_are_told_and_equal_targets_keep_both(digits_runs: list[Checkpoint]) -> None:
    one = Picture(DIGITS.test.images[0], 8, 8, 0.0)
    out = io.BytesIO()
    entries = [("a.png", one), ("b.txt", InputRejected("No.")), ("a.jpg", one)]
    assert list(repair_all(entries, digits_runs[1], out)) == [("a.png", None), ("b.txt", "No."), ("a.jpg", None)]
    assert zipfile.ZipFile(out).namelist() == ["a.png", "a (2).png"]


def test_never_more_than_a_batch_is_in_memory(digits_runs: list[Checkpoint]) -> None:
    alive = most = 0

    class Watched(Picture):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def entries() -> Iterator[tuple[str, Picture]]:
        nonlocal alive, most
        for row in range(100):
            alive += 1
            most = max(most, alive)
            yield f"{row}.png", Watched(DIGITS.test.images[row], 8, 8, 0.0)

    with open(os.devnull, "wb") as out:
        assert len(list(repair_all(entries(), digits_runs[1], out, batch=10))) == 100
    assert most <= 12


def test_a_stream_of_pictures_costs_no_more_memory_than_a_few(digits_runs: list[Checkpoint]) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        with open(os.devnull, "wb") as out:
            for _ in repair_all(named(count), digits_runs[1], out, batch=16):
                pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(16)
    assert peak(600) < peak(32) + 600 * 1000  # the directory of the zip grows by a few hundred bytes a file


def test_png_keeps_what_a_network_gives(digits_runs: list[Checkpoint]) -> None:
    image = digits_runs[0].reconstruct(DIGITS.test.images[:1])[0]
    assert np.abs(read_picture(png(image), DIGITS.shape).pixels / 255 - image).max() <= 0.51 / 255
