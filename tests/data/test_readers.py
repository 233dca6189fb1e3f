"""What cannot be read is refused with a sentence, and costs nothing; whatever is changed in a file."""

import struct
from pathlib import Path

import numpy as np
import pytest
from forms import FORMS, LABELS, PIXELS, WISHES, npz, zipped

from aecore.data import arrays, own, sources
from aecore.data.intake import bring_in
from aecore.data.pictures import InputRejected
from aecore.data.sources import Bounds, opened


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AECORE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


HOSTILE = {
    "no names": (lambda: ("in.npz", without_names(npz(x=PIXELS)[1])), "name the images x or images"),
    "objects": (lambda: npz(x=np.array([None, 1], object)), "never|type '.O'"),
    "words": (lambda: npz(x=np.array([["a", "b"]])), "words|square"),
    "too few": (lambda: npz(x=PIXELS[:1]), "All images are equal"),
    "equal": (lambda: npz(x=np.repeat(PIXELS[:1], 9, 0)), "All images are equal"),
    "not finite": (lambda: npz(x=np.full((3, 8, 8), np.nan)), "not finite"),
    "negative": (lambda: npz(x=PIXELS.astype(int) - 9), "must lie between"),
    "no name": (lambda: npz(z=PIXELS), "name the images x or images"),
    "labels": (lambda: npz(x=PIXELS, y=LABELS[:3]), "24 images, but 3 labels"),
    "five sides": (lambda: npz(x=np.zeros((2, 2, 2, 2, 2))), "one to four sides"),
    "no square": (lambda: npz(x=np.zeros((9, 7))), "not square images"),
    "no pictures": (lambda: ("in.zip", zipped({"a.txt": b"a"})), "no picture in this zip"),
    "no zip": (lambda: ("in.zip", b"no zip"), "not a readable zip"),
    "no tar": (lambda: ("in.tar.gz", b"no tar"), "damaged"),
    "no parquet": (lambda: ("in.parquet", b"PAR1" + bytes(99)), "damaged"),
    "ragged": (lambda: ("in.csv", b"1,2,3,4\n1,2,3\n"), "Row 1 has 3 cells|Row 2 has 3 cells"),
    "no number": (lambda: ("in.csv", b"1,2,3,4\n1,2,3,=cmd()\n"), "where a pixel should be"),
    "empty": (lambda: ("in.csv", b""), "rows"),
    "unknown": (lambda: ("in.exe", b"MZ"), "is not supported"),
    "short idx": (lambda: ("in-ubyte", struct.pack(">4B3I", 0, 0, 8, 3, 9, 9, 9)), "has fewer"),
    "huge idx": (lambda: ("in-ubyte", struct.pack(">4B3I", 0, 0, 8, 3, *[2**32 - 1] * 3)), "the limit is|has fewer"),
}  # fmt: skip


def without_names(content: bytes) -> bytes:
    """A zip whose only entry has a name of no letters, which Python's own reader stumbles over."""
    place = content.rindex(b"PK\1\2")
    length = int.from_bytes(content[place + 28 : place + 30], "little")
    end = content.rindex(b"PK\5\6")
    entry = bytearray(content[place:end])
    entry[28:30] = bytes(2)
    del entry[46 : 46 + length]
    tail = bytearray(content[end:])
    tail[12:16] = len(entry).to_bytes(4, "little")
    return content[:place] + bytes(entry) + bytes(tail)


@pytest.mark.parametrize("case", HOSTILE)
def test_what_cannot_be_read_is_refused_with_a_sentence(case: str, tmp_path: Path, home: Path) -> None:
    make, said = HOSTILE[case]
    name, content = make()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputRejected, match=said):
        bring_in(tmp_path / name, "bad", WISHES, bounds=Bounds(bytes=10**9))
    assert own.own_names() == []
    assert [*(home / "datasets").iterdir()] == []


def test_bounds_hold_for_every_form(tmp_path: Path) -> None:
    for number, make in enumerate(FORMS.values()):
        (tmp_path / str(number)).mkdir()
        path = make(tmp_path / str(number))
        for bounds in (Bounds(images=23), Bounds(bytes=1000)):
            with pytest.raises(InputRejected, match=r"More than 23|limit|unpacks to more"):
                count(path, bounds)


def count(path: Path, bounds: Bounds) -> int:
    with opened(path, bounds) as source:
        return len([*source.items()])


READERS = [form for form in FORMS if form != "as_folder"]


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, cut out, doubled or cut off."""
    body = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        if not body:
            break
        place, length = int(rng.integers(len(body))), int(rng.integers(1, 40))
        match rng.integers(5):
            case 0:
                body[place] = rng.integers(256)
            case 1:
                del body[place : place + length]
            case 2:
                body[place:place] = body[place : place + length]
            case 3:
                body[place : place + length] = rng.bytes(length)
            case 4:
                del body[place:]
    return bytes(body)


def fuzz(form: str, times: int, tmp_path: Path, seed: int) -> None:
    path, rng = FORMS[form](tmp_path), np.random.default_rng(seed)
    targets = [path] if path.is_file() else sorted(path.iterdir())
    sound = {target: target.read_bytes() for target in targets}
    before, said = set(tmp_path.rglob("*")), []
    for _ in range(times):
        for target, content in sound.items():
            target.write_bytes(mutated(content, rng))
        try:
            with opened(path, Bounds(1000, 10**6)) as source:
                for item in source.items():
                    assert item.problem or isinstance(item.content, bytes | np.ndarray)
        except InputRejected as error:
            said.append(str(error))
    assert set(tmp_path.rglob("*")) == before
    assert said
    assert all(sentence.endswith((".", ")")) for sentence in said)


@pytest.mark.parametrize("form", READERS)
def test_mutated_files_are_read_or_refused(form: str, tmp_path: Path) -> None:
    fuzz(form, 300, tmp_path, 0)


@pytest.mark.fuzz
@pytest.mark.parametrize("form", READERS)
def test_many_mutated_files_are_read_or_refused(form: str, tmp_path: Path) -> None:
    fuzz(form, 10_000, tmp_path, 1)


def test_arrays_of_other_kinds_become_the_same_levels() -> None:
    for array in (PIXELS / 255, PIXELS.astype(np.uint16) * 257, PIXELS.astype(np.int64), PIXELS.astype(np.float32)):
        white = arrays.white_of(array)
        assert (sources._levels(array, white) == PIXELS).all()
    assert arrays.as_images(np.zeros((5, 3, 9, 9))).shape == (5, 9, 9, 3)
    assert arrays.as_images(np.zeros((5, 3072))).shape == (5, 32, 32, 3)
