"""Units on Manifold: what one unit means, in pictures; the way on from each image; sets that have nothing to say."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import components, settle, texts, visit
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

import aecore
from aecore import Checkpoint, models
from aecore.data.datasets import Dataset, Entry, Split

DIGITS = aecore.load_dataset("digits")


def parts(app: AppTest) -> dict[str, dict]:
    """What the galleries on the page show, by their keys."""
    return {part.id.rpartition("-")[2]: json.loads(part.json) for part in components(app)}


def numbers(app: AppTest) -> list[int]:
    """The units in the list, from the top."""
    return [int(tile["lines"][0].split()[1]) for tile in parts(app)["portraits"]["tiles"]]


def test_a_unit_is_shown_with_the_images_that_excite_it_most(
    home_with_runs: Path, digits_runs: list[Checkpoint]
) -> None:
    run = digits_runs[1].run.id
    app = visit("manifold", run=run, mode="units", of="train", unit="5", sort="variance")
    codes = digits_runs[1].encode(DIGITS.train.images)
    assert numbers(app) == (np.argsort(-codes.var(axis=0, dtype=float), kind="stable") + 1).tolist()
    rows = np.argsort(-codes[:, 4], kind="stable")[:8]
    shown = [tile["lines"] for tile in parts(app)["most"]["tiles"]]
    assert shown == [[f"{codes[row, 4]:.2f}", DIGITS.classes[DIGITS.train.labels[row]]] for row in rows]
    lowest = np.argsort(codes[:, 4], kind="stable")[:8]
    assert [tile["lines"][0] for tile in parts(app)["least"]["tiles"]] == [f"{codes[row, 4]:.2f}" for row in lowest]
    (link, *_) = [tile["links"]["similar"] for tile in parts(app)["most"]["tiles"]]
    assert link.startswith("search?")
    assert f"run={run}" in link
    assert f"image={rows[0]}" in link
    assert "source=train" in link
    assert app.query_params["unit"] in ("5", ["5"])
    (chosen,) = [tile for tile in parts(app)["portraits"]["tiles"] if tile["chosen"]]
    assert chosen["lines"][0] == "Unit 5"


def test_units_are_sorted_by_how_pure_their_classes_are(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    app = visit("manifold", run=digits_runs[1].run.id, mode="units", sort="purity")
    shares = [int(tile["lines"][1].rpartition(" ")[2].rstrip("%")) for tile in parts(app)["portraits"]["tiles"]]
    assert len(shares) == 16
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]
    assert app.number_input(key="unit").value == numbers(app)[0], "the page opens on the first"


def test_many_units_come_in_sheets_and_the_sheet_of_the_unit_is_open(home_with_runs: Path) -> None:
    run = aecore.Run("digits", models.Sparse(latent=1024), "shallow", width=32, epochs=1)
    aecore.Store(home_with_runs / "runs").save(next(aecore.train(run)))
    app = visit("manifold", run=run.id, mode="units", sort="number", unit="1000")
    assert app.number_input(key="sheet").value == 21
    assert numbers(app) == list(range(961, 1009))
    app.number_input(key="sheet").set_value(2).run()
    assert numbers(app) == list(range(49, 97))
    app.number_input(key="unit").set_value(3).run()
    assert numbers(app)[0] == 1


def test_two_units_are_shown_too_and_what_has_no_classes_is_not_sorted_by_them(home_with_runs: Path) -> None:
    app = visit("manifold", run=aecore.RECIPES["blocks-map"].run.id, mode="units", sort="purity", of="test")
    assert sorted(numbers(app)) == [1, 2]
    assert "the map shows both at once" in texts(app)
    assert "purity" not in app.segmented_control(key="sort").options
    assert "sort" not in app.query_params


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_one_image_or_constant_units_are_dead_and_said_to_be(
    weight: float, home_with_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One image without a class, which excites every unit alike; with no weights at all, none."""
    image = np.full((1, 1, 8, 8), 9, np.uint8)
    dataset = Dataset("lone", Split(image.copy()), Split(image.copy()))
    monkeypatch.setitem(aecore.DATASETS, "lone", Entry("Lone", lambda: dataset))
    run = aecore.Run("lone", models.Vanilla(latent=40), "shallow", width=32, epochs=1, batch_size=1)
    checkpoint = next(aecore.train(run, dataset))
    for parameter in checkpoint.network.parameters():
        parameter.mul_(weight)
    aecore.Store(home_with_runs / "runs").save(checkpoint)
    app = visit("manifold", run=run.id, mode="units", unit="17")
    assert "40 dead: 1, 2, 3" in texts(app)
    assert "and 16 more, at the end" in texts(app)
    assert "This unit is dead" in texts(app)
    assert numbers(app) == list(range(1, 41))
    assert not app.get("vega_lite_chart")


@pytest.mark.browser
@pytest.mark.fashion
def test_from_a_unit_to_its_images_on_the_map_and_in_search(page: Page) -> None:
    run = aecore.RECIPES["fashion-sparse"].run.id
    page.goto(f"/manifold?run={run}&mode=units&sort=purity")
    listed = page.locator(".st-key-portraits li button.tile")
    expect(listed).to_have_count(48)
    listed.nth(3).click()
    page.wait_for_url(re.compile("unit="))
    expect(listed.nth(3)).to_have_attribute("aria-pressed", "true")
    settle(page)
    unit = int(re.search(r"unit=(\d+)", page.url)[1])
    page.reload()
    expect(page.get_by_label("Unit", exact=True)).to_have_value(str(unit))
    fashion = aecore.load_dataset("fashion_mnist").test.images
    row = int(np.argsort(-aecore.showcase().load(run).encode(fashion)[:, unit - 1], kind="stable")[0])
    page.locator(".st-key-portrait-most li button.tile").first.click()
    page.wait_for_url(lambda url: f"row={row}" in url and "mode=units" not in url)
    expect(page.locator(".latent-map-line")).to_contain_text("10,000 test images")
    page.go_back()
    page.locator(".st-key-portrait-most li a").first.click()
    page.wait_for_url(re.compile(rf"/search\?.*image={row}(&|$)"))
    settle(page)
