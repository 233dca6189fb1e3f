"""Sets of one's own: every form comes in with equal images, ids and labels; what cannot be read costs nothing."""

import csv
import gzip
import io
import json
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import aecore
from aecore.data import arrays, own, sources
from aecore.data.intake import bring_in, look
from aecore.data.own import Wishes, about, load_own, thumbnail
from aecore.data.pictures import InputRejected
from aecore.data.sources import Bounds, opened

WISHES = Wishes(8, 1)
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 8, 8), np.uint8)
LABELS = np.arange(24) % 2
WORDS = ("cat", "dog")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AECORE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def files() -> dict[str, bytes]:
    return {
        f"{WORDS[label]}/{row:02}.png": png(image)
        for row, (image, label) in enumerate(zip(PIXELS, LABELS, strict=True))
    }


def as_folder(path: Path) -> Path:
    for name, content in files().items():
        (path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "in" / name).write_bytes(content)
    return path / "in"


def as_zip(path: Path) -> Path:
    with zipfile.ZipFile(path / "in.zip", "w") as archive:
        for name, content in files().items():
            archive.writestr(name, content)
    return path / "in.zip"


def as_tar(path: Path) -> Path:
    with tarfile.open(path / "in.tar.gz", "w:gz") as archive:
        for name, content in files().items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path / "in.tar.gz"


def as_npz(path: Path) -> Path:
    np.savez_compressed(path / "in.npz", x=PIXELS, y=np.array(WORDS)[LABELS])
    return path / "in.npz"


def as_floats(path: Path) -> Path:
    np.savez(path / "in.npz", images=(PIXELS / np.float32(255))[..., None], labels=LABELS)
    return path / "in.npz"


def as_idx(path: Path) -> Path:
    folder = path / "in"
    folder.mkdir()
    with gzip.open(folder / "train-images-idx3-ubyte.gz", "wb") as file:
        file.write(struct.pack(">4B3I", 0, 0, 8, 3, *PIXELS.shape) + PIXELS.tobytes())
    (folder / "train-labels-idx1-ubyte").write_bytes(
        struct.pack(">4BI", 0, 0, 8, 1, len(LABELS)) + LABELS.astype(np.uint8).tobytes()
    )
    return folder


def as_csv(path: Path) -> Path:
    rows = [["label", *(f"pixel{n}" for n in range(64))]]
    rows += [[WORDS[label], *image.ravel()] for image, label in zip(PIXELS, LABELS, strict=True)]
    with (path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path / "in.csv"


def as_parquet(path: Path) -> Path:
    import pyarrow
    from pyarrow import parquet

    features = {"image": {"_type": "Image"}, "label": {"names": list(WORDS), "_type": "ClassLabel"}}
    images = [{"bytes": png(image), "path": f"{row:02}.png"} for row, image in enumerate(PIXELS)]
    table = pyarrow.table({"image": images, "label": LABELS.tolist()})
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    parquet.write_table(table.replace_schema_metadata(about), path / "in.parquet")
    return path / "in.parquet"


FORMS: dict[str, Callable[[Path], Path]] = {
    form.__name__: form for form in (as_folder, as_zip, as_tar, as_npz, as_floats, as_idx, as_csv, as_parquet)
}


def everything(name: str) -> dict[bytes, tuple[str, str]]:
    """Of a set: pixels -> class and id."""
    found = load_own(name)
    return {
        image.tobytes(): (found.classes[label], id)
        for split in (found.train, found.test)
        for image, label, id in zip(split.images, split.labels, split.ids, strict=True)
    }


@pytest.mark.parametrize("form", FORMS)
def test_every_form_comes_in_with_equal_images_ids_and_labels(form: str, tmp_path: Path) -> None:
    path = FORMS[form](tmp_path)
    known = bring_in(path, "pets", WISHES, "Pets ", "mine")
    assert (known["train"], known["test"], known["skipped"], known["copies"]) == (20, 4, 0, 0)
    found = everything("pets")
    assert len(found) == 24
    for row, image in enumerate(PIXELS):
        label, id = found[image.tobytes()]
        assert label == (str(LABELS[row]) if form in ("as_floats", "as_idx") else WORDS[LABELS[row]])
        assert str(row) in id
    dataset = aecore.load_dataset("pets")
    assert (dataset.title, dataset.source, dataset.shape) == ("Pets", "mine", (1, 8, 8))
    assert not dataset.train.images.flags.writeable
    assert np.bincount(dataset.test.labels).tolist() == [2, 2], "the same share of every class"


@pytest.mark.parametrize("form", FORMS)
def test_a_first_look_shows_what_would_come_and_keeps_nothing(form: str, tmp_path: Path, home: Path) -> None:
    seen = look(FORMS[form](tmp_path), WISHES)
    assert len(seen.shown) == 16
    assert (seen.read, seen.count or 24, seen.copies) == (24, 24, 0)
    assert seen.levels == (int(PIXELS.min()), int(PIXELS.max()))
    assert sorted(seen.classes.values()) == [12, 12]
    assert seen.suggested == Wishes(8, 1)
    assert all(picture.pixels.shape == (1, 8, 8) for _, picture in seen.shown)
    assert not home.exists()


def test_what_is_suggested_fits_photographs(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, (width, height) in enumerate([(80, 60), (70, 90), (200, 66), (33, 300)]):
        Image.fromarray(RNG.integers(0, 256, (height, width, 3), np.uint8)).resize((width, height)).save(
            folder / f"{number}.jpg"
        )
    Image.new("RGB", (64, 64), (220, 40, 40)).save(folder / "red.jpg")
    seen = look(folder)
    assert seen.suggested == Wishes(64, 3)
    assert seen.sizes == (33, 64, 70)
    assert (seen.shown[0][1].width, seen.shown[0][1].height) == (80, 60)


def test_bad_files_are_listed_and_never_stop_the_others(tmp_path: Path, home: Path) -> None:
    folder = as_folder(tmp_path)
    (folder / "cat" / "notes.txt").write_text("no picture")
    (folder / "cat" / "broken.png").write_bytes(b"\x89PNG broken")
    (folder / "cat" / "empty.jpg").write_bytes(b"")
    (folder / "=cmd()").mkdir()
    (folder / "=cmd()" / "half.png").write_bytes(files()["cat/00.png"][:60])
    (folder / "link.png").symlink_to("/etc/passwd")
    seen = look(folder, WISHES)
    known = bring_in(folder, "pets", WISHES)
    assert known["skipped"] == len(seen.skipped) == 5
    assert dict(seen.skipped)["cat/empty.jpg"] == "This file is empty."
    with (home / "datasets" / "pets" / "skipped.csv").open(newline="") as file:
        listed = dict(list(csv.reader(file))[1:])
    assert listed["'=cmd()/half.png"].startswith("This picture is incomplete or damaged")
    assert len(everything("pets")) == 24


def test_parts_that_the_source_names_are_kept_but_copies_never_stand_on_both_sides(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for part, rows in {"train": range(10), "val": range(8, 14)}.items():
        for row in rows:
            (folder / part / "a").mkdir(parents=True, exist_ok=True)
            (folder / part / "a" / f"{row}.png").write_bytes(png(PIXELS[row]))
    known = bring_in(folder, "parts", WISHES)
    found = load_own("parts")
    assert (known["train"], known["test"], known["copies"], found.classes) == (12, 4, 2, None)
    assert set(found.test.ids) == {f"val/a/{row}.png" for row in range(10, 14)}
    assert not {image.tobytes() for image in found.train.images} & {image.tobytes() for image in found.test.images}


def test_copies_stay_together_and_the_same_seed_holds_out_the_same(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.concatenate([PIXELS, PIXELS[::2]]))
    held_out = []
    for name, seed in {"one": 0, "two": 0, "three": 1}.items():
        known = bring_in(tmp_path / "in.npz", name, WISHES, seed=seed)
        found = load_own(name)
        assert known["copies"] == 12
        assert len(found.train) + len(found.test) == 36
        sides = [{image.tobytes() for image in split.images} for split in (found.train, found.test)]
        assert not sides[0] & sides[1]
        assert len(sides[1]) == 4
        held_out.append(sorted(found.test.ids))
    assert held_out[0] == held_out[1] != held_out[2]


def test_metadata_gives_the_classes(tmp_path: Path) -> None:
    for name, content in {f"{row}.png": png(image) for row, image in enumerate(PIXELS)}.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    rows = [{"file_name": f"{row}.png", "label": WORDS[label]} for row, label in enumerate(LABELS)]
    (tmp_path / "in" / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    bring_in(tmp_path / "in", "pets", WISHES)
    assert load_own("pets").classes == WORDS
    assert {id: label for label, id in everything("pets").values()} == {row["file_name"]: row["label"] for row in rows}


def test_the_original_stays_within_reach(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    levels = range(0, 240, 20)
    for level in levels:
        Image.new("L", (600, 300), level).save(tmp_path / "in" / f"{level}.png")
    bring_in(tmp_path / "in", "large", WISHES)
    for name in ("train", "test"):
        split = load_own("large").split(name)
        for row, id in enumerate(split.ids):
            original = Image.open(io.BytesIO(thumbnail("large", name, row)))
            assert original.size == (256, 128)
            assert abs(original.getpixel((9, 9)) - int(id.removesuffix(".png"))) <= 2
    assert thumbnail("large", "train", 99) is None
    assert thumbnail("large", "train", -1) is None
    assert thumbnail("../large", "train", 0) is None


def test_a_set_is_trained_on_like_any_other_and_deleted(tmp_path: Path) -> None:
    bring_in(as_zip(tmp_path), "pets", WISHES)
    run = aecore.Run("pets", aecore.models.Vanilla(latent=2), "shallow", epochs=1)
    checkpoint = [*aecore.train(run)][-1]
    aecore.Store().save(checkpoint)
    assert run.title.startswith("Pets")
    own.delete_own("pets")
    assert own.own_names() == []
    with pytest.raises(InputRejected, match="A set that is deleted was named pets"):
        bring_in(as_npz(tmp_path), "pets", WISHES)
    with pytest.raises(ValueError, match="dataset is 'pets'; choose one of"):
        aecore.load_dataset("pets")
    assert aecore.Store().load(run.id).run == run


@pytest.mark.parametrize("name", ["", "digits", "Pets", "../pets", "a" * 41, "pe ts", "pets\n", "é", "/etc", "."])
def test_names_that_are_no_names_are_refused(name: str, tmp_path: Path, home: Path) -> None:
    with pytest.raises(InputRejected):
        bring_in(as_npz(tmp_path), name, WISHES)
    assert not home.exists() or not [*home.rglob("*.npy")]


def test_a_name_that_is_taken_is_refused_and_nothing_is_lost(tmp_path: Path, home: Path) -> None:
    bring_in(as_npz(tmp_path), "pets", WISHES)
    with pytest.raises(InputRejected, match="There is a set named pets already"):
        bring_in(as_npz(tmp_path), "pets", WISHES)
    assert len(everything("pets")) == 24
    assert [path.name for path in (home / "datasets").iterdir()] == ["pets"]


def test_a_set_that_is_cut_off_is_never_taken_for_whole(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a full disk or a kill, at every file operation."""
    path, whole, fsync = as_zip(tmp_path), 0, os.fsync
    for deadly in range(1, 40):
        calls = 0

        def dying(*arguments: object, original: Callable = fsync, deadly: int = deadly) -> object:
            nonlocal calls
            calls += 1
            if calls == deadly:
                raise OSError(28, "No space left on device")
            return original(*arguments)

        monkeypatch.setattr(os, "fsync", dying)
        try:
            bring_in(path, "pets", WISHES)
            whole += 1
            break
        except OSError:
            if own.own_names():  # nothing was missing but that the disk says so
                whole += 1
                break
    assert whole
    assert len(everything("pets")) == 24
    (home / "datasets" / ".bringing-other-x").mkdir()
    (home / "datasets" / "half").mkdir()
    assert own.own_names() == ["pets"]


HOSTILE = {
    "objects": (lambda: npz(x=np.array([None, 1], object)), "never|type '.O'"),
    "words": (lambda: npz(x=np.array([["a", "b"]])), "words|square"),
    "too few": (lambda: npz(x=PIXELS[:1]), "All images are equal"),
    "equal": (lambda: npz(x=np.repeat(PIXELS[:1], 9, 0)), "All images are equal"),
    "not finite": (lambda: npz(x=np.full((3, 8, 8), np.nan)), "not finite"),
    "negative": (lambda: npz(x=PIXELS.astype(int) - 9), "must lie between"),
    "no name": (lambda: npz(z=PIXELS), "name the images x or images"),
    "labels": (lambda: npz(x=PIXELS, y=LABELS[:3]), "24 images, but 3 labels"),
    "five sides": (lambda: npz(x=np.zeros((2, 2, 2, 2, 2))), "one to four sides"),
    "no square": (lambda: npz(x=np.zeros((9, 7))), "no square images"),
    "no pictures": (lambda: ("in.zip", zipped({"a.txt": b"a"})), "no picture in this zip"),
    "no zip": (lambda: ("in.zip", b"no zip"), "not a readable zip"),
    "no tar": (lambda: ("in.tar.gz", b"no tar"), "damaged"),
    "no parquet": (lambda: ("in.parquet", b"PAR1" + bytes(99)), "damaged"),
    "ragged": (lambda: ("in.csv", b"1,2,3,4\n1,2,3\n"), "Row 1 has 3 cells|Row 2 has 3 cells"),
    "no number": (lambda: ("in.csv", b"1,2,3,4\n1,2,3,=cmd()\n"), "where a pixel should be"),
    "empty": (lambda: ("in.csv", b""), "rows"),
    "unknown": (lambda: ("in.exe", b"MZ"), "is not known"),
    "short idx": (lambda: ("in-ubyte", struct.pack(">4B3I", 0, 0, 8, 3, 9, 9, 9)), "has fewer"),
    "huge idx": (lambda: ("in-ubyte", struct.pack(">4B3I", 0, 0, 8, 3, *[2**32 - 1] * 3)), "the limit is|has fewer"),
}  # fmt: skip


def npz(**columns: np.ndarray) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    np.savez(buffer, **columns)
    return "in.npz", buffer.getvalue()


def zipped(content: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in content.items():
            archive.writestr(name, body)
    return buffer.getvalue()


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


def test_labels_and_ids_of_any_content_are_text(tmp_path: Path) -> None:
    names = ["<img src=x onerror=alert(1)>", "![x](http://a.b/c)", "=cmd()", "x" * 10_000, "a\u202eb", "a\tb"]
    wide = np.array([name[:900] for name in names])
    np.savez(tmp_path / "in.npz", x=PIXELS[:18], y=np.repeat(wide, 3))
    bring_in(tmp_path / "in.npz", "odd", WISHES)
    classes = load_own("odd").classes
    assert all(name.isprintable() and len(name) <= sources.LONGEST for name in classes)
    assert len(classes) == 5, "two differ by what cannot be seen"


def test_a_set_of_a_later_version_or_damaged_is_not_here(tmp_path: Path, home: Path) -> None:
    bring_in(as_npz(tmp_path), "pets", WISHES)
    folder = home / "datasets" / "pets"
    sound = (folder / "set.json").read_text()
    for damaged in (
        "",
        "[]",
        "{}",
        sound.replace('"version": 1', '"version": 2'),
        sound.replace('"side": 8', '"side": 9'),
    ):
        (folder / "set.json").write_text(damaged)
        with pytest.raises(aecore.data.Unavailable):
            load_own("pets")
    (folder / "set.json").write_text(sound)
    (folder / "test" / "images.npy").write_bytes(b"no array")
    with pytest.raises(aecore.data.Unavailable, match="damaged"):
        load_own("pets")
    assert about("pets")["title"] == "Pets"


def test_arrays_of_other_kinds_become_the_same_levels() -> None:
    for array in (PIXELS / 255, PIXELS.astype(np.uint16) * 257, PIXELS.astype(np.int64), PIXELS.astype(np.float32)):
        white = arrays.white_of(array)
        assert (sources._levels(array, white) == PIXELS).all()
    assert arrays.as_images(np.zeros((5, 3, 9, 9))).shape == (5, 9, 9, 3)
    assert arrays.as_images(np.zeros((5, 3072))).shape == (5, 32, 32, 3)
