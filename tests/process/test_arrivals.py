"""Images on their way in: looked at and kept by tasks, in bounds for visitors, and forgotten when nobody keeps them."""

import io
import json
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import aecore
from aecore.data import own
from aecore.data.own import Wishes
from aecore.data.pictures import InputRejected
from aecore.process import arrivals

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 10, 8, 3), np.uint8)


def packed() -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for row, image in enumerate(PIXELS):
            picture = io.BytesIO()
            Image.fromarray(image).save(picture, "PNG")
            archive.writestr(f"{'ab'[row % 2]}/{row}.png", picture.getvalue())
        archive.writestr("a/notes.txt", b"no picture")
    buffer.seek(0)
    return buffer


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AECORE_HOME", str(tmp_path))
    return tmp_path


def test_what_arrives_is_looked_at_and_kept(home: Path) -> None:
    key = arrivals.receive([("../../pets.zip", packed())])
    assert {path.name for path in (home / "arrivals" / key / "files").iterdir()} == {"pets.zip"}
    assert arrivals.called(key) == "Pets"
    seen = arrivals.seen(arrivals.first_look(key, None).compute())
    assert (seen.read, seen.count, seen.suggested) == (12, 12, Wishes(8, 3))
    assert seen.skipped == [("a/notes.txt", "Not a picture file, judging by its name.")]
    assert seen.classes == {"a": 6, "b": 6}
    names = {id: picture for id, picture in seen.shown}
    assert (names["a/0.png"].width, names["a/0.png"].height) == (8, 10)
    assert Image.open(io.BytesIO(names["b/3.png"].thumbnail)).size == (8, 10)
    other = arrivals.seen(arrivals.first_look(key, Wishes(16, 1, "crop")).compute())
    assert other.shown[0][1].pixels.shape == (1, 16, 16)
    known = json.loads(arrivals.keeping(key, "pets", Wishes(16, 1, "crop"), "My pets", "mine").compute()[0].tobytes())
    assert (known["title"], known["train"] + known["test"], known["skipped"]) == ("My pets", 12, 1)
    assert aecore.load_dataset("pets").shape == (1, 16, 16)
    assert not [*(home / "arrivals").iterdir()], "what is kept needs no second copy"
    assert own.owner_of("pets") == ""


def test_a_folder_of_this_machine_is_named_and_stays(home: Path) -> None:
    folder = home / "pictures"
    folder.mkdir()
    for row, image in enumerate(PIXELS):
        Image.fromarray(image).save(folder / f"{row}.png")
    key = arrivals.point_at(f' "{folder}" ')
    arrivals.keeping(key, "pets", Wishes(8, 3), "", "").compute()
    assert len([*folder.iterdir()]) == 12
    assert np.unique([*aecore.load_dataset("pets").train.ids]).size == len(aecore.load_dataset("pets").train)
    for path in ("", "  ", "/no/such/folder"):
        with pytest.raises(InputRejected, match="There is no file or folder"):
            arrivals.point_at(path)


def test_visitors_have_limits_and_own_what_they_bring(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_MAX_SETS", "1")
    key = arrivals.receive([("pets.zip", packed())], "me")
    arrivals.keeping(key, "pets", Wishes(8, 3), "", "").compute()
    assert own.owner_of("pets") == "me"
    assert (own.own_names("me"), own.own_names("you"), own.own_names()) == (["pets"], [], ["pets"])
    key = arrivals.receive([("pets.zip", packed())], "me")
    with pytest.raises(ValueError, match=r"2 datasets kept by one visitor; this server allows 1 \(AECORE_MAX_SETS\)"):
        arrivals.keeping(key, "more", Wishes(8, 3), "", "")
    key = arrivals.receive([("pets.zip", packed())], "you")
    monkeypatch.setenv("AECORE_MAX_IMAGES", "5")
    with pytest.raises(InputRejected, match="limit is 5"):
        arrivals.first_look(key, Wishes(8, 3)).compute()
    monkeypatch.setenv("AECORE_MAX_MB", "0.001")
    with pytest.raises(ValueError, match="AECORE_MAX_MB"):
        arrivals.receive([("pets.zip", packed())], "you")


def test_what_waits_to_be_kept_counts_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def file(kilobytes: int) -> list[tuple[str, io.BytesIO]]:
        return [("some.npy", io.BytesIO(bytes(1000 * kilobytes)))]

    monkeypatch.setenv("AECORE_MAX_MB", "0.3")
    monkeypatch.setenv("AECORE_MAX_ALL_MB", "0.5")
    key = arrivals.receive(file(200), "ann")
    with pytest.raises(ValueError, match="AECORE_MAX_MB"):
        arrivals.receive(file(200), "ann")
    arrivals.receive(file(200), "ben")
    with pytest.raises(ValueError, match="AECORE_MAX_ALL_MB"):
        arrivals.receive(file(200), "cem")
    arrivals.receive(file(900))
    assert len([*(home / "arrivals").iterdir()]) == 3, "what is refused leaves nothing"
    arrivals.throw_away(key)
    arrivals.receive(file(200), "cem")


def test_what_nobody_keeps_is_deleted(home: Path) -> None:
    old = arrivals.receive([("pets.zip", packed())])
    thrown = arrivals.receive([("pets.zip", packed())])
    arrivals.throw_away(thrown)
    arrivals.throw_away("../" + thrown)
    os.utime(home / "arrivals" / old, (time.time() - 90_000,) * 2)
    new = arrivals.receive([("a.png", io.BytesIO(b"x")), ("a.png", io.BytesIO(b"y")), ("...", io.BytesIO(b"z"))])
    assert [path.name for path in (home / "arrivals").iterdir()] == [new]
    assert len([*(home / "arrivals" / new / "files").iterdir()]) == 3
    for key in (old, thrown, "..", ""):
        with pytest.raises(InputRejected, match="no longer here"):
            arrivals.first_look(key, Wishes()).compute()


def test_a_name_is_made_from_the_title_and_for_visitors_not_guessed() -> None:
    assert arrivals.free_name("My Pets!") == "my_pets"
    assert arrivals.free_name("Digits") == "digits_2"
    assert arrivals.free_name("日本") == "images"
    assert len({arrivals.free_name("pets", secret=True) for _ in range(9)}) == 9
