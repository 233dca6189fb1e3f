"""A disk that is full, or may not be written: every act says so in a sentence, and every page still opens."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import texts, visit
from streamlit.testing.v1 import AppTest

import aecore
from aecore import files
from aecore.process.jobs import Job, tell
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
