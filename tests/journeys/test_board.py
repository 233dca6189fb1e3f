"""The drawing board on Home: by mouse, finger and keys, what it shows is what torch makes of what is drawn."""

from pathlib import Path

import numpy as np
import pytest
from conftest import components, settle, visit
from playwright.sync_api import Browser, Locator, Page, expect
from test_plane import PIXELS

import aecore
from aecore.folders import SHIPPED

pytestmark = pytest.mark.browser

BROKEN = "window.Int8Array = class { constructor() { throw new RangeError('cut off'); } };"


@pytest.fixture(scope="module")
def checkpoint() -> aecore.Checkpoint:
    return aecore.Store(SHIPPED).load(aecore.RECIPES["fashion-sample"].run.id)


def shown(page: Page, canvas: str) -> np.ndarray:
    return np.array(page.locator(f".board .{canvas}").evaluate(PIXELS)).reshape(1, 1, 28, 28)


def is_rebuilt(page: Page, checkpoint: aecore.Checkpoint) -> None:
    """The right picture is what torch makes of the left one, and not nothing."""
    right = 255 * checkpoint.reconstruct(shown(page, "paper").astype(np.uint8))
    assert np.abs(shown(page, "rebuilt") - right).max() < 3  # the paper shows 256 levels of what is drawn
    assert np.ptp(right) > 40


def opened(page: Page) -> Locator:
    """The board, empty."""
    page.goto("/")
    settle(page)
    page.get_by_role("button", name="Clear").click()
    paper = page.locator(".board .paper")
    paper.scroll_into_view_if_needed()
    assert not shown(page, "paper").any()
    return paper


def code(page: Page) -> str:
    return page.locator(".board .code").evaluate("canvas => canvas.toDataURL()")


def test_code_and_reconstruction_follow_the_mouse(page: Page, checkpoint: aecore.Checkpoint) -> None:
    box = opened(page).bounding_box()
    empty = code(page)
    at = lambda across, down: (box["x"] + across * box["width"], box["y"] + down * box["height"])  # noqa: E731
    page.mouse.move(*at(0.3, 0.1))
    page.mouse.down()
    page.mouse.move(*at(0.3, 0.9), steps=4)
    line = shown(page, "paper")[0, 0]
    assert line[3:25, 8].min() > 150, "the hand is still down"
    assert line[:, 14:].max() == 0
    is_rebuilt(page, checkpoint)
    half, bars = shown(page, "rebuilt"), code(page)
    assert bars != empty
    page.mouse.move(*at(0.7, 0.1), steps=4)
    is_rebuilt(page, checkpoint)
    assert np.abs(shown(page, "rebuilt") - half).max() > 40
    assert code(page) != bars
    page.mouse.up()
    drawn = shown(page, "paper")
    page.mouse.move(*at(0.9, 0.9))
    assert np.array_equal(shown(page, "paper"), drawn), "the hand is up"


def test_keys_draw_and_clear(page: Page, checkpoint: aecore.Checkpoint) -> None:
    opened(page).focus()
    for _ in range(8):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")  # the brush is shown only while it is at hand
    assert not shown(page, "paper").any()
    page.keyboard.press("Shift+Tab")
    for _ in range(16):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Tab")
    assert shown(page, "paper")[0, 0, 7:21, 14].min() > 150
    assert shown(page, "paper")[0, 0, :, :10].max() == 0
    is_rebuilt(page, checkpoint)
    page.get_by_role("button", name="Clear").press("Enter")
    assert not shown(page, "paper").any()
    assert not shown(page, "rebuilt").any(), "of nothing, there is nothing to rebuild"


def test_a_finger_draws(browser: Browser, server: object, checkpoint: aecore.Checkpoint) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, base_url=server.url)
    page = context.new_page()
    box = opened(page).bounding_box()
    finger = page.context.new_cdp_session(page)
    for kind, across in (("touchStart", 0.2), ("touchMove", 0.5), ("touchMove", 0.8), ("touchEnd", None)):
        at = {"x": box["x"] + (across or 0) * box["width"], "y": box["y"] + box["height"] / 2}
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [at] if across else []})
        if across == 0.5:
            half = shown(page, "rebuilt")
    line = shown(page, "paper")[0, 0]
    assert line[13:15, 6:22].min() > 150
    assert not line[:10].any(), "the page did not move under the finger"
    is_rebuilt(page, checkpoint)
    assert np.abs(shown(page, "rebuilt") - half).max() > 40, "the reconstruction followed the finger"
    sides = page.locator(".board .rebuilt").bounding_box()
    assert sides["y"] == box["y"], "on a phone, the reconstruction is beside the finger"
    context.close()


@pytest.mark.fashion
def test_an_example_is_a_test_image(page: Page, checkpoint: aecore.Checkpoint) -> None:
    opened(page)
    images = aecore.load_dataset("fashion_mnist").test
    for row in (1, 2):
        page.get_by_role("button", name="Take an example").click()
        assert np.array_equal(shown(page, "paper")[0], images.images[row])
        is_rebuilt(page, checkpoint)
    name = aecore.load_dataset("fashion_mnist").classes[images.labels[2]]
    expect(page.get_by_label(f"Drawing board: test image 2, {name}")).to_be_visible()


def test_a_network_that_did_not_arrive_whole_is_said_and_the_rest_of_the_page_works(page: Page) -> None:
    with page.add_init_script(BROKEN):
        page.goto("/")
    expect(page.locator(".board .state")).to_contain_text("The network did not arrive whole")
    expect(page.locator(".plane .caption")).to_contain_text("The decoder did not arrive whole")
    expect(page.get_by_role("button", name="Clear")).to_have_count(0)
    page.get_by_role("button", name="See the map").click()
    page.wait_for_url("**/manifold**")


def test_without_the_set_there_are_no_examples(home: Path, offline: None) -> None:
    sent = [part.bytes for part in components(visit("home")) if b'"names"' in part.bytes[:400]]
    assert sent == []
