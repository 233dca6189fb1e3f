"""Moments: which are kept, what they hold, how they are turned onto each other."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import aecore
from aecore.manifold import plane
from aecore.moments import Moment, aligned, film, groups, keep, kept, moment_of, moment_steps, newest, replay, show


def _moment(step: int, seed: int = 0) -> Moment:
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (8, 1, 8, 8), dtype=np.uint8)
    return Moment(step, step / 10, rng.normal(size=(30, 2)).astype(np.float32), pictures)


@pytest.mark.parametrize("steps", [0, 1, 2, 7, 100, 10_000, 10**6])
def test_about_twenty_moments_from_the_first_step_to_the_last(steps: int) -> None:
    chosen = sorted(moment_steps(steps))
    assert chosen[0] == 0
    assert chosen[-1] == steps
    assert len(chosen) == steps + 1 if steps < 3 else 4 <= len(chosen) <= 20
    gaps = np.diff(chosen)
    assert (np.diff(gaps) >= -1).all(), "ever further apart, but for rounding"


def test_a_moment_is_what_the_checkpoint_makes_of_the_first_images(digits_runs: list[aecore.Checkpoint]) -> None:
    test = aecore.load_dataset("digits").test
    for checkpoint in digits_runs:
        moment = moment_of(checkpoint, test)
        assert (moment.step, moment.epoch) == (checkpoint.step, checkpoint.epoch)
        assert np.array_equal(moment.places, plane(checkpoint.encode(test.images[: len(moment.places)])))
        off = moment.rebuilt / 255 - checkpoint.reconstruct(test.images[:8])
        assert np.abs(off).max() <= 0.5 / 255 + 1e-6


def test_moments_are_read_back_as_they_were_kept(tmp_path: Path) -> None:
    for step in (20, 0, 3):
        keep(tmp_path, _moment(step, seed=step))
    show(tmp_path, _moment(21, seed=21))
    assert [moment.step for moment in kept(tmp_path)] == [0, 3, 20, 21]
    for moment in kept(tmp_path):
        written = _moment(moment.step, seed=moment.step)
        assert moment.epoch == written.epoch
        assert np.array_equal(moment.places, written.places)
        assert np.array_equal(moment.rebuilt, written.rebuilt)
    assert newest(tmp_path).step == 21


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\x02\x00\x00\x00\x00\x00\x00\x00{}", b"\xff" * 16])
def test_an_unreadable_moment_is_left_out(tmp_path: Path, content: bytes) -> None:
    keep(tmp_path, _moment(1))
    (tmp_path / "moments" / "000000002.safetensors").write_bytes(content)
    (tmp_path / "live.safetensors").write_bytes(content)
    assert [moment.step for moment in kept(tmp_path)] == [1]
    assert newest(tmp_path) is None


def test_a_run_without_moments_has_none(tmp_path: Path) -> None:
    assert kept(tmp_path) == []
    assert newest(tmp_path) is None


def test_maps_that_differ_by_turn_flip_scale_and_place_become_one() -> None:
    rng = np.random.default_rng(0)
    last = rng.normal(size=(50, 2)) * (3, 1)
    maps = [last]
    for turn, flip in ((0.4, 1), (2.0, -1), (3.0, 1)):
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * (1, flip)
        maps.insert(0, last @ rotation * rng.uniform(0.1, 9) + rng.normal(size=2))
    fitted = aligned(maps)
    for places in fitted:
        assert np.allclose(places, fitted[-1])
    centered = last - last.mean(axis=0)
    assert np.allclose(fitted[-1] * np.sqrt(np.square(centered).sum(axis=1).mean()), centered), "the last is not turned"
    assert np.allclose(np.square(fitted[0]).sum(axis=1).mean(), 1)


def test_no_turn_fits_better_than_the_one_that_was_chosen() -> None:
    rng = np.random.default_rng(1)
    first, last = aligned([rng.normal(size=(40, 2)), rng.normal(size=(40, 2))])
    reached = np.square(first - last).sum()
    for turn in np.linspace(0, 2 * np.pi, 90):
        for flip in (1, -1):
            rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * (1, flip)
            assert reached <= np.square(first @ rotation - last).sum() + 1e-9


def test_a_map_of_one_point_or_all_points_in_one_place_is_no_problem() -> None:
    for places in (np.zeros((1, 2)), np.ones((5, 2))):
        assert np.isfinite(aligned([places, places])).all()


def test_a_replay_ends_where_it_is_told_and_makes_a_film(tmp_path: Path) -> None:
    digits = aecore.load_dataset("digits")
    for step in (0, 3, 20):
        keep(tmp_path, _moment(step, seed=step))
    moments = replay(tmp_path, 3)
    assert [moment.step for moment in moments] == [0, 3]
    for moment, fitted in zip(moments, aligned([moment.places for moment in kept(tmp_path)[:2]]), strict=True):
        np.testing.assert_array_equal(moment.places, fitted)
    with Image.open(io.BytesIO(film(moments, digits))) as picture:
        assert (picture.format, picture.n_frames) == ("GIF", 2)


def test_a_small_map_is_colored_by_class_or_else_by_a_factor() -> None:
    digits, blocks = aecore.load_dataset("digits"), aecore.load_dataset("blocks", count=500)
    assert groups(digits, 3) == ("class", [digits.classes[label] for label in digits.test.labels[:3]])
    title, values = groups(blocks, 4)
    assert values == blocks.test.factors[title][:4].tolist()
    plain = aecore.Dataset("plain", aecore.Split(digits.train.images), aecore.Split(digits.test.images))
    assert groups(plain, 2) == ("image", ["image", "image"])
