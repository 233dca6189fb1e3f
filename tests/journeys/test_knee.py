"""A sweep on Train: one press for all its runs, the chart in which the knee stands, each point the way to its run."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Server, components, run_of, settle, tables, texts, visit
from playwright.sync_api import Page, expect

import aecore
from aecore import sweep
from aecore.folders import own_runs
from aecore.process.jobs import Job
from aecore.recipes import sweep_settings
from aecore.runs import Run

SHAPES = Run("shapes_2", aecore.FLAVORS["vanilla"](latent=1), width=32, epochs=1, batch_size=512)
QUICK = {"dataset": "digits", "width": "32", "batch_size": "512", "upto": "3"}


@pytest.fixture
def swept(home: Path) -> list[Run]:
    """Three runs of a sweep, the last of which has only begun; one far beyond it, and a stranger with another seed."""
    runs, dataset, store = sweep.runs_of(SHAPES, [1, 2, 3]), aecore.load_dataset("shapes_2"), aecore.Store()
    for run in (*runs[:2], *sweep.runs_of(SHAPES, [32]), replace(SHAPES, seed=5)):
        *_, trained = aecore.train(run, dataset)
        store.save(trained)
    store.save(next(aecore.train(runs[2], dataset)))
    return runs


def test_the_chart_is_found_from_every_run_of_the_sweep(swept: list[Run]) -> None:
    dataset = aecore.load_dataset("shapes_2")
    errors = sweep.errors(swept, dataset, aecore.Store())
    assert list(errors) == [1, 2]
    for run in swept:
        app = visit("train", run=run.id)
        chart = app.get("vega_lite_chart")[0].proto
        rows = [row for table in tables(chart).values() for row in table if "by" in row]
        shown = {row["units"]: row["MSE"] for row in rows if row["by"] == "these runs"}
        assert shown == pytest.approx({0: sweep.mean_error(dataset), **errors})
        pca = {row["units"]: row["MSE"] for row in rows if row["by"] == "PCA"}
        assert pca == pytest.approx({0: sweep.mean_error(dataset), **sweep.baseline(dataset)})
        assert "These images have 2 causes: height, width." in texts(app)
        (pictures,) = [part for part in components(app) if part.id.endswith("-knee-pictures")]
        tiles = json.loads(pictures.json)["tiles"]
        assert [tile["lines"][0] for tile in tiles] == ["original", "1 unit", "2 units"]
        assert [tile["chosen"] for tile in tiles] == [False, run == swept[0], run == swept[1]]
    for other in (replace(SHAPES, seed=5), *sweep.runs_of(SHAPES, [32])):
        assert "These images have" not in texts(visit("train", run=other.id))


def test_what_is_left_of_a_sweep_is_folded_and_a_whole_one_is_not(swept: list[Run]) -> None:
    for upto, shown in (("3", True), ("4", False)):
        app = visit("train", run=swept[0].id, upto=upto)
        (part,) = [part for part in app.expander if part.label.startswith("Sweep")]
        assert part.proto.expanded == shown


def test_a_visitor_is_offered_the_sweep_that_they_may_have(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Job, "ask", lambda job, order: asked.append(order))
    assert visit("train", dataset="shapes_2").number_input(key="upto").value == 8
    monkeypatch.setenv("AECORE_PUBLIC", "1")
    app = visit("train", dataset="shapes_2")
    assert app.number_input(key="upto").value == 6
    app.number_input(key="upto").set_value(7).run()
    app.button(key="sweep").click().run()
    said = app.error[0].value
    assert "7 saved runs of one visitor; this server allows 6 (AECORE_MAX_RUNS): train fewer at a time" in said
    assert asked == []
    assert not own_runs().exists(), "nothing has begun"
    app.number_input(key="upto").set_value(6).run()
    app.button(key="sweep").click().run()
    assert not app.exception
    assert asked == ["go"] * 6
    runs = sweep.runs_of(sweep_settings("shapes_2", len(aecore.load_dataset("shapes_2").train)), range(1, 7))
    assert {path.name for path in own_runs().iterdir()} == {run.id for run in runs}, "as on the command line"


def test_a_run_that_was_cancelled_is_not_missed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Job, "ask", lambda job, order: None)
    monkeypatch.setattr(Job, "state", property(lambda job: "waiting" if job.folder.parent == own_runs() else "idle"))
    monkeypatch.setattr("pages.acts.knee.visitors.cancel", lambda jobs, store: [store.delete(job.id) for job in jobs])
    app = visit("train", **QUICK)
    app.button(key="sweep").click().run()
    assert own_runs().exists()
    app.button(key="cancel-sweep").click().run()
    assert not app.toast
    assert app.selectbox(key="run").value == aecore.RECIPES["digits-map"].run.id


@pytest.mark.browser
def test_one_press_trains_all_and_each_point_leads_to_its_run(page: Page) -> None:
    words = "&".join(f"{name}={value}" for name, value in {**QUICK, "epochs": "1", "seed": "31"}.items())
    page.goto(f"/train?{words}")
    page.get_by_role("button", name="Train 1 to 3 units").click()
    pictures = page.locator(".st-key-knee-pictures li button.tile")
    expect(pictures).to_have_count(4)
    expect(page.get_by_role("button", name="Cancel the sweep")).to_have_count(0)
    settle(page)
    first = run_of(page)
    page.reload()
    expect(pictures).to_have_count(4)
    expect(page.locator(".st-key-run input")).to_have_value(re.compile("1 unit"))
    pictures.nth(3).click()
    expect(page.locator(".st-key-run input")).to_have_value(re.compile("3 units"))
    expect(pictures.nth(3)).to_have_attribute("aria-pressed", "true")
    assert run_of(page) != first
    settle(page)
    page.locator(".st-key-knee path[aria-label*='these runs; units: 2;']").first.click()
    expect(page.locator(".st-key-run input")).to_have_value(re.compile("2 units"))
    expect(pictures.nth(2)).to_have_attribute("aria-pressed", "true")


@pytest.mark.browser
def test_one_press_ends_it_and_leaves_nothing_that_only_waited(page: Page, server: Server) -> None:
    def kept() -> list[str]:
        texts = [path.read_text() for path in (server.home / "runs").glob("digits-*/run.json")]
        return [text for text in texts if json.loads(text)["seed"] == 32]

    words = "&".join(f"{name}={value}" for name, value in {**QUICK, "epochs": "1000", "seed": "32"}.items())
    page.goto(f"/train?{words}")
    page.get_by_role("button", name="Train 1 to 3 units").click()
    expect(page.get_by_text(re.compile("0 of 3 trained, [123] units?: epoch"))).to_be_visible()
    assert len(kept()) == 3
    page.get_by_role("button", name="Cancel the sweep").click()
    expect(page.get_by_text("Stopped and saved")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel the sweep")).to_have_count(0)
    expect(page.locator(".st-key-knee")).to_have_count(0)
    assert len(kept()) == 1
