"""The wall of pictures on Images: any number of them, each where it belongs, and for nobody but who may see them."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import Server, settle
from PIL import Image
from playwright.sync_api import Page, expect
from starlette.requests import Request

import aecore
from aecore.data.intake import bring_in
from aecore.data.own import OWNER, Wishes
from aecore.process.jobs import fingerprint
from pages import _routes, _visitor

DIGITS, TOKEN = aecore.load_dataset("digits"), "a" * 40


def asked(name: str, split: str, rows: str, visitor: str = "", **headers: str) -> dict | int:
    """What a browser gets for these rows of a split; the status if that is no success."""
    headers |= {"cookie": f"{_visitor.COOKIE}={visitor}"} if visitor else {}
    scope = {
        "type": "http", "path_params": {"name": name, "split": split, "rows": rows},
        "headers": [(key.lower().encode(), value.encode()) for key, value in headers.items()],
        "client": ("192.0.2.1", 9) if visitor else ("127.0.0.1", 9),
    }  # fmt: skip
    answer = _routes._pictures(Request(scope))
    return json.loads(answer.body) if answer.status_code == 200 else answer.status_code


def strip(answer: dict) -> np.ndarray:
    """The pictures of an answer, one below the other, (h, w, 3)."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["strip"].partition(",")[2]))).convert("RGB"))


def test_the_rows_that_are_asked_for_come_in_their_order(home: Path) -> None:
    answer = asked("digits", "test", "41~0~359")
    assert answer["names"] == [DIGITS.test.ids[row] for row in (41, 0, 359)]
    np.testing.assert_array_equal(strip(answer)[..., 0], DIGITS.test.images[[41, 0, 359], 0].reshape(24, 8))
    assert len(asked("digits", "train", "~".join(map(str, range(90))))["names"]) == _routes.PORTION


@pytest.mark.parametrize("rows", ["", "~", "-1", "360", "nan", "1e3", "9" * 700, "0~x", "<b>", "3~🙂"])
def test_rows_that_are_not_there_are_not_found(rows: str, home: Path) -> None:
    assert asked("digits", "test", rows) == 404


def test_what_is_no_split_of_a_set_is_not_found(home: Path, offline: None) -> None:
    for name, split in (("digits", "../test"), ("nothing", "test"), ("../digits", "test"), ("fashion_mnist", "test")):
        assert asked(name, split, "0") == 404, "and nothing is downloaded"


def test_images_of_ones_own_are_for_their_visitor_and_the_owner(home: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for level in range(0, 240, 10):
        Image.new("RGB", (300, 300), (level, 0, 0)).save(tmp_path / "in" / f"{level:03}.png")
    bring_in(tmp_path / "in", "mine", Wishes(8, 1), owner=fingerprint(TOKEN))
    assert (home / "datasets" / "mine" / OWNER).exists()
    answer = asked("mine", "train", "1~0", TOKEN)
    levels = [int(name.removesuffix(".png")) for name in answer["names"]]
    found = strip(answer)
    assert found.shape == (192, 96, 3), "their originals"
    assert abs(found[[48, 144], 48, 0].astype(int) - levels).max() <= 6
    assert asked("mine", "train", "0", "b" * 40) == 404
    assert asked("mine", "train", "0") != 404, "the owner of the machine"
    assert asked("mine", "train", "0", **{"X-Forwarded-For": "192.0.2.1"}) == 404
    assert asked("mine", "train", "0", TOKEN, **{"Sec-Fetch-Site": "cross-site"}) == 404


def place(page: Page) -> tuple[int, int]:
    """The first and the last picture in view, counted from 1."""
    status = page.locator(".wall ~ p")
    expect(status).to_have_text(re.compile(r"^[\d,]+ to [\d,]+ of [\d,]+$"))
    first, last = status.inner_text().replace(",", "").split(" of ")[0].split(" to ")
    return int(first), int(last)


def painted(page: Page, number: int) -> np.ndarray:
    """The pixels of a picture of 28 x 28 as the browser has it, (28, 28)."""
    tile = page.locator(f'.wall li[data-place="{number}"][data-painted]')
    tile.wait_for()
    url, offset = tile.locator(".picture").evaluate(
        "part => [part.style.backgroundImage.slice(5, -2), parseFloat(part.style.backgroundPositionY)]"
    )
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("L"))
    top = round(offset / 100 * (len(sheet) - 28))
    return sheet[top : top + 28]


@pytest.mark.browser
def test_eighty_thousand_blocks_are_scrolled_through(page: Page, server: Server) -> None:
    blocks = aecore.load_dataset("blocks").train
    page.goto("/images?set=blocks")
    settle(page)
    np.testing.assert_array_equal(painted(page, 3), blocks.images[3, 0])
    first, last = place(page)
    assert first == 1
    assert page.locator(".wall li").count() < 100, "only what is in view is there"

    page.locator('.wall li[data-place="12"] button').click()
    page.wait_for_url(re.compile("row=12(&|$)"))
    settle(page)
    assert place(page)[0] == 1, "nothing moves under the hand"

    page.locator(".wall").hover()
    page.mouse.wheel(0, 400_000)
    page.wait_for_url(re.compile(r"from=\d{4,}"))
    settle(page)
    first, last = place(page)
    np.testing.assert_array_equal(painted(page, last - 1), blocks.images[last - 1, 0])
    address = page.url

    page.locator(f'.wall li[data-place="{last - 1}"] button').click()
    page.wait_for_url(re.compile(f"row={last - 1}(&|$)"))
    settle(page)
    expect(page.get_by_text(str(blocks.ids[last - 1]), exact=True).first).to_be_visible()
    assert abs(place(page)[0] - first) < 20, "what was in view stays there"
    page.goto("about:blank")
    page.goto(address)
    settle(page)
    assert place(page)[0] == first, "an address leads to the same place"

    page.locator('.wall button[tabindex="0"]').focus()
    page.keyboard.press("End")
    page.locator(f'.wall li[data-place="{len(blocks) - 1}"]').wait_for()
    assert place(page)[1] == len(blocks)
    np.testing.assert_array_equal(painted(page, len(blocks) - 1), blocks.images[-1, 0])
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"row={len(blocks) - 2}(&|$)"))


@pytest.mark.browser
def test_a_portion_that_fails_is_asked_for_again(page: Page, server: Server) -> None:
    page.route("**/assets/pictures/**", lambda route: route.abort())
    page.goto("/images?set=digits&only=3")
    expect(page.get_by_text("Some images did not arrive")).to_be_visible()
    page.unroute("**/assets/pictures/**")
    page.locator(".wall").hover()
    page.mouse.wheel(0, 300)
    page.locator(".wall li[data-painted]").first.wait_for()
    threes = np.flatnonzero(DIGITS.train.labels == 3)
    first = page.locator(".wall li[data-painted]").first
    number = int(first.get_attribute("data-place"))
    assert first.locator("button").get_attribute("title") == DIGITS.train.ids[threes[number]]
