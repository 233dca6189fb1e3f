"""Where the disk is full, memory is scarce, or an address leads to nothing: every act says so, every page opens."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from conftest import Server, rarely, settle, texts, visit
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

import aecore
from aecore import files
from aecore.process import visitors
from aecore.process.jobs import Job, tell
from pages import _memory
from pages.acts import live

WORDS = {
    errno.ENOSPC: "The disk is full; free some space",
    errno.EROFS: "The folder for all that is saved cannot be written",
}


@pytest.fixture(params=WORDS, ids=errno.errorcode.get)
def refused(request: pytest.FixtureRequest, home_with_runs: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """From here on nothing can be written; what the page has to say then."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    for name in ("_write", "os.replace", "Path.mkdir", "Path.touch"):
        monkeypatch.setattr(f"aecore.files.{name}", refuse)
    return WORDS[request.param]


def _press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def _train(run: str) -> AppTest:
    return _press(visit("train", dataset="digits", network="shallow"), "Train")


def _new_seed(run: str) -> AppTest:
    return _press(visit("train", run=run), "New seed")


def _measure(run: str) -> AppTest:
    return _press(visit("classify", run=run), "Measure it")


def _tag(run: str) -> AppTest:
    app = visit("manifold", run=run, tool="selection", area="-99,-99,99,-99,99,99,-99,99")
    app.text_input(key="tag-word").set_value("odd")
    return _press(app, "Tag them")


def _filters(run: str) -> AppTest:
    return visit("denoise", run=run, act="levels", noise="masking")


def _whole_set(run: str) -> AppTest:
    app = visit("denoise", run=run, act="set")
    app.file_uploader(key="set").set_value([("a.png", b"anything", "image/png")]).run()
    return app.button(key="repair-all").click().run()


def _bring_images(run: str) -> AppTest:
    app = visit("images")
    return app.file_uploader[0].set_value([("a.png", b"anything", "image/png")]).run()


@pytest.mark.parametrize(
    "act", [_train, _new_seed, _measure, _tag, _filters, _whole_set, _bring_images], ids=lambda act: act.__name__[1:]
)
def test_an_act_that_cannot_be_saved_says_so(act: Callable[[str], AppTest], refused: str) -> None:
    run = next(id for id in aecore.Store().ids() if id.startswith("digits-vae"))
    app = act(run)
    if "toast" in app.session_state:  # the next look of the fragment draws the page again
        app.run()
    assert not app.exception
    assert refused in "\n".join([texts(app), *(toast.value for toast in app.toast)])


@pytest.mark.parametrize("page", ["home", "train", "manifold", "denoise", "search", "classify", "images", "about"])
def test_every_page_opens_where_nothing_can_be_written(page: str, refused: str) -> None:
    visit(page)


@pytest.mark.parametrize(("scarce", "own", "computed"), [(False, 900, 1), (True, 400, 1), (True, 900, 2)])
def test_where_memory_is_scarce_and_caches_are_large_they_are_forgotten(
    scarce: bool, own: float, computed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    st.cache_resource.clear()
    done: list[int] = []
    large = st.cache_resource(lambda: done.append(1))
    monkeypatch.setattr(_memory, "scarce", lambda: scarce)
    monkeypatch.setattr(_memory, "own", lambda: own)
    large()
    _memory.make_room()
    large()
    assert len(done) == computed


@pytest.mark.parametrize(("own", "begins"), [(900.0, True), (400.0, False)])
def test_a_training_begins_where_the_caches_hold_the_memory_that_it_lacks(
    own: float, begins: bool, home_with_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[bool] = []
    monkeypatch.setattr(_memory, "own", lambda: own)
    monkeypatch.setattr(_memory, "forget", lambda: forgotten.append(True))
    monkeypatch.setattr(visitors, "free", lambda: 500.0 if forgotten else 50.0)
    monkeypatch.setattr(Job, "start", lambda job: None)
    app = _train("")
    assert bool(forgotten) == begins
    assert ("MB are free here: choose a smaller" in texts(app)) != begins


@pytest.mark.browser
@pytest.mark.parametrize("page", ["search", *map(rarely, ("manifold", "denoise", "train"))])
def test_who_comes_first_to_a_run_that_is_gone_sees_another_one(page: str, browser: Browser, server: Server) -> None:
    """A visitor without a cookie: the page learns who they are and picks a run in the same moment."""
    context = browser.new_context(base_url=server.url)
    tab = context.new_page()
    tab.goto(f"/{page}?run=digits-vae-deadbeef")
    expect(tab.get_by_text("This server has no run")).to_be_visible()
    settle(tab)
    expect(tab.get_by_role("heading", name=page.capitalize(), exact=True)).to_be_visible()
    expect(tab.locator(".st-key-run input")).not_to_have_value("")
    context.close()


def test_other_errors_of_the_system_are_no_want_of_space(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.write_file(tmp_path / "nowhere" / "file", b"")


def test_a_training_without_news_is_flagged(home_with_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reports do not get through, and neither do orders."""
    run = aecore.Store().ids()[0]
    job = Job(aecore.Store().path(run))
    monkeypatch.setattr(Job, "alive", True)
    tell(job.folder, {"state": "running", "step": 1, "steps": 9, "epoch": 0.1, "epochs": 1})
    assert "No news" not in texts(visit("train", run=run))
    monkeypatch.setattr(live, "SILENT", -1.0)
    assert "No news from it for" in texts(visit("train", run=run))
