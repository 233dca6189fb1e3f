"""Image sets: what every one of them promises, and what a hostile folder or mirror cannot do."""

import contextlib
import gzip
import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from aecore.data import datasets
from aecore.data.datasets import DATASETS, Dataset, Split, Unavailable, fetch, is_here, load_dataset

SMALL = {"blocks": {"count": 500}}


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=pytest.mark.fashion) if n == "fashion_mnist" else n for n in DATASETS],
)
def pair(request: pytest.FixtureRequest) -> tuple[Dataset, Dataset]:
    """The same dataset, loaded twice."""
    options = SMALL.get(request.param, {})
    return load_dataset(request.param, **options), load_dataset(request.param, **options)


def test_images_are_uint8_with_four_axes(pair: tuple[Dataset, Dataset]) -> None:
    for split in (pair[0].train, pair[0].test):
        assert split.images.dtype == np.uint8
        assert split.images.shape == (len(split), *pair[0].shape)
        assert len(split) > 0
        assert pair[0].shape[0] in (1, 3)
        assert split.images.min() == 0
        assert split.images.max() == 255


def test_arrays_are_read_only_and_ids_unique(pair: tuple[Dataset, Dataset]) -> None:
    for split in (pair[0].train, pair[0].test):
        assert split.ids.dtype.kind == "U"
        assert len(np.unique(split.ids)) == len(split)
        for array in (split.images, split.ids, *split.factors.values()):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = array[1]


def test_labels_lie_within_the_classes(pair: tuple[Dataset, Dataset]) -> None:
    for split in (pair[0].train, pair[0].test):
        assert (split.labels is None) == (pair[0].classes is None)
        if split.labels is not None:
            assert split.labels.dtype == np.int64
            assert set(np.unique(split.labels)) == set(range(len(pair[0].classes)))


def test_loading_twice_gives_the_same_images_in_the_same_order(pair: tuple[Dataset, Dataset]) -> None:
    for one, other in ((pair[0].train, pair[1].train), (pair[0].test, pair[1].test)):
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.labels, other.labels)


def test_a_dataset_says_its_name_its_source_and_its_size(pair: tuple[Dataset, Dataset]) -> None:
    assert DATASETS[pair[0].name].__doc__
    assert pair[0].title
    assert pair[0].source
    assert f"{len(pair[0].train):,} training" in repr(pair[0])


def test_blocks_has_80000_training_images_unless_told_otherwise() -> None:
    blocks = load_dataset("blocks")
    assert blocks.train.images.shape == (80_000, 1, 28, 28)
    assert len(np.unique(blocks.train.images.reshape(80_000, -1).sum(axis=1))) > 100
    assert len(load_dataset("blocks", count=7).train) == 7


def test_block_factors_are_what_the_pixels_show() -> None:
    blocks = load_dataset("blocks", count=2000)
    for split in (blocks.train, blocks.test):
        white = split.images[:, 0] == 255
        assert ((split.images == 0) | (split.images == 255)).all()
        np.testing.assert_array_equal(white.any(axis=2).sum(axis=1), split.factors["height"])
        np.testing.assert_array_equal(white.any(axis=1).sum(axis=1), split.factors["width"])
        np.testing.assert_array_equal(white.sum(axis=(1, 2)), split.factors["height"] * split.factors["width"])
        for lines in (white.any(axis=2), white.any(axis=1)):  # centered: the margins differ by a pixel at most
            assert (abs(lines.argmax(axis=1) - lines[:, ::-1].argmax(axis=1)) <= 1).all()
            assert (lines[:, 13] | lines[:, 14]).all()


def test_held_out_blocks_are_never_trained_on() -> None:
    blocks = load_dataset("blocks")
    train, test = (set(zip(s.factors["height"], s.factors["width"], strict=True)) for s in (blocks.train, blocks.test))
    assert not train & test
    assert len(test) == len(blocks.test) == 98
    assert len(train | test) == 28 * 28


def test_another_seed_draws_other_blocks() -> None:
    first, second = load_dataset("blocks", count=200), load_dataset("blocks", count=200, seed=1)
    assert (first.train.images != second.train.images).any()
    assert set(first.test.ids) != set(second.test.ids)


def test_an_unknown_dataset_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"'mnist'.*blocks, digits, fashion_mnist"):
        load_dataset("mnist")


@pytest.mark.parametrize(
    ("images", "ids"),
    [(np.zeros((2, 1, 8, 8)), None), (np.zeros((2, 8, 8), np.uint8), None), (np.zeros((2, 1, 8, 8), np.uint8), ["a"])],
)
def test_a_split_refuses_what_is_not_images_with_one_id_each(images: np.ndarray, ids: list[str] | None) -> None:
    with pytest.raises(ValueError, match="images"):
        Split(images, ids=None if ids is None else np.array(ids))


def test_a_split_is_had_by_its_name() -> None:
    digits = load_dataset("digits")
    assert (digits.split("train"), digits.split("test")) == (digits.train, digits.test)


@pytest.mark.parametrize("name", ["validation", "name", "shape", "", "Train"])
def test_a_split_that_no_dataset_has_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^split is '{name}'; choose one of train, test$"):
        load_dataset("digits").split(name)


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
    """The miniature's gzip files by name; the module is told their sizes, hashes and shapes."""
    packed = {name: gzip.compress(_idx(array), mtime=0) for name, array in _tiny().items()}
    told = {
        name: datasets._IdxFile(len(packed[name]), hashlib.sha256(packed[name]).hexdigest(), array.shape)
        for name, array in _tiny().items()
    }
    monkeypatch.setattr(datasets, "FASHION_FILES", told)
    monkeypatch.setenv("AECORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AECORE_FASHION_MNIST", raising=False)
    return packed


@pytest.fixture
def folder(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "fashion"
    path.mkdir()
    for name, content in files.items():
        (path / f"{name}.gz").write_bytes(content)
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
    with pytest.raises(Unavailable, match=rf"{path.name} .*replace it by the published file"):
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


# Downloads, from a server that behaves as its first path segment says.


class Mirror(ThreadingHTTPServer):
    """A mirror on this machine; `asked` keeps what clients wanted, `trickled` what they waited for to the very end."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files = {f"{name}.gz": content for name, content in files.items()}
        self.asked: list[str] = []
        self.trickled: list[str] = []
        self.closing = threading.Event()

    def base(self, manner: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{manner}/"

    def manners(self) -> list[str]:
        return [path.split("/")[1] for path in self.asked]


class _Answer(BaseHTTPRequestHandler):
    server: Mirror

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        _, manner, name = self.path.split("/")
        content = self.server.files[name]
        with contextlib.suppress(ConnectionError):
            if manner.isdigit():
                self._send(int(manner), b"no")
            elif manner == "page":
                self._send(200, b"<!doctype html><title>Sign in to the hotel</title>")
            elif manner == "half":
                self._send(200, content[: len(content) // 2])
            elif manner == "cut":
                self._send(200, content[: len(content) // 2], length=len(content))
            elif manner == "flipped":
                self._send(200, content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
            elif manner == "large":
                self._send(200, content + bytes(10**6))
            elif manner == "loop":
                self.send_response(302)
                self.send_header("Location", self.path)
                self.end_headers()
            elif manner == "silent":
                self.server.closing.wait(60)
            elif manner == "trickle":
                self._trickle(content)
            else:
                self._send(200, content)

    def _send(self, status: int, content: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _trickle(self, content: bytes) -> None:
        """The right bytes, a few at a time: the whole takes four times as long as the tests' limit."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        step = -(-len(content) // 30)
        for start in range(0, len(content), step):
            self.wfile.write(content[start : start + step])
            if self.server.closing.wait(0.06):
                return
        self.server.trickled.append(self.path)


@pytest.fixture
def mirror(files: dict[str, bytes]) -> Iterator[Mirror]:
    with Mirror(files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


def _cached(tmp_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (tmp_path / "cache").glob("**/*") if path.is_file()}


FAULTS = ["404", "500", "page", "half", "cut", "flipped", "large", "loop", "silent", "trickle"]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_next_mirror_helps_out(
    mirror: Mirror, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(datasets, "FASHION_MIRRORS", (mirror.base(fault), mirror.base("good")))
    monkeypatch.setattr(datasets._Download.__init__, "__defaults__", (0.5, 0.4))
    assert not is_here("fashion_mnist")
    assert _is_the_miniature(load_dataset("fashion_mnist"))
    assert mirror.manners().count("good") == 4
    assert _cached(tmp_path) == {f"{name}.gz": content for name, content in files.items()}
    assert is_here("fashion_mnist")


@pytest.mark.parametrize("fault", FAULTS)
def test_without_a_good_mirror_the_message_tells_both_ways_out(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(datasets, "FASHION_MIRRORS", (mirror.base(fault),))
    monkeypatch.setattr(datasets._Download.__init__, "__defaults__", (0.5, 0.4))
    with pytest.raises(Unavailable, match=r"Connect to the internet.* or put .*AECORE_FASHION_MNIST"):
        load_dataset("fashion_mnist")
    assert _cached(tmp_path) == {}
    assert len(load_dataset("digits").train) > 1000


def test_a_download_that_trickles_is_given_up_before_its_end(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "FASHION_MIRRORS", (mirror.base("trickle"), mirror.base("good")))
    monkeypatch.setattr(datasets._Download.__init__, "__defaults__", (0.5, 0.4))
    fetch("fashion_mnist")
    assert mirror.trickled == []


def test_a_mirror_that_nobody_answers_at_is_passed_over(
    mirror: Mirror, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as gone:
        closed = gone.server_port
    monkeypatch.setattr(datasets, "FASHION_MIRRORS", (f"http://127.0.0.1:{closed}/", mirror.base("good")))
    assert _is_the_miniature(load_dataset("fashion_mnist"))


def test_a_call_that_never_comes_back_is_left_behind(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking up a name can hang for longer than any timeout that one may give."""
    released, came_back = threading.Event(), []

    def hangs(*_: object, **__: object) -> None:
        released.wait(20)
        came_back.append(True)
        raise ConnectionError

    monkeypatch.setattr("requests.get", hangs)
    monkeypatch.setattr(datasets._Download.__init__, "__defaults__", (0.05, 0.4))
    with pytest.raises(Unavailable, match=r"TimeoutError.*TimeoutError.*TimeoutError"):
        load_dataset("fashion_mnist")
    assert came_back == []
    released.set()


def test_a_warm_cache_asks_nobody(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "FASHION_MIRRORS", (mirror.base("good"),))
    fetch("fashion_mnist")
    assert len(mirror.asked) == 4
    fetch("fashion_mnist")
    assert _is_the_miniature(load_dataset("fashion_mnist"))
    assert len(mirror.asked) == 4


def test_a_cached_file_that_went_bad_is_downloaded_again(
    mirror: Mirror, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "FASHION_MIRRORS", (mirror.base("good"),))
    fetch("fashion_mnist")
    bad = tmp_path / "cache" / "t10k-labels-idx1-ubyte.gz"
    bad.write_bytes(bad.read_bytes()[:-1] + b"!")
    assert _is_the_miniature(load_dataset("fashion_mnist"))
    assert len(mirror.asked) == 5
    assert bad.read_bytes() == files["t10k-labels-idx1-ubyte"]


def test_progress_only_grows_and_ends_at_the_whole(
    mirror: Mirror, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "FASHION_MIRRORS", (mirror.base("good"),))
    calls: list[tuple[int, int]] = []
    fetch("fashion_mnist", lambda done, total: calls.append((done, total)))
    whole = sum(map(len, files.values()))
    assert {total for _, total in calls} == {whole}
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert calls[-1] == (whole, whole)


def test_fetching_what_needs_no_download_calls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "_download", lambda *_: pytest.fail("nothing to download"))
    fetch("digits")
    fetch("blocks")
