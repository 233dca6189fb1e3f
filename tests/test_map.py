"""The latent map in headless Chromium, with a real pointer."""

import re
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from conftest import settle
from playwright.sync_api import Page, expect

import aecore
from aecore.manifold import bounds

pytestmark = pytest.mark.browser

DIGITS = aecore.RECIPES["digits-map"].run.id
BLOCKS = aecore.RECIPES["blocks-map"].run.id


class Map:
    """The map of a shipped run as a visitor sees it, and what numpy knows of it."""

    def __init__(self, page: Page, run: str, split: str = "train", **parameters: str) -> None:
        self.page, self.run = page, run
        self.checkpoint = aecore.showcase().load(run)
        self.split = getattr(aecore.load_dataset(self.checkpoint.run.dataset), split)
        self.codes = self.checkpoint.encode(self.split.images)
        self.left, self.right, self.bottom, self.top = bounds(self.codes)
        query = "&".join(f"{name}={value}" for name, value in {"run": run, "of": split, **parameters}.items())
        page.goto(f"/manifold?{query}")
        self.ready()

    def ready(self) -> None:
        expect(self.page.locator(".latent-map[data-ready]")).to_be_visible(timeout=60_000)
        settle(self.page)

    @property
    def plot(self) -> dict[str, float]:
        return self.page.locator(".latent-map .nsewdrag").bounding_box()

    def pixel(self, place: np.ndarray) -> tuple[float, float]:
        """Where a place is on the screen, before one zooms."""
        box = self.plot
        across = (float(place[0]) - self.left) / (self.right - self.left)
        down = (self.top - float(place[1])) / (self.top - self.bottom)
        return box["x"] + across * box["width"], box["y"] + down * box["height"]

    def pixels(self) -> np.ndarray:
        """All codes on the screen, (n, 2)."""
        return np.array([self.pixel(code) for code in self.codes])

    def address(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlparse(self.page.url).query).items()}

    def hover(self, place: np.ndarray) -> None:
        x, y = self.pixel(place)
        self.page.mouse.move(x - 1, y)
        self.page.mouse.move(x, y)

    def card(self, number: int = 0) -> np.ndarray:
        """A picture on the card under the pointer, (h, w) in [0, 1]."""
        read = """(canvas) => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
            return [canvas.height, canvas.width, ...data.filter((_, place) => place % 4 === 0)]
        }"""
        height, width, *values = self.page.locator(".latent-map-card canvas").nth(number).evaluate(read)
        return np.array(values).reshape(height, width) / 255

    def lonely(self, count: int) -> list[int]:
        """Rows whose codes are farthest from any other on the screen, none of them at its rim."""
        spots = self.pixels()
        apart = np.hypot(*(spots[:, None] - spots[None]).transpose(2, 0, 1)) + np.eye(len(spots)) * 1e9
        inner = (np.abs(spots - spots.mean(axis=0)) < 0.35 * np.ptp(spots, axis=0)).all(axis=1)
        return np.argsort(-apart.min(axis=1) * inner)[:count].tolist()


def test_the_card_shows_the_image_under_the_pointer_and_its_reconstruction(page: Page) -> None:
    shown = Map(page, DIGITS, mode="Points")
    for row in shown.lonely(3):
        shown.hover(shown.codes[row])
        expect(page.locator(f'.latent-map-card[data-shown="{row}"]')).to_be_visible()
        image = shown.split.images[row : row + 1]
        expect(page.get_by_text(f"Image {row} ·")).to_be_visible()
        assert np.abs(shown.card(0) - image[0, 0] / 255).mean() < 0.03
        assert np.abs(shown.card(1) - shown.checkpoint.reconstruct(image)[0, 0]).mean() < 0.03


def test_a_click_picks_the_row_under_the_pointer(page: Page) -> None:
    shown = Map(page, DIGITS, mode="Points")
    for row in shown.lonely(2):
        page.mouse.click(*shown.pixel(shown.codes[row]))
        page.wait_for_url(re.compile(rf"row={row}(&|$)"))
        expect(page.get_by_text(f"Image {shown.split.ids[row]},")).to_be_visible()
