"""Presenting: a page alone and large, on every page until one ends it."""

import re

import pytest
from conftest import settle
from playwright.sync_api import Page, expect

from aecore.recipes import RECIPES

pytestmark = pytest.mark.browser


def letters(page: Page) -> float:
    """The size of letters on the page, in pixels."""
    return page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")


def test_a_key_begins_it_it_goes_from_page_to_page_and_a_key_ends_it(page: Page) -> None:
    page.goto("/lessons")
    settle(page)
    page.wait_for_function("window.aecoreKeysHeard && window.aecorePresentHeard")
    menu, before = page.get_by_role("link", name="Manifold", exact=True), letters(page)
    expect(menu).to_be_visible()
    page.keyboard.press("p")
    page.wait_for_url(re.compile("present=1"))
    expect(menu).to_be_hidden()
    assert letters(page) > before

    page.get_by_role("link", name=re.compile("Why not just copy")).click()
    page.wait_for_url(re.compile(r"/lesson\?.*present=1"))
    settle(page)
    expect(menu).to_be_hidden()
    page.keyboard.press("s")
    expect(page.locator("#aecore-spotlight")).to_be_attached()

    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "present" not in url)
    expect(menu).to_be_visible()
    expect(page.locator("#aecore-spotlight")).to_have_count(0)
    assert letters(page) == before


def test_the_letters_of_charts_grow_with_those_of_the_page(page: Page) -> None:
    text = page.locator("[data-testid=stVegaLiteChart] svg text").first
    sizes = []
    for width, words in ((1366, ""), (1920, "&present=1"), (3840, "&present=1")):
        page.set_viewport_size({"width": width, "height": 1080})
        page.goto(f"/train?run={RECIPES['digits-map'].run.id}{words}")
        expect(text).to_be_visible()
        settle(page)
        shown = text.evaluate("text => parseFloat(getComputedStyle(text).fontSize)")
        sizes.append(shown / letters(page))
    assert sizes == pytest.approx([0.75] * 3, abs=0.03)


def test_an_address_begins_it_and_a_field_keeps_its_letters(page: Page) -> None:
    page.goto("/manifold?present=1")
    settle(page)
    expect(page.get_by_role("link", name="Manifold", exact=True)).to_be_hidden()
    page.get_by_label("Image number").press("s")
    expect(page.locator("#aecore-spotlight")).to_have_count(0)
