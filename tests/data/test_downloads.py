"""Downloaded sets: they follow from a value, and a hostile folder or mirror can do them no harm."""

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from mirror import Mirror, remote_files, serving

from aecore.__main__ import main
from aecore.data import (
    DATASETS,
    Dataset,
    Download,
    RemoteFile,
    Split,
    Unavailable,
    dataset,
    downloads,
    fetch,
    is_here,
    load_dataset,
    published,
)

# Fashion-MNIST in miniature: the same four files, a few images each.


def _idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
    return header + array.tobytes()


def _tiny() -> dict[str, np.ndarray]:
    """Few shades of grey, so that gzip really compresses them."""
    rng = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte": rng.integers(0, 4, (12, 28, 28), np.uint8) * np.uint8(85),
        "train-labels-idx1-ubyte": rng.integers(0, 10, 12).astype(np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 4, (5, 28, 28), np.uint8) * np.uint8(85),
        "t10k-labels-idx1-ubyte": rng.integers(0, 10, 5).astype(np.uint8),
    }


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bytes]:
    """The miniature's gzip files by name; the registry is told their sizes and hashes, the loader their counts."""
    packed = {f"{name}.gz": gzip.compress(_idx(array), mtime=0) for name, array in _tiny().items()}
    entry = DATASETS["fashion_mnist"]
    assert {file.name for file in entry.download.files} == packed.keys()
    monkeypatch.setitem(
        DATASETS, "fashion_mnist", replace(entry, download=replace(entry.download, files=remote_files(packed)))
    )
    monkeypatch.setattr(published, "CLOTHES", {"train": 12, "t10k": 5})
    monkeypatch.setenv("AECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AECORE_FASHION_MNIST", raising=False)
    return packed


@pytest.fixture
def folder(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "fashion"
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    monkeypatch.setenv("AECORE_FASHION_MNIST", str(path))
    return path


def _is_the_miniature(dataset: Dataset) -> bool:
    tiny = _tiny()
    return (
        np.array_equal(dataset.train.images[:, 0], tiny["train-images-idx3-ubyte"])
        and np.array_equal(dataset.train.labels, tiny["train-labels-idx1-ubyte"])
        and np.array_equal(dataset.test.images[:, 0], tiny["t10k-images-idx3-ubyte"])
        and np.array_equal(dataset.test.labels, tiny["t10k-labels-idx1-ubyte"])
    )


def test_a_folder_may_hold_gzip_or_plain_files(folder: Path) -> None:
    assert is_here("fashion_mnist")
    assert _is_the_miniature(load_dataset("fashion_mnist"))
    for path in list(folder.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert _is_the_miniature(load_dataset("fashion_mnist"))


def _wrong_type(plain: bytes) -> bytes:
    return plain[:2] + b"\x0d" + plain[3:]


def _wrong_count(plain: bytes) -> bytes:
    return plain[:7] + bytes([plain[7] + 1]) + plain[8:]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "wrong type": _wrong_type,
    "wrong count": _wrong_count,
    "short": lambda plain: plain[:-1],
    "long": lambda plain: plain + b"\0",
    "only a header": lambda plain: plain[:16],
    "empty": lambda plain: b"",
    "a web page": lambda plain: b"<!doctype html><title>Sign in</title>" * 10,
}


@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_folder_with_a_wrong_file_is_refused_by_name(folder: Path, damage: str, packed: bool) -> None:
    path = folder / "t10k-images-idx3-ubyte.gz"
    content = DAMAGES[damage](gzip.decompress(path.read_bytes()))
    path.unlink()
    path = path if packed else path.with_suffix("")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(Unavailable, match=rf"{path.name} .*replace it with the published file"):
        load_dataset("fashion_mnist")


@pytest.mark.parametrize("position", [0, 3, 0.3, 0.5, 0.9, -8, -1])
def test_a_gzip_file_with_a_flipped_byte_is_refused_by_name(folder: Path, position: float) -> None:
    path = folder / "t10k-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[int(len(content) * position) if isinstance(position, float) else position] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(Unavailable, match=path.name):
        load_dataset("fashion_mnist")


def test_a_gzip_file_that_was_cut_off_is_refused_by_name(folder: Path) -> None:
    path = folder / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(Unavailable, match=path.name):
        load_dataset("fashion_mnist")


def test_a_gzip_bomb_is_read_no_further_than_one_byte_too_many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(_idx(_tiny()[path.stem]) + bytes(10**6)))
    given: list[int] = []
    read = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int = -1) -> bytes:
        content = read(self, size)
        given.append(len(content))
        return content

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    with pytest.raises(Unavailable, match=path.name):
        load_dataset("fashion_mnist")
    assert given[-1] == 8 + 5 + 1


@pytest.mark.parametrize("missing", ["one file", "the folder"])
def test_what_is_missing_is_named_with_the_way_out(folder: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    if missing == "one file":
        (folder / "train-labels-idx1-ubyte.gz").unlink()
    else:
        monkeypatch.setenv("AECORE_FASHION_MNIST", str(folder / "nowhere"))
    with pytest.raises(Unavailable, match=r"AECORE_FASHION_MNIST.* has no train-.*\.gz: put .* there, or unset"):
        load_dataset("fashion_mnist")


# Downloads.


@pytest.fixture
def mirror(files: dict[str, bytes]) -> Iterator[Mirror]:
    with serving(files) as server:
        yield server


@pytest.fixture
def impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short limits where a fault would use them up; on a busy machine a good mirror takes long, too."""
    if request.node.callspec.params.get("fault") in ("silent", "trickle"):
        monkeypatch.setattr(downloads, "ANSWER", 1.0)
        monkeypatch.setattr(downloads, "SECONDS", 1.0)


def _use(monkeypatch: pytest.MonkeyPatch, *mirrors: str, name: str = "fashion_mnist") -> None:
    entry = DATASETS[name]
    monkeypatch.setitem(DATASETS, name, replace(entry, download=replace(entry.download, mirrors=mirrors)))


def _cached(tmp_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (tmp_path / "cache").glob("**/*") if path.is_file()}


FAULTS = ["404", "500", "page", "half", "cut", "flipped", "large", "loop", "silent", "trickle"]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("impatient")
def test_the_next_mirror_helps_out(
    mirror: Mirror, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    _use(monkeypatch, mirror.base(fault), mirror.base("good"))
    assert not is_here("fashion_mnist")
    assert _is_the_miniature(load_dataset("fashion_mnist"))
    assert mirror.manners().count("good") == 4
    assert mirror.trickled == [], "given up before the end"
    assert _cached(tmp_path) == files
    assert is_here("fashion_mnist")


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("impatient")
def test_without_a_good_mirror_the_message_tells_both_ways_out(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    _use(monkeypatch, mirror.base(fault))
    with pytest.raises(Unavailable, match=r"Connect to the internet.* or put .*AECORE_FASHION_MNIST"):
        load_dataset("fashion_mnist")
    assert _cached(tmp_path) == {}
    assert len(load_dataset("digits").train) > 1000


def test_a_mirror_that_nobody_answers_at_is_passed_over(
    mirror: Mirror, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as gone:
        closed = gone.server_port
    _use(monkeypatch, f"http://127.0.0.1:{closed}/", mirror.base("good"))
    assert _is_the_miniature(load_dataset("fashion_mnist"))


def test_a_call_that_never_comes_back_is_left_behind(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking up a name can hang for longer than any timeout that one may give."""
    released, came_back = threading.Event(), []

    def hangs(*_: object, **__: object) -> None:
        released.wait(20)
        came_back.append(True)
        raise ConnectionError

    monkeypatch.setattr("requests.get", hangs)
    monkeypatch.setattr(downloads, "ANSWER", 0.05)
    with pytest.raises(Unavailable, match=r"TimeoutError.*TimeoutError.*TimeoutError"):
        load_dataset("fashion_mnist")
    assert came_back == []
    released.set()


def test_a_warm_cache_asks_nobody(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    _use(monkeypatch, mirror.base("good"))
    fetch("fashion_mnist")
    assert len(mirror.asked) == 4
    fetch("fashion_mnist")
    assert _is_the_miniature(load_dataset("fashion_mnist"))
    assert len(mirror.asked) == 4


def test_a_cached_file_that_went_bad_is_downloaded_again(
    mirror: Mirror, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(monkeypatch, mirror.base("good"))
    fetch("fashion_mnist")
    bad = tmp_path / "cache" / "fashion_mnist" / "t10k-labels-idx1-ubyte.gz"
    bad.write_bytes(bad.read_bytes()[:-1] + b"!")
    assert _is_the_miniature(load_dataset("fashion_mnist"))
    assert len(mirror.asked) == 5
    assert bad.read_bytes() == files[bad.name]


def test_progress_only_grows_and_ends_at_the_whole(
    mirror: Mirror, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(monkeypatch, mirror.base("good"))
    calls: list[tuple[int, int]] = []
    fetch("fashion_mnist", lambda done, total: calls.append((done, total)))
    whole = sum(map(len, files.values()))
    assert {total for _, total in calls} == {whole}
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert calls[-1] == (whole, whole)


def test_fetching_what_needs_no_download_calls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests.get", lambda *_, **__: pytest.fail("nothing to download"))
    fetch("digits")
    fetch("blocks")


# A set from outside: one decorated function and one value.

PIXELS = {f"{part}.bin": np.random.default_rng(count).bytes(count * 64) for part, count in (("train", 60), ("test", 9))}


@pytest.fixture
def stamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """The mirror of a set that is registered only here."""
    monkeypatch.setenv("AECORE_CACHE", str(tmp_path / "cache"))
    with serving(PIXELS) as server:

        @dataset("Stamps", Download("STAMPS_FOLDER", remote_files(PIXELS), (server.base("good"),)))
        def stamps(files: Mapping[str, Path]) -> Dataset:
            """Stamps of 8x8 pixels."""
            splits = [Split(np.fromfile(files[name], np.uint8).reshape(-1, 1, 8, 8)) for name in PIXELS]
            return Dataset("stamps", *splits)

        yield server
        del DATASETS["stamps"]


def _are_the_stamps(dataset: Dataset) -> bool:
    return [split.images.tobytes() for split in (dataset.train, dataset.test)] == [*PIXELS.values()]


def test_a_set_from_outside_is_downloaded_once_and_then_here(stamps: Mirror, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    assert not is_here("stamps")
    fetch("stamps", lambda done, total: calls.append((done, total)))
    assert calls[-1] == (69 * 64, 69 * 64)
    assert is_here("stamps")
    assert _are_the_stamps(load_dataset("stamps"))
    assert _cached(tmp_path) == PIXELS
    assert stamps.asked == ["/good/train.bin", "/good/test.bin"]


def test_a_set_from_outside_with_one_wrong_byte_is_refused(
    stamps: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(monkeypatch, stamps.base("flipped"), name="stamps")
    with pytest.raises(Unavailable, match=r"images of stamps .* \(train\.bin, test\.bin\) .* STAMPS_FOLDER"):
        load_dataset("stamps")
    assert _cached(tmp_path) == {}
    assert not is_here("stamps")


def test_a_set_from_outside_is_read_from_its_own_folder(
    stamps: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAMPS_FOLDER", str(tmp_path))
    for name, content in PIXELS.items():
        with pytest.raises(Unavailable, match=f"STAMPS_FOLDER .* has no {name}: put the files of stamps there"):
            load_dataset("stamps")
        (tmp_path / name).write_bytes(content)
    assert is_here("stamps")
    assert _are_the_stamps(load_dataset("stamps"))
    assert stamps.asked == []


def test_sets_whose_files_have_the_same_names_do_not_meet(stamps: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch("stamps")
    other = {name: content[::-1] for name, content in PIXELS.items()}
    with serving(other) as server:
        download = Download("COINS_FOLDER", remote_files(other), (server.base("good"),))
        monkeypatch.setitem(DATASETS, "coins", replace(DATASETS["stamps"], download=download))
        assert not is_here("coins")
        assert load_dataset("coins").test.images.tobytes() == other["test.bin"]
        assert _are_the_stamps(load_dataset("stamps"))
        assert load_dataset("coins").test.images.tobytes() == other["test.bin"]
        assert len(server.asked) == len(stamps.asked) == 2


@pytest.mark.slow
def test_a_large_file_has_the_time_that_it_takes(stamps: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "SECONDS", 1.0)
    monkeypatch.setattr(downloads, "SLOWEST", 10)
    _use(monkeypatch, stamps.base("trickle"), name="stamps")
    assert _are_the_stamps(load_dataset("stamps"))


@pytest.mark.usefixtures("stamps")
def test_the_command_line_shows_what_it_downloads(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "stamps", "--network", "shallow", "--epochs", "1"]) == 0
    assert "stamps: 100%" in capsys.readouterr().err


@pytest.mark.parametrize(("bytes", "size"), [(1, "1 MB"), (1_000_000, "1 MB"), (170_498_071, "171 MB")])
def test_a_download_says_its_size_in_megabytes(bytes: int, size: str) -> None:
    parts = tuple(RemoteFile(name, count, "") for name, count in (("one", bytes // 2), ("two", bytes - bytes // 2)))
    assert Download("FOLDER", parts, ()).size == size
