"""The maps of two runs side by side: pointer, selection and classes are shared, and kept in the address."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import PAGES, Server, components, settle, texts, visit
from playwright.sync_api import Page, expect
from test_map import DIGITS, Map, drag

import aecore
from aecore import models
from aecore.recipes import RECIPES
from aecore.runs import Checkpoint


def other_run() -> Checkpoint:
    """A run on digits whose codes have many units, so that its map is a projection."""
    run = aecore.Run("digits", models.Vanilla(latent=16), width=64, seed=5)
    return Checkpoint(run, run.build((1, 8, 8)))


@pytest.mark.browser
def test_pointer_selection_and_classes_are_shared(page: Page, server: Server) -> None:
    other = other_run()
    aecore.Store(server.home / "runs").save(other)
    shown = Map(page, DIGITS, mode="points")
    page.locator(".st-key-beside input").click()
    page.get_by_role("option", name="vanilla").click()
    page.wait_for_url(f"**beside={other.run.id}*")
    maps, cards = page.locator(".latent-map"), page.locator(".latent-map-card")
    expect(maps).to_have_count(2)
    expect(page.locator(".latent-map[data-ready]")).to_have_count(2)
    settle(page)

    (row,) = shown.lonely(1)
    shown.hover(shown.codes[row])
    expect(maps.nth(1)).to_have_attribute("data-pointed", str(row))
    expect(cards.nth(1)).to_contain_text(f"Image {row} ·")
    right = other.reconstruct(shown.split.images[row : row + 1])[0, 0]
    assert np.abs(shown.card(3) - right).mean() < 0.03, "what the other run makes of the image"
    page.mouse.move(5, 5)
    expect(maps.nth(1)).to_have_attribute("data-pointed", "")

    page.get_by_role("button", name="Box").nth(1).click()
    box = maps.nth(1).locator(".nsewdrag").bounding_box()
    at = lambda share: (box["x"] + share * box["width"], box["y"] + share * box["height"])  # noqa: E731
    drag(page, [at(0.3), at(0.7)])
    page.wait_for_url("**beside-area=**")
    expect(page.get_by_text("images selected")).to_be_visible()
    settle(page)
    count = maps.nth(1).get_attribute("data-selected")
    assert 20 < int(count) < len(shown.codes)
    expect(maps.nth(0)).to_have_attribute("data-selected", count)
    expect(page.get_by_text(f"{int(count):,} of {len(shown.codes):,} images selected")).to_be_visible()
    threes = (shown.split.labels == 3).sum()
    maps.nth(0).locator(".legendtoggle").nth(3).click()
    for map in (maps.nth(0), maps.nth(1)):
        expect(map).to_contain_text(f"{threes:,} shown")
    maps.nth(0).locator(".latent-map-stage").focus()
    page.keyboard.press("Escape")
    page.wait_for_function("() => !location.search.includes('area=')")
    for map in (maps.nth(0), maps.nth(1)):
        expect(map).to_have_attribute("data-selected", "")
        expect(map).not_to_contain_text("shown")


def test_an_area_selects_the_same_rows_whichever_map_it_was_drawn_on(
    home_with_runs: Path, digits_runs: list[Checkpoint]
) -> None:
    first, second = (each.run.id for each in digits_runs)
    area, drawn = "-1,-1,2,-1,2,2,-1,2", {}
    for run, beside, name in ((first, second, "area"), (second, first, "beside-area")):
        app = visit("manifold", run=run, beside=beside, tool="selection", **{name: area})
        (drawn[name],) = [line for line in texts(app).splitlines() if "images selected" in line]
        maps = [json.loads(part.json) for part in components(app) if '"elsewhere"' in part.json]
        here = 0 if name == "area" else 1
        assert [each["elsewhere"] for each in maps] == [here == 1, here == 0]
        assert maps[0]["area"] == maps[1]["area"] != []
        assert maps[0]["beside"]["points"] == maps[1]["parts"]["points"]
        assert maps[1]["beside"]["colors"] == maps[0]["parts"]["colors"]
    assert drawn["area"] == drawn["beside-area"]
    app.selectbox(key="beside").set_value("").run()
    assert not {"beside", "beside-area"} & set(app.query_params)
    assert "images selected" not in texts(app)


def test_what_both_can_show_is_offered(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    flat, many = (each.run.id for each in digits_runs)
    app = visit("manifold", run=DIGITS, beside=flat, mode="decoder", of="test")
    maps = [json.loads(part.json) for part in components(app) if '"elsewhere"' in part.json]
    assert [each["mode"] for each in maps] == ["decoder", "decoder"]
    assert app.segmented_control(key="mode").options == ["Images", "Points", "Decoder"]
    app = visit("manifold", run=flat, beside=many, mode="units", by="tsne")
    assert app.segmented_control(key="mode").options == ["Images", "Points"]
    assert [button.label for button in app.button].count("Lay out by t-SNE") == 1


@pytest.mark.parametrize(
    ("beside", "why"),
    [("digits-gone", "is not on this server"), (RECIPES["blocks-map"].run.id, "was trained on other images")],
)
def test_a_second_run_that_cannot_be_shown_is_said(
    beside: str, why: str, home_with_runs: Path, digits_runs: list[Checkpoint]
) -> None:
    app = visit("home")
    for name, value in {"run": digits_runs[0].run.id, "beside": beside, "beside-area": "0,0,1,1,0,1"}.items():
        app.query_params[name] = value
    app.switch_page(str(PAGES / "manifold.py")).run()
    assert [why in toast.value for toast in app.toast] == [True]
    assert not {"beside", "beside-area"} & set(app.query_params)
    assert sum('"elsewhere"' in part.json for part in components(app)) == 1


def test_two_runs_that_are_compared_lead_to_their_linked_maps(
    home_with_runs: Path, digits_runs: list[Checkpoint]
) -> None:
    first, second = (each.run.id for each in digits_runs)
    app = visit("train", compare=f"{first}~{second}")
    (button,) = [each for each in app.button if each.label == "Link their maps"]
    button.click().run()
    assert app.title[0].value == "Manifold"
    assert sum('"elsewhere"' in part.json for part in components(app)) == 2
    assert app.query_params["run"] in (first, [first])
    assert app.query_params["beside"] in (second, [second])
