"""Pages without a mouse: Tab reaches every control and shows where it is, and keys do what the pointer does."""

import re

import pytest
from conftest import settle
from playwright.sync_api import Page, expect

from aecore.recipes import RECIPES

pytestmark = pytest.mark.browser
DIGITS = f"run={RECIPES['digits-map'].run.id}"
FOCUSED = """() => {
  let [part, ours] = [document.activeElement, false];
  while (part?.shadowRoot?.activeElement) [part, ours] = [part.shadowRoot.activeElement, true];
  const before = (window.focusedBefore ??= new WeakSet());
  if (!part || part === document.body || before.has(part)) return null;
  before.add(part);
  const { outlineStyle, outlineWidth } = getComputedStyle(part);
  ours ||= Boolean(part.closest(".latent-map"));
  const name = part.ariaLabel || part.title || part.textContent;
  return [ours, name, outlineStyle !== "none" && parseFloat(outlineWidth) >= 2];
}"""
CONTROLS = {
    "/": ["The code", "Drawing board", "Take an example", "Clear"],
    f"/manifold?{DIGITS}": ["Drag to move", "Draw around", "Select a rectangle", "Show everything", "Save", "Map of"],
    "/images?row=3": ["3"],
    f"/denoise?{DIGITS}&source=drawing": ["Drawing board", "Undo", "Clear", "Brush"],
    f"/search?{DIGITS}": ["Search for it", "More like this", "Less like this", "Locate on the map"] * 4,
}
"""Address -> how the names of our own controls there begin, in the order in which Tab reaches them."""
ALSO = [pytest.param(address, "dark", marks=pytest.mark.ways) for address in CONTROLS]


@pytest.mark.parametrize(("address", "theme"), [*((address, "light") for address in CONTROLS), *ALSO])
def test_tab_reaches_every_control_and_is_seen_there(page: Page, address: str, theme: str) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(address)
    first = page.locator(".latent-map[data-ready], .wall .chosen, .tile, .board canvas, .plane canvas").first
    expect(first).to_be_visible()
    settle(page)
    for button in page.locator(".board .tools button").all():
        expect(button).to_be_visible()
    found = []
    page.keyboard.press("Tab")
    while focused := page.evaluate(FOCUSED):  # until Tab leaves the page, or begins again
        ours, name, seen = focused
        if ours:
            assert seen, name
            found.append(name)
        page.keyboard.press("Tab")
    found = [name for name in found if not name.startswith("Show it large")]  # as many as there are runs on digits
    assert len(found) == len(CONTROLS[address])
    assert all(name.startswith(begin) for name, begin in zip(found, CONTROLS[address], strict=True)), found


def test_the_map_is_read_and_selected_from_by_keys(page: Page) -> None:
    page.goto(f"/manifold?{DIGITS}")
    expect(page.locator(".latent-map[data-ready]")).to_be_visible()
    settle(page)
    save, stage = page.get_by_role("button", name="Save", exact=True), page.locator(".latent-map-stage")
    visible = "document.querySelector('.latent-map-plot').data.filter(({ visible }) => visible !== 'legendonly').length"
    width = "(([left, right]) => right - left)(document.querySelector('.latent-map-plot').layout.xaxis.range)"

    save.focus()
    page.keyboard.press("Tab")
    expect(stage).to_be_focused()
    expect(page.locator(".latent-map-line")).to_contain_text("Arrow keys move")
    page.keyboard.press("Shift+ArrowRight")
    card = page.locator(".latent-map-card")
    expect(card).to_have_attribute("data-shown", re.compile(r"^[1-9]\d*$"))
    row = card.get_attribute("data-shown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"row={row}\b"))
    settle(page)

    every, whole = page.evaluate(visible), page.evaluate(width)
    page.keyboard.press("PageDown")
    page.wait_for_function(f"{visible} === 1")
    page.keyboard.press("Escape")
    page.wait_for_function(f"{visible} === {every}")
    page.keyboard.press("+")
    page.wait_for_function(f"{width} < {whole}")

    page.get_by_role("button", name="Box", exact=True).press("Enter")
    save.focus()
    page.keyboard.press("Tab")
    for key in ("Shift+ArrowLeft", "Enter", "Shift+ArrowRight", "Shift+ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url(re.compile("area="))
    expect(page.locator(".latent-map")).to_have_attribute("data-selected", re.compile(r"^[1-9]"))


def test_a_query_is_drawn_by_keys(page: Page) -> None:
    page.goto(f"/denoise?{DIGITS}&source=drawing")
    board = page.get_by_role("application", name="Drawing board")
    expect(board).to_be_visible()
    settle(page)
    board.focus()
    for _ in range(8):
        page.keyboard.press("Shift+ArrowDown")
    expect(page.get_by_text("Clean · Your drawing")).to_be_visible()
