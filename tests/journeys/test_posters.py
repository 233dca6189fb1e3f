"""Posters as a visitor asks for them, as they come out, and what the browser that draws them may load."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from conftest import Server, texts, visit
from PIL import Image
from playwright.sync_api import Page, expect

from aecore.poster import HEIGHT, WIDTH, NoBrowser, _file, _looking, _open, _picture, _settle, serving
from aecore.process import posters, tasks


@pytest.fixture
def aside() -> ThreadPoolExecutor:
    """A thread: in that of the tests, Playwright is at work already."""
    with ThreadPoolExecutor(1) as thread:
        yield thread


HOLD = """
if (!sessionStorage.held) {
  sessionStorage.held = "once";
  const [made, held] = [createImageBitmap, new Promise((done) => (window.release = done))];
  window.createImageBitmap = async (...all) => (await held, made(...all));
}
"""
"""The images of a map are on their way until one lets them go."""
WHAT_IS_LAST = """async () => {
  for (;;) {
    const why = await aecorePoster.drawn(0.3);
    if (!why || why.includes("component")) return why;
  }
}"""


def no_browser() -> None:
    raise NoBrowser("a poster needs Chromium")


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process of a task would do is done here, or not at all; there seems to be a browser."""
    monkeypatch.setattr(tasks, "start", lambda *words: os.getpid())
    monkeypatch.setattr("pages.acts.poster.browser", lambda: "chromium")


@pytest.mark.parametrize("public", [False, True])
def test_the_page_in_front_is_drawn_for_who_asks(
    home: Path, no_work: None, monkeypatch: pytest.MonkeyPatch, public: bool
) -> None:
    monkeypatch.setenv("AECORE_PUBLIC", str(int(public)))
    seen = []
    monkeypatch.setattr(posters, "poster", lambda *asked: seen.append(asked) or b"a picture")
    app = visit("lesson", name="bottleneck", step="2", present="1")
    assert not app.get("download_button")
    app.button(key="poster-png").click().run()
    assert app.button(key="leave-drawn_poster").label == "Cancel"
    (task,) = app.session_state["tasks"].values()
    task.compute()
    app.run()
    (button,) = app.get("download_button")
    assert button.label == "Download lesson-bottleneck-2.png"
    ((address, form, dark, cookies, _),) = seen
    assert (address, form, dark) == ("http://127.0.0.1:8501/lesson?name=bottleneck&step=2", "png", False)
    assert cookies == ({"aecore-poster": "1", "aecore-visitor": app.session_state["visitor-token"]} if public else {})


def test_a_poster_can_be_cancelled_and_says_what_it_cannot_show(
    home: Path, no_work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = visit("about", present="1")
    app.button(key="poster-html").click().run()
    app.button(key="leave-drawn_poster").click().run()
    assert not [button for button in app.button if button.label in ("Cancel", "Compute")]
    assert "cannot be on a poster" in texts(visit("search", present="1", source="drawing"))
    monkeypatch.setattr("pages.acts.poster.browser", no_browser)
    assert "A poster needs Chromium." in texts(app.run())


@pytest.mark.browser
def test_a_file_opens_without_a_server_and_only_the_app_is_asked(
    aside: ThreadPoolExecutor, server: Server, page: Page, tmp_path: Path
) -> None:
    file, address = tmp_path / "poster.html", f"{server.url}/lesson?name=walking&step=2"

    def draw() -> list[str]:
        with _looking(address, False, {}) as page:
            page.add_init_script(HOLD)
            page.goto(f"{address}&present=1")
            page.wait_for_selector(".latent-map[data-ready]")
            assert page.evaluate(WHAT_IS_LAST) == "a component is still drawing"
            page.evaluate("release()")
            _settle(page)
            ask = "url => fetch(url, {mode: 'no-cors'}).then(() => 'came', () => 'refused')"
            places = (server.url, server.url.replace("127.0.0.1", "localhost"))
            found = [page.evaluate(ask, f"{place}/_stcore/health") for place in places]
            file.write_bytes(_file(page, address))
            _open(page, address)
            with Image.open(BytesIO(_picture(page))) as picture:
                assert picture.size == (WIDTH, HEIGHT)
            return found

    assert aside.submit(draw).result() == ["came", "refused"]
    assert "<script" not in file.read_text(encoding="utf-8")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", name="Does the path leave the real images?")).to_be_visible()
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    picture = page.locator(".latent-map-stage img")
    assert len(Image.open(BytesIO(picture.screenshot())).convert("L").getcolors()) > 20


def test_a_server_is_started_for_a_poster_and_stopped(home: Path) -> None:
    with serving() as address:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        assert urlopen(f"{address}/_stcore/health").read() == b"ok"
    with pytest.raises(URLError):
        urlopen(f"{address}/_stcore/health", timeout=1)
