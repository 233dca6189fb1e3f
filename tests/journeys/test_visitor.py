"""Whose run it is: everybody's on a laptop, the starter's on a public page."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import texts, visit
from streamlit.testing.v1 import AppTest

import aecore
from aecore.manifold import plane
from aecore.process.jobs import Job
from aecore.process.limits import LIMITS
from aecore.recipes import opening_settings
from pages import _cached, _visitor

STEER = {"Resume", "Train again", "New seed", "Rename", "Delete"}


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_PUBLIC", "1")


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


HERE = {"Host": "localhost:8501"}


@pytest.mark.parametrize(
    ("ip", "headers", "expected"),
    [
        (None, {}, True),
        (None, HERE, True),
        (None, {"Host": "127.0.0.1:8501"}, True),
        ("::ffff:127.0.0.1", {"Host": "[::1]:8501"}, True),
        ("127.0.0.2", HERE, True),
        ("192.0.2.7", HERE, False),
        ("2001:db8::7", HERE, False),
        ("nonsense", HERE, False),
        (None, {"Host": "rebound.example:8501"}, False),
        (None, {"Host": "192.0.2.7"}, False),
        (None, HERE | {"Cookie": "a=b; aecore-poster=1"}, False),
        *((None, HERE | {name: "127.0.0.1"}, False) for name in _visitor.FORWARDED),
    ],
)
def test_the_owner_is_at_this_machine_and_nobody_asks_through_it(
    ip: str | None, headers: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = SimpleNamespace(ip_address=ip, headers=headers)
    monkeypatch.setattr(_visitor.st, "context", context)
    assert _visitor.owner() is expected


@pytest.mark.parametrize("name", ["AECORE_PUBLIC", "SPACE_ID"])
def test_on_a_public_server_nobody_is_the_owner(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert not _visitor.owner()


def test_behind_a_socket_in_a_file_nobody_is_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_visitor.st, "get_option", {"server.address": "unix:///run/app"}.get)
    assert not _visitor.owner()


def test_on_a_laptop_every_run_may_be_steered(home_with_runs: Path, digits_runs: list[aecore.Checkpoint]) -> None:
    app = visit("train", run=digits_runs[0].run.id)
    assert labels(app) >= STEER - {"Resume"}


def test_a_server_says_who_you_are_and_what_it_allows(
    home_with_runs: Path, digits_runs: list[aecore.Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "You are its owner" in texts(visit("about"))
    Job(home_with_runs / "runs" / digits_runs[0].run.id).claim("me")
    monkeypatch.setenv("AECORE_PUBLIC", "1")
    monkeypatch.setenv("AECORE_MAX_RUNS", "3")
    app = visit("about")
    app.session_state["visitor-token"] = "me"
    app.run()
    assert "You are a visitor. You own 1 run of 2 here" in texts(app)
    assert "This is a public server" in texts(app)
    shown = app.table[0].value.set_index("set by")
    assert shown.loc["AECORE_MAX_RUNS", "at most"] == "3"
    assert len(shown) == len(LIMITS)
    monkeypatch.setenv("AECORE_MAX_RUNS", "many")
    assert "AECORE_MAX_RUNS is 'many'" in visit("about").error[0].value


def test_training_again_asks_before_it_deletes(
    home_with_runs: Path, digits_runs: list[aecore.Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Job, "ask", lambda _, order: asked.append(order))
    app = visit("train", run=digits_runs[0].run.id)
    app.button(key="order-restart").click().run()
    assert asked == []
    app.button(key="restart-now").click().run()
    assert asked == ["restart"]


def test_a_stranger_may_watch_but_not_steer(
    home_with_runs: Path, digits_runs: list[aecore.Checkpoint], public: None
) -> None:
    run = digits_runs[0].run.id
    Job(home_with_runs / "runs" / run).claim("somebody")
    app = visit("train", run=run)
    assert "Somebody else started this training" in texts(app)
    assert not labels(app) & STEER


def test_the_owner_is_no_stranger_and_sees_their_runs_first(
    home_with_runs: Path, digits_runs: list[aecore.Checkpoint], public: None
) -> None:
    mine, other = (checkpoint.run.id for checkpoint in digits_runs)
    folder = home_with_runs / "runs"
    Job(folder / mine).claim("me")
    os.utime(folder / other)  # newer
    app = visit("train", run=mine)
    assert app.selectbox(key="run").options[0] == digits_runs[1].run.title
    app.session_state["visitor-token"] = "me"
    app.run()
    assert labels(app) >= STEER - {"Resume"}
    assert app.selectbox(key="run").options[0] == digits_runs[0].run.title


def test_a_name_is_shown_to_who_gave_it(
    home_with_runs: Path, digits_runs: list[aecore.Checkpoint], public: None
) -> None:
    run = digits_runs[0].run.id
    folder = home_with_runs / "runs" / run
    Job(folder).claim("me")
    app = visit("train", run=run)
    app.session_state["visitor-token"] = "me"
    app.run()
    app.button(key="rename").click().run()
    app.text_input(key="run-name").set_value("**My** $clothes$")
    app.button(key="save-name").click().run()
    assert "**My** $clothes$" in app.selectbox(key="run").options
    assert "**My** $clothes$" in list(app.dataframe[0].value["run"])
    stranger = visit("train", run=run)
    assert digits_runs[0].run.title in stranger.selectbox(key="run").options
    assert "**My** $clothes$" not in stranger.selectbox(key="run").options


def test_settings_that_another_visitor_trains_are_shown_not_started(
    home: Path, public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Job, "ask", lambda _, order: asked.append(order))
    settings = aecore.Run("digits", aecore.models.Vanilla(), **opening_settings(1437, aecore.models.Vanilla))
    Job(aecore.Store(home / "runs").create(settings)).claim("somebody")
    app = visit("train", dataset="digits", flavor="vanilla")
    next(button for button in app.button if button.label == "Train").click().run()
    assert not app.exception
    assert asked == []
    assert "choose another seed" in app.toast[0].value
    assert app.selectbox(key="run").value == settings.id


@pytest.mark.parametrize("name", ["AECORE_MAX_EPOCHS", "AECORE_MAX_RUNS"])
def test_a_limit_is_named_when_it_is_hit(
    name: str, home_with_runs: Path, public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "0.5")
    asked: list[str] = []
    monkeypatch.setattr(Job, "ask", lambda _, order: asked.append(order))
    app = visit("train", dataset="digits", flavor="sparse")
    next(button for button in app.button if button.label == "Train").click().run()
    assert name in app.error[0].value
    assert asked == []
    assert len(list((home_with_runs / "runs").iterdir())) == 2


def test_a_recipe_beyond_a_limit_says_so(home: Path, public: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_MAX_EPOCHS", "1")
    app = AppTest.from_function(_press_start).run()
    assert not app.exception
    assert "AECORE_MAX_EPOCHS" in app.error[0].value


def _press_start() -> None:
    from pages._widgets import start

    start("blocks-map")


def test_every_flavor_says_what_to_watch(home: Path) -> None:
    for name, flavor in aecore.FLAVORS.items():
        app = visit("train", dataset="digits", flavor=name)
        assert [item.value.strip("$\n ") for item in app.latex] == [flavor.formula]
        assert flavor.watch in texts(app)


def test_a_shipped_run_can_be_trained_here_but_not_touched(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(Job, "ask", lambda job, _: asked.append(job.folder))
    run = aecore.RECIPES["digits-map"].run.id
    app = visit("train", run=run)
    assert not labels(app) & STEER
    app.button(key="train-here").click().run()
    assert not app.exception
    assert asked == [home / "runs" / run]


@pytest.mark.parametrize("page", ["classify", "manifold"])
@pytest.mark.parametrize("owner", ["me", "somebody"])
def test_only_the_owner_has_a_run_measured(
    owner: str,
    page: str,
    home_with_runs: Path,
    digits_runs: list[aecore.Checkpoint],
    public: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured: list[Path] = []
    monkeypatch.setattr(Job, "measure", lambda job: measured.append(job.folder))
    folder = home_with_runs / "runs" / digits_runs[0].run.id
    Job(folder).claim(owner)
    app = visit(page, run=folder.name, tool="trust")
    app.session_state["visitor-token"] = "me"
    app.run()
    assert "This run has not been compared with its baselines yet" in texts(app)
    assert ("Measure it" in labels(app)) == (owner == "me")
    if owner == "me":
        next(button for button in app.button if button.label == "Measure it").click().run()
        assert not app.exception
        assert measured == [folder]


def test_a_foreign_picture_is_judged_on_the_same_plane_as_the_images(
    home_with_runs: Path, digits_runs: list[aecore.Checkpoint]
) -> None:
    """Denoising codes of 16 numbers: the plane is that of the training codes for queries and gallery alike."""
    checkpoint, digits = digits_runs[1], aecore.load_dataset("digits")
    trained, tested = checkpoint.encode(digits.train.images), checkpoint.encode(digits.test.images)
    asked = plane(tested, trained)[np.random.default_rng(0).permutation(len(tested))[:200]]
    distances, _ = aecore.Index(plane(trained, trained)).nearest(asked, 1)
    found = _cached.usual_distances(_cached.newest(checkpoint.run.id).at("train"), "map", "cosine")
    assert np.allclose(found, np.sort(distances[:, 0]), atol=1e-5)
