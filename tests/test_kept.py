"""What is kept on disk comes back as it was; what is damaged there is computed again."""

from pathlib import Path

import numpy as np
import pytest

from aecore.kept import kept, room


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_HOME", str(tmp_path))


def refuse() -> list[np.ndarray]:
    raise AssertionError("it was computed again")


def test_the_second_time_it_is_only_opened() -> None:
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(2)]
    kept("a", lambda: arrays)
    for array, again in zip(arrays, kept("a", refuse), strict=True):
        np.testing.assert_array_equal(array, again)
        assert array.dtype == again.dtype
        assert not again.flags.writeable


def test_a_damaged_file_is_computed_again(tmp_path: Path) -> None:
    kept("a", lambda: [np.arange(9)])
    (path,) = (tmp_path / "cache" / "a").glob("*.npy")
    path.write_bytes(path.read_bytes()[:100])
    np.testing.assert_array_equal(kept("a", lambda: [np.arange(3)])[0], np.arange(3))
    np.testing.assert_array_equal(kept("a", refuse)[0], np.arange(3))


def test_a_large_result_lies_on_disk_and_goes_with_its_last_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = room((3, 5))
    monkeypatch.setattr("aecore.kept.LARGE", 60)
    large = room((3, 5))
    assert not isinstance(small, np.memmap)
    assert isinstance(large, np.memmap)
    assert small.dtype == large.dtype == np.float32
    large[1] = 7
    np.testing.assert_array_equal(large, np.array([0, 7, 0])[:, None].repeat(5, axis=1))
    assert not list((tmp_path / "cache").iterdir()), "no name is left to clean up"
    monkeypatch.setattr("aecore.kept.tempfile.TemporaryFile", refuse_to_write)
    assert not isinstance(room((3, 5)), np.memmap), "without a disk, it is in memory"


def refuse_to_write(**_: object) -> None:
    raise OSError(28, "No space left on device")


def test_what_cannot_be_computed_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        kept("a", refuse)
    assert not list(tmp_path.glob("cache/*"))


def test_without_a_disk_it_works_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    np.testing.assert_array_equal(kept("a", lambda: [np.arange(3)])[0], np.arange(3))


@pytest.mark.parametrize("name", ["", "../a", "a/b", "a.b"])
def test_a_name_is_never_a_path(name: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        kept(name, refuse)
