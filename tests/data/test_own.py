"""Sets of one's own: every form comes in with equal images, ids and labels, and what was brought in stays whole."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forms import FORMS, LABELS, PIXELS, RNG, WISHES, WORDS, as_folder, as_npz, as_zip, files, png, zipped
from PIL import Image

import aecore
from aecore.data import intake, originals, own, sources
from aecore.data.intake import bring_in, extend, look
from aecore.data.originals import thumbnail
from aecore.data.own import Wishes, about, load_own
from aecore.data.pictures import InputRejected


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AECORE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


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
    with (own.arrays_of("pets") / "skipped.csv").open(newline="") as file:
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


def test_the_file_of_an_image_is_found_where_the_owner_has_it(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "cats").mkdir(parents=True)
    for level in range(0, 240, 20):
        Image.new("L", (600, 300), level).save(folder / "cats" / f"{level}.png")
    bring_in(folder, "kept", WISHES)
    bring_in(folder, "foreign", WISHES, owner="f" * 32)
    for row, id in enumerate(load_own("kept").train.ids):
        assert originals.packed("kept", "train", row) == ((folder / id).read_bytes(), ".png")
        assert Image.open(io.BytesIO(originals.large("kept", "train", row))).size == (600, 300)
        content, suffix = originals.packed("foreign", "train", row)
        assert (Image.open(io.BytesIO(content)).size, suffix) == ((256, 128), ".jpg"), "a visitor names no folder here"
    id = load_own("kept").train.ids[0]
    (folder / id).unlink()
    assert originals.packed("kept", "train", 0) == (thumbnail("kept", "train", 0), ".jpg")
    (folder / id).symlink_to("/etc/hostname")
    assert originals.file("kept", "train", 0) is None, "not what lies elsewhere"
    (folder / id).unlink()
    (folder / id).write_bytes(b"no picture")
    assert originals.large("kept", "train", 0) == thumbnail("kept", "train", 0)

    more = tmp_path / "more"
    more.mkdir()
    Image.new("L", (500, 500), 9).save(more / "new.png")
    extend("kept", more)
    found = load_own("kept")
    (new,) = [(part, list(found.split(part).ids).index("new.png")) for part in ("train", "test")
              if "new.png" in found.split(part).ids]  # fmt: skip
    assert originals.file("kept", *new) == more / "new.png"
    assert originals.file("kept", "train", 1) == folder / found.train.ids[1]


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
    (folder / "1" / "test" / "images.npy").write_bytes(b"no array")
    with pytest.raises(aecore.data.Unavailable, match="damaged"):
        load_own("pets")
    assert about("pets")["title"] == "Pets"


def place_of(name: str) -> dict[str, tuple[str, int]]:
    """Of a set: id -> its split and row."""
    found = load_own(name)
    return {str(id): (part, row) for part in ("train", "test") for row, id in enumerate(found.split(part).ids)}


def test_a_set_is_extended_and_what_it_had_stays(tmp_path: Path, home: Path) -> None:
    first = bring_in(as_folder(tmp_path), "pets", WISHES, owner="somebody")
    before, places = everything("pets"), place_of("pets")
    opened_before = load_own("pets")
    more = tmp_path / "more"
    for folder in ("cat", "dog", "eel", "ant"):
        (more / folder).mkdir(parents=True)
    later = RNG.integers(0, 256, (30, 8, 8), np.uint8)
    for row, image in enumerate(later):
        (more / ("eel", "ant", "dog")[row % 3] / f"new{row}.png").write_bytes(png(image))
    (more / "cat" / "00.png").write_bytes(files()["cat/00.png"])  # it has this one already
    (more / "cat" / "01.png").write_bytes(png(later[0]))  # another image under an id that is taken?
    copies = {
        id: png(image)
        for image, (_, id) in ((np.frombuffer(key, np.uint8).reshape(8, 8), value) for key, value in before.items())
    }
    for number, content in enumerate(copies.values()):
        (more / "dog" / f"copy{number}.png").write_bytes(content)
    (more / "dog" / "bad.png").write_bytes(b"bad")
    known = extend("pets", more)
    assert known == about("pets")
    assert known["revision"] == own.revision("pets") == 2
    assert known["classes"] == [*first["classes"], "ant", "eel"]
    assert known["train"] + known["test"] == 24 + 30 + 1 + 24
    assert (known["skipped"], known["copies"]) == (1, 24 + 1)
    after = place_of("pets")
    assert {id: after[id] for id in places} == places, "rows and ids stay"
    found = load_own("pets")
    sides = [{image.tobytes() for image in found.split(part).images} for part in ("train", "test")]
    assert not sides[0] & sides[1], "copies are on one side"
    assert set(before) < sides[0] | sides[1]
    for image, (label, _) in before.items():
        assert everything("pets")[image][0] in (label, "dog")
    assert len(opened_before.train) == first["train"], "who has it open keeps what he opened"
    assert np.asarray(opened_before.train.images).sum()
    assert own.owner_of("pets") == "somebody"
    with pytest.raises(InputRejected, match="all of these images already"):
        extend("pets", more)
    assert sorted(path.name for path in (home / "datasets" / "pets").iterdir() if path.name[0] != ".") == [
        "2",
        "owner",
        "set.json",
    ]


def test_portions_in_which_images_are_added_do_not_matter(tmp_path: Path) -> None:
    """Of many images that are added one by one as many are held out as of all at once."""
    images = np.random.default_rng(5).integers(0, 256, (300, 8, 8), np.uint8)
    for name, size in (("once", 300), ("often", 100)):
        np.savez(tmp_path / "in.npz", x=PIXELS)
        bring_in(tmp_path / "in.npz", name, WISHES)
        for start in range(0, 300, size):
            path = tmp_path / f"part{start}-{size}.npz"
            np.savez(path, x=images[start : start + size])
            extend(name, path)
    held_out = [{image.tobytes() for image in load_own(name).test.images} for name in ("once", "often")]
    assert held_out[0] == held_out[1]
    assert 30 < len(held_out[0]) < 80


def test_nothing_is_lost_when_a_set_cannot_be_extended(tmp_path: Path, home: Path) -> None:
    bring_in(as_folder(tmp_path), "pets", WISHES)
    before = everything("pets")
    np.savez(tmp_path / "in.npz", x=RNG.integers(0, 256, (4, 8, 8), np.uint8))
    with pytest.raises(InputRejected, match="have classes, and some of these have none"):
        extend("pets", tmp_path / "in.npz")
    (tmp_path / "bad.zip").write_bytes(zipped({"a.png": b"bad"}))
    with pytest.raises(InputRejected, match="Not one image"):
        extend("pets", tmp_path / "bad.zip")
    (home / "datasets" / "pets" / "2").mkdir()  # a process died between two steps
    (home / "datasets" / "pets" / "2" / "left").touch()
    assert everything("pets") == before
    np.savez(tmp_path / "in.npz", x=RNG.integers(0, 256, (4, 8, 8), np.uint8), y=np.array(["cat"] * 4))
    assert extend("pets", tmp_path / "in.npz")["revision"] == 2
    assert len(everything("pets")) == 28


def test_who_adds_right_after_another_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one ends in the moment before the set is this one's alone."""
    bring_in(as_folder(tmp_path), "pets", WISHES)
    parts = [tmp_path / "first.npz", tmp_path / "second.npz"]
    for path in parts:
        np.savez(path, x=RNG.integers(0, 256, (4, 8, 8), np.uint8), y=np.array(["cat"] * 4))
    lock = intake.FileLock

    def locked(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(intake, "FileLock", lock)
        extend("pets", parts[0])
        return lock(*arguments, **options)

    monkeypatch.setattr(intake, "FileLock", locked)
    assert extend("pets", parts[1])["revision"] == 3
    assert len(everything("pets")) == 32


def test_pictures_of_too_many_pixels_in_all_are_refused(tmp_path: Path, home: Path) -> None:
    """A small zip of large pictures of one color would hold a processor for a quarter of an hour."""
    content = {f"{number}.png": png(np.zeros((200, 300), np.uint8)) for number in range(5)}
    (tmp_path / "in.zip").write_bytes(zipped(content))
    assert look(tmp_path / "in.zip", bounds=sources.Bounds(pixels=300_000)).read == 5
    for act in (look, lambda path, bounds: bring_in(path, "pets", WISHES, bounds=bounds)):
        with pytest.raises(InputRejected, match=r"more than 0 megapixels in all; split them"):
            act(tmp_path / "in.zip", bounds=sources.Bounds(pixels=299_999))
    assert not own.own_names()


def test_a_set_that_is_deleted_while_images_are_added_says_so(tmp_path: Path, home: Path) -> None:
    bring_in(as_folder(tmp_path), "pets", WISHES)
    np.savez(tmp_path / "in.npz", x=RNG.integers(0, 256, (4, 8, 8), np.uint8), y=np.array(["cat"] * 4))
    with pytest.raises(InputRejected, match="The set was deleted meanwhile; bring these images in as a new one"):
        extend("pets", tmp_path / "in.npz", progress=lambda done, of: own.delete_own("pets") if not done else None)
    assert not [path for path in (home / "datasets").glob("[!.]*") if path.is_dir()]


def test_a_training_that_was_cut_goes_on_when_images_were_added(tmp_path: Path) -> None:
    bring_in(as_folder(tmp_path), "pets", WISHES)
    run = aecore.Run("pets", aecore.models.Vanilla(latent=2), "shallow", epochs=3, batch_size=8)
    cut = next(checkpoint for checkpoint in aecore.train(run) if checkpoint.step == 4)
    np.savez(tmp_path / "in.npz", x=RNG.integers(0, 256, (40, 8, 8), np.uint8), y=np.repeat(WORDS, 20))
    extend("pets", tmp_path / "in.npz")
    last = [*aecore.train(run, resume=cut)][-1]
    assert last.done
    assert last.steps == 3 * -(-len(load_own("pets").train) // 8)


def test_figures_of_a_run_do_not_hold_for_a_set_that_was_extended(tmp_path: Path) -> None:
    from aecore.measure.evaluate import measured

    bring_in(as_folder(tmp_path), "pets", WISHES)
    run, store = aecore.Run("pets", aecore.models.Vanilla(latent=2), "shallow", epochs=1), aecore.Store()
    store.save([*aecore.train(run)][-1])
    state = store.state(run.id)
    (store.path(run.id) / "evaluation.json").write_text(
        json.dumps({"run": run.id, "stamp": state, "versions": {}, "parts": {}})
    )
    assert measured(store, run.id)
    np.savez(tmp_path / "in.npz", x=RNG.integers(0, 256, (4, 8, 8), np.uint8), y=np.repeat(WORDS, 2))
    extend("pets", tmp_path / "in.npz")
    assert store.state(run.id) != state
    assert not measured(store, run.id)
