"""The square on Home: dragged by mouse, moved by keys; what the browser draws is what the decoder in torch draws."""

import re
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from conftest import components, visit
from playwright.sync_api import Page, expect

import aecore
from aecore.folders import SHIPPED

pytestmark = pytest.mark.browser

PIXELS = """canvas => Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data)
    .filter((_, place) => place % 4 === 0)"""


def asked(page: Page) -> list[float]:
    found = parse_qs(urlparse(page.url).query)
    return [float(found.get(f"unit-{unit}", ["0"])[0]) for unit in (1, 2)]


def says(page: Page, x: float, y: float) -> None:
    expect(page.locator(".plane .caption")).to_have_text(f"Decoded from ({x:.2f}, {y:.2f})")


def test_the_block_follows_the_hand_and_the_address_keeps_where_it_let_go(page: Page) -> None:
    page.goto("/")
    says(page, 0, 0)
    field = page.locator(".plane .field")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    place = lambda across, down: (box["x"] + across * box["width"], box["y"] + down * box["height"])  # noqa: E731
    page.mouse.move(*place(0.5, 0.5))
    page.mouse.down()
    page.mouse.move(*place(0.75, 0.25))
    expect(page.locator(".plane .caption")).to_have_text(re.compile(r"\((0\.9|1\.0)\d, (0\.9|1\.0)\d\)"))
    assert asked(page) == [0, 0], "nothing is settled while the hand moves"
    page.mouse.up()
    page.wait_for_url(re.compile("unit-1=.*unit-2="))
    code = asked(page)
    assert np.abs(np.array(code) - 1).max() < 0.05
    checkpoint = aecore.Store(SHIPPED).load(aecore.RECIPES["blocks-map"].run.id)
    shown = np.array(page.locator(".plane .picture").evaluate(PIXELS))
    decoded = 255 * checkpoint.decode(np.array([code]))[0].ravel()
    assert np.abs(shown - decoded).max() < 1.5
    assert np.ptp(decoded) > 100, "there is a block to compare"

    field.focus()
    page.keyboard.press("ArrowLeft")
    says(page, code[0] - 0.1, code[1])
    page.wait_for_url(lambda url: f"unit-1={code[0] - 0.1:.6g}" in url)
    page.reload()
    says(page, code[0] - 0.1, code[1])


def test_an_address_opens_at_its_code() -> None:
    (square, *_) = [part for part in components(visit("home", **{"unit-1": "1.5"})) if part.id.endswith("-code")]
    assert "[1.5, 0.0]" in square.json
