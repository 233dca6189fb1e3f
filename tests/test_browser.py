"""The journey of a first visitor in headless Chromium."""

import contextlib
import re
from urllib.parse import parse_qs, urlparse

import pytest
from conftest import Server, run_of, settle
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

import aecore

pytestmark = pytest.mark.browser


def walk(page: Page, link: str, to: str) -> None:
    """Follow a link and wait for its page."""
    page.get_by_role("link", name=link, exact=True).click()
    page.wait_for_url(re.compile(rf"/{to}\?.*run="))
    settle(page)


def train(page: Page, **settings: str) -> str:
    """Train on digits through the Train page until it says Done; returns the run's id."""
    page.goto("/train?dataset=digits&flavor=" + settings.pop("flavor"))
    settle(page)
    page.get_by_text("More settings").click()
    for label, value in settings.items():
        field = page.get_by_label(label, exact=True)
        field.fill(value)
        field.press("Enter")
        settle(page)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("Done", exact=True)).to_be_visible(timeout=90_000)
    settle(page)
    return run_of(page)


def test_train_manifold_denoise_search(page: Page, server: Server) -> None:
    run = train(page, flavor="vae", Latent="2", Epochs="2")
    assert run in aecore.Store(server.home / "runs").ids()

    walk(page, "See its map", "manifold")
    assert run_of(page) == run
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    box = page.locator(".js-plotly-plot .nsewdrag").bounding_box()
    for across in (0.5, 0.4, 0.6, 0.3, 0.7):  # a place may be empty
        page.mouse.click(box["x"] + across * box["width"], box["y"] + 0.5 * box["height"])
        with contextlib.suppress(PlaywrightTimeout):
            page.wait_for_url(re.compile("row="), timeout=5_000)
            break
    settle(page)
    row = int(parse_qs(urlparse(page.url).query)["row"][0])
    expect(page.get_by_text(f"Image {aecore.load_dataset('digits').train.ids[row]},")).to_be_visible()
    page.get_by_text("Decoder", exact=True).click()
    page.wait_for_url(re.compile("mode=Decoder"))
    settle(page)

    walk(page, "Denoise", "denoise")
    assert run_of(page) == run
    expect(page.get_by_text("Noisy ·")).to_be_visible()
    page.get_by_text("masking", exact=True).click()
    page.wait_for_url(re.compile("noise=masking"))
    settle(page)

    walk(page, "Search", "search")
    assert run_of(page) == run
    field = page.get_by_label(re.compile("^Test image"))
    field.fill("5")
    field.press("Enter")
    page.wait_for_url(re.compile("image=5"))
    expect(page.get_by_text(f"Test image {aecore.load_dataset('digits').test.ids[5]},")).to_be_visible()
    settle(page)
    hits = page.locator(".st-key-hits button.tile").filter(has_text=re.compile(r"\d\.\d{3}"))
    expect(hits).to_have_count(4)
    before = hits.all_inner_texts()

    page.reload()
    settle(page)
    expect(hits).to_have_count(4)
    assert hits.all_inner_texts() == before


def test_a_training_survives_the_server_and_its_link_finds_it(page: Page, server: Server) -> None:
    page.goto("/train?dataset=digits&flavor=vanilla")
    settle(page)
    page.get_by_text("More settings").click()
    field = page.get_by_label("Epochs", exact=True)
    field.fill("1000")
    field.press("Enter")
    settle(page)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("Trains", exact=True)).to_be_visible(timeout=60_000)
    link = page.url

    server.stop()
    server.start()
    page.goto(link)
    expect(page.get_by_text("Trains", exact=True)).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Stop and keep").click()
    expect(page.get_by_text("Stopped and saved")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="Resume")).to_be_visible()


@pytest.mark.parametrize("path", ["", "train", "manifold", "denoise", "search", "classify"])
def test_every_page_is_right_as_the_first_visit(path: str, page: Page) -> None:
    page.goto(f"/{path}")
    settle(page)
    expect(page.get_by_role("link", name="Manifold").first).to_be_visible()
    expect(page.get_by_text("router")).to_have_count(0)
    assert page.title()


@pytest.mark.fashion
def test_the_search_experiment_is_one_press(page: Page, server: Server) -> None:
    run = aecore.Run("fashion_mnist", aecore.RECIPES["fashion-search"].run.model, loss="kl", epochs=1)
    checkpoint = next(aecore.train(run))  # untrained: the journey is tested here, not the neighbors
    aecore.Store(server.home / "runs").save(checkpoint)
    page.goto(f"/search?run={run.id}")
    settle(page)
    page.locator(".st-key-class").get_by_text("Trouser").click()
    expect(page.get_by_text(re.compile("Test image .*, Trouser"))).to_be_visible()
    hits = page.locator(".st-key-hits button.tile").filter(has_text=re.compile(r"\.\d{3}"))
    expect(hits).to_have_count(4)
