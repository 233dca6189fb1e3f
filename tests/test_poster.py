"""Posters: what is asked of them, what they say where they cannot be drawn, and what of them is kept secret."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import aecore.poster
from aecore.__main__ import main
from aecore.poster import NoBrowser, browser, poster
from aecore.process import posters


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No browser and no server: the addresses that would be drawn."""
    addresses: list[str] = []

    @contextmanager
    def serving() -> Iterator[str]:
        yield "http://here"

    def one(address: str, form: str, dark: bool) -> bytes:
        addresses.append(f"{address} {form} {dark}")
        return b"a poster"

    def film(pages: list[str], dark: bool, progress: object) -> list[bytes]:
        addresses.extend(pages)
        return [_png(number) for number, _ in enumerate(pages)]

    monkeypatch.setattr(aecore.poster, "serving", serving)
    monkeypatch.setattr(aecore.poster, "poster", one)
    monkeypatch.setattr(aecore.poster, "film", film)
    monkeypatch.setattr(aecore.poster, "browser", lambda: "chromium")
    return addresses


def _png(gray: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (192, 108), 100 * gray).save(buffer, "PNG")
    return buffer.getvalue()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    with pytest.raises(NoBrowser, match="apt-get install chromium"):
        browser()
    monkeypatch.setattr(aecore.poster, "find_spec", lambda name: None)
    with pytest.raises(NoBrowser, match="pip install playwright"):
        browser()


@pytest.mark.parametrize("address", ["", "/lesson", "file:///etc/passwd", "javascript:alert(1)", "http:///x"])
def test_a_poster_is_of_a_page_of_a_server(address: str) -> None:
    with pytest.raises(ValueError, match="is not the address of a page"):
        poster(address)
    with pytest.raises(ValueError, match="form is 'pdf'; choose one of png, html"):
        poster(address, "pdf")


def test_a_path_is_drawn_by_a_server_of_its_own_and_an_address_by_that_one(drawn: list[str], tmp_path: Path) -> None:
    assert main(["poster", "/lesson?name=bottleneck", "--out", str(tmp_path / "a.png")]) == 0
    assert main(["poster", "http://there/search?k=3", "--out", str(tmp_path / "b.HTML"), "--dark"]) == 0
    assert drawn == ["http://here/lesson?name=bottleneck png False", "http://there/search?k=3 html True"]
    assert (tmp_path / "a.png").read_bytes() == b"a poster"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["/lesson", "--out", "a.pdf"], "let it end in .png, .html, .webp or .gif"),
        (["/nowhere", "--out", "a.png"], "this app has no page 'nowhere'; it has about, classify"),
        (["/lesson", "--out", "nowhere/a.png"], "there is no folder"),
        (["deck.txt", "--out", "a.webp"], "Line 2: this app has no page 'nowhere'"),
        (["missing.txt", "--out", "a.webp"], "missing.txt"),
        (["about.txt", "--out", "a.gif", "--seconds", "0"], "--seconds is 0; choose 0.05 to 60"),
    ],
)
def test_what_cannot_be_drawn_is_said_before_anything_starts(
    words: list[str], told: str, drawn: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: object
) -> None:
    (tmp_path / "deck.txt").write_text("/about\n/nowhere\n")
    (tmp_path / "about.txt").write_text("/about\n")
    monkeypatch.chdir(tmp_path)
    assert main(["poster", *words]) == 2
    assert told in capsys.readouterr().err
    assert not drawn


def test_a_deck_becomes_a_moving_picture_in_which_a_repeated_line_stays(drawn: list[str], tmp_path: Path) -> None:
    (tmp_path / "deck.txt").write_text("/about\n/about\n/search\n/about\n")
    out = tmp_path / "film.webp"
    assert main(["poster", str(tmp_path / "deck.txt"), "--out", str(out), "--seconds", "0.2", "--json"]) == 0
    assert drawn == ["http://here/about", "http://here/search", "http://here/about"]
    times = []
    with Image.open(out) as film:
        assert film.size == (960, 540)
        for frame in range(film.n_frames):
            film.seek(frame)
            film.load()
            times.append(film.info["duration"])
    assert times == [400, 200, 200]


def test_the_secret_of_who_asks_is_read_once_and_gone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(posters, "poster", lambda *asked: seen.append(asked[:4]) or b"bytes")
    asked = posters.order("http://127.0.0.1:1/about", "png", True, {"aecore-visitor": "secret"})
    (folder,) = (home / "posters").iterdir()
    assert folder.stat().st_mode & 0o077 == folder.parent.stat().st_mode & 0o077 == 0
    assert "secret" not in json.dumps([asked.name, *asked.arguments])
    np.testing.assert_array_equal(asked.compute()[0], np.frombuffer(b"bytes", np.uint8))
    assert seen == [("http://127.0.0.1:1/about", "png", True, {"aecore-visitor": "secret"})]
    assert not folder.exists()
    with pytest.raises(ValueError, match="ask again"):
        posters.drawn_poster(folder.name).find()
    with pytest.raises(ValueError, match="there is no poster"):
        posters.drawn_poster("../../etc").find()
