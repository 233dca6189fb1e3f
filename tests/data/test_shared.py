"""Images that all processes open from one file."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from aecore.data import shared as module
from aecore.data.idx import read_idx
from aecore.data.shared import shared, unpacked


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AECORE_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "LARGE", 1000)
    return tmp_path / "images"


def _images(number: int) -> np.ndarray:
    return np.full((2, 1, 28, 28), number, np.uint8)


def test_images_are_what_they_were_and_nobody_can_change_them(folder: Path) -> None:
    for _ in range(2):
        found = shared(_images(3))
        np.testing.assert_array_equal(found, _images(3))
        assert not found.flags.writeable
        assert len(list(folder.iterdir())) == 1


def test_few_images_need_no_file(folder: Path) -> None:
    images = _images(3)[:, :, :4]
    assert shared(images) is images
    assert not folder.exists()


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"something else"])
def test_a_damaged_file_is_written_again(content: bytes, folder: Path) -> None:
    shared(_images(3))
    (path,) = folder.glob("*/*.npy")
    path.write_bytes(content)
    np.testing.assert_array_equal(shared(_images(3)), _images(3))
    assert path.stat().st_size > len(content)


def test_without_a_disk_they_are_held_in_memory(folder: Path) -> None:
    folder.write_text("this is no folder")
    np.testing.assert_array_equal(shared(_images(3)), _images(3))


def test_a_file_is_unpacked_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, shape, reads = tmp_path / "images.gz", (2, 28, 28), []
    monkeypatch.setattr(module, "read_idx", lambda *about: reads.append(about) or read_idx(*about))
    for number, change in enumerate((b"\1", b"\2"), start=1):
        path.write_bytes(gzip.compress(bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28]) + change * 1568))
        os.utime(path, (number, number))
        for _ in range(2):
            images = unpacked(path, shape)
            np.testing.assert_array_equal(images, np.full(shape, number))
            assert reads == [(path, shape)] * number
    images = images[:, None]
    assert shared(images) is images, "what is mapped is not mapped again"
