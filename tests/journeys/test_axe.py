"""Every page as the first visit, and a step of each kind in the lessons: all is there, and axe-core is content."""

from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import settle
from playwright.sync_api import Page, expect

from aecore.recipes import RECIPES
from pages.acts.map import MODES

pytestmark = pytest.mark.browser
DIGITS, CLOTHES = (f"run={RECIPES[name].run.id}" for name in ("digits-map", "fashion-search"))
MAP = ".latent-map[data-ready]"
TILE = ".tile"
SLIDER = "input[type=range]"
PICTURE = "[data-testid=stMain] [data-testid=stImage] img"
BUTTON = "[data-testid=stMain] button"
CHART = "[data-testid=stVegaLiteChart] svg"
PAGES = {
    "/": ".plane .handle",
    "/lessons": "[data-testid=stPageLink]",
    "/train": CHART,
    "/denoise": TILE,
    f"/search?{DIGITS}": TILE,
    f"/classify?{DIGITS}": CHART,
    "/images?row=3": ".wall button.chosen",
    "/about": "[data-testid=stTable]",
}
"""Address -> what is there once the page has been drawn. Digits are quick."""
ACTS = {
    "/train?moment=1&log=true": CHART,
    "/manifold?tool=path": MAP,
    "/manifold?tool=selection&area=-1,-1,1,-1,0,1": MAP,
    "/manifold?tool=dice": MAP,
    "/manifold?tool=trust": CHART,
    "/manifold": MAP,
    f"/manifold?{CLOTHES}&mode=decoder": SLIDER,
    "/denoise?act=levels": CHART,
    "/denoise?act=set": "[data-testid=stFileUploader]",
    "/denoise?source=drawing": ".board",
    "/denoise?source=upload": "[data-testid=stFileUploader]",
    f"/search?{DIGITS}&act=duplicates": TILE,
    f"/search?{DIGITS}&act=outliers": TILE,
    "/lessons?present=1": "[data-testid=stPageLink]",
}
STEPS = {
    "bottleneck&step=2": PICTURE,
    "search&step=2": TILE,
    "denoising&step=2&guesses=denoising.2:2": CHART,
    "variational": MAP,
    "variational&step=2": PICTURE,
    "walking&step=2": MAP,
    "nonlinear&step=2": PICTURE,
    "sparse&step=2": SLIDER,
    "collapse&step=3": CHART,
    "labels&step=2": BUTTON,
    "labels&step=3": CHART,
    "limits": ".board",
    "numbers": PICTURE,
    "contractive": PICTURE,
}
OFTEN = {*PAGES, "/lesson?name=bottleneck&step=2", "/lesson?name=denoising&step=2&guesses=denoising.2:2"}
"""In the light theme, these are looked at in every run of the tests; the rest takes minutes."""


def cases() -> list:
    """Every address in both themes; of lessons, all are about clothes."""
    lessons = {f"/lesson?name={step}": sign for step, sign in STEPS.items()}
    return [
        pytest.param(
            address, sign, theme, id=f"{address}-{theme}",
            marks=[pytest.mark.ways] * (theme == "dark" or address not in OFTEN)
            + [pytest.mark.fashion] * (address in lessons),
        )
        for (address, sign), theme in product((PAGES | ACTS | lessons).items(), ("light", "dark"))
    ]  # fmt: skip


def bars(page: Page) -> list[tuple[str, list[str], str]]:
    """What axe-core finds on a page that is serious or critical: the rule, where, and what to do."""
    return [
        (each["id"], node["target"], node["failureSummary"])
        for each in Axe().run(page).response["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(("address", "sign", "theme"), cases())
def test_nothing_bars_the_way(page: Page, address: str, sign: str, theme: str) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(address)
    expect(page.locator(sign).first).to_be_attached()
    settle(page)
    assert page.title()
    expect(page.get_by_text("router")).to_have_count(0)
    if "present" not in address:
        expect(page.get_by_role("link", name="Manifold").first).to_be_visible()
    assert bars(page) == []


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.ways)])
def test_nor_in_any_mode_of_the_map(page: Page, theme: str) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(f"/manifold?{DIGITS}")
    for mode, words in MODES.items():
        page.get_by_role("radio", name=words, exact=True).click()
        expect(page.locator(TILE if mode == "units" else f"{MAP}[data-mode={mode}]").first).to_be_attached()
        settle(page)
        assert bars(page) == [], mode
