"""Every way between the pages leads where it says: the right run, the same image, one step of the history per act.

A table of journeys through the default runs, each walked in Chromium by the controls that a visitor has. The normal
suite walks a covering selection on one server; `pytest -m ways` walks all of them, and every page to every page.
"""

import io
import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from conftest import ROOT, Server, serving, settle
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

import aecore
from aecore import models
from aecore.process.jobs import Job, tell

pytestmark = [pytest.mark.browser, pytest.mark.fashion]

RECIPES = aecore.RECIPES
OPENING = {
    "manifold": "blocks-map", "denoise": "fashion-denoise", "search": "fashion-search", "classify": "fashion-labels",
}  # fmt: skip
SANDAL = 1284
"""The opening query of Search."""
PAGES = ["home", "train", *OPENING]
OWN = [
    aecore.Run("digits", models.VAE(latent=2), loss="kl", epochs=1),
    aecore.Run("digits", models.Vanilla(latent=16), epochs=1),
    aecore.Run("blocks", models.Vanilla(latent=3), network="shallow", width=32, epochs=1),
]


class Visitor:
    """Somebody at the app: what they do, and what has to be in front of them."""

    def __init__(self, context: BrowserContext) -> None:
        self.context, self.page = context, context.new_page()
        self.page.set_default_timeout(30_000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    # What they do.

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.wait()

    def menu(self, name: str) -> None:
        self.page.get_by_role("link", name=name.capitalize(), exact=True).first.click()
        expect(self.page).to_have_url(re.compile(rf"{'' if name == 'home' else name}/?(\?.*)?$"))
        self.wait()

    def press(self, words: str | re.Pattern) -> None:
        self.page.get_by_role("button", name=words, exact=isinstance(words, str)).first.click()
        self.wait()

    def follow(self, words: str | re.Pattern, to: str) -> None:
        """Press what leads to another page."""
        part = self.page.get_by_role("button", name=words, exact=isinstance(words, str))
        (part if part.count() else self.page.get_by_role("link", name=words)).first.click()
        self.page.wait_for_url(re.compile(rf"/{to}(\?|$)"))
        self.wait()

    def choose(self, words: str) -> None:
        """One of the segments."""
        with self.new_address():
            self.page.get_by_test_id("stButtonGroup").get_by_text(words, exact=True).first.click()

    def pick(self, run: aecore.Run | str) -> None:
        with self.new_address():
            self.page.locator(".st-key-run input").click()
            self.page.get_by_role("option", name=title(run), exact=True).click()

    def write(self, label: str, value: object) -> None:
        field = self.page.get_by_label(re.compile(label)).first
        with self.new_address():
            field.fill(str(value))
            field.press("Enter")

    def back(self) -> None:
        with self.new_address():
            self.page.go_back()

    def forward(self) -> None:
        with self.new_address():
            self.page.go_forward()

    def reload(self) -> None:
        self.page.reload()
        self.wait()

    def copy(self, browser: Browser) -> "Visitor":
        """The same address in a browser of somebody else."""
        other = Visitor(browser.new_context(viewport=self.page.viewport_size))
        other.open(self.page.url)
        return other

    @contextmanager
    def new_address(self) -> Iterator[None]:
        before = self.page.url
        yield
        self.page.wait_for_url(lambda url: url != before)
        assert self.page.url != "about:blank", "that led out of the site"
        self.wait()

    def wait(self) -> None:
        self.page.wait_for_timeout(250)  # the act has to reach the server before the page can be waited for
        settle(self.page)

    # What has to be there.

    def sees(self, page: str, run: "aecore.Run | str | None" = None, image: tuple[str, str, int] | None = None) -> None:
        expect(self.page).to_have_url(re.compile(rf"^[^?]*:\d+/{'' if page == 'home' else page}/?(\?.*)?$"))
        expect(self.page.get_by_text(re.compile("No autoencoder is trained|is damaged"))).to_have_count(0)
        if run:
            expect(self.page.locator(".st-key-run input")).to_have_value(title(run))
        if image:
            self.sees_image(*image)
        assert not self.errors

    def sees_image(self, name: str, split: str, row: int) -> None:
        """One of the large pictures is this image of the set, pixel by pixel."""
        image = aecore.load_dataset(name).split(split).images[row, 0]
        for _ in range(40):
            found = [picture for picture in self.pictures() if picture.shape[0] % image.shape[0] == 0]
            step = [picture.shape[0] // image.shape[0] for picture in found]
            small = [part[s // 2 :: s, s // 2 :: s] for part, s in zip(found, step, strict=True)]
            if any(part.shape == image.shape and np.abs(part.astype(int) - image).max() <= 2 for part in small):
                return
            self.page.wait_for_timeout(250)
        raise AssertionError(f"none of {len(found)} pictures is image {row} of {name} {split}")

    def pictures(self) -> Iterator[np.ndarray]:
        for source in self.page.locator("[data-testid=stMain] [data-testid=stImage] img").evaluate_all(
            "images => images.map((image) => image.src)"
        ):
            answer = self.page.request.get(source)
            if answer.ok:
                yield np.asarray(Image.open(io.BytesIO(answer.body())).convert("L"))

    def parameter(self, name: str) -> str | None:
        return parse_qs(urlparse(self.page.url).query).get(name, [None])[0]

    def steps(self) -> int:
        return self.page.evaluate("history.length")


def title(run: aecore.Run | str) -> str:
    return RECIPES[run].title if isinstance(run, str) else run.title


@pytest.fixture
def visitor(browser: Browser, ways: Server) -> Iterator[Visitor]:
    context = browser.new_context(viewport={"width": 1366, "height": 768}, base_url=ways.url)
    yield Visitor(context)
    context.close()


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an empty home, whose visitors are strangers."""
    with serving(tmp_path_factory.mktemp("ways")) as server:
        yield server


@pytest.fixture(params=["none of one's own", "one in training", "several"])
def owned(request: pytest.FixtureRequest, ways: Server) -> Iterator[str]:
    """What the home holds besides the shipped runs."""
    store, made = aecore.Store(ways.home / "runs"), []
    if request.param == "several":
        for run in OWN:
            store.save(next(aecore.train(run)))
            made.append(run.id)
    elif request.param == "one in training":
        run = OWN[0]
        tell(store.create(run), {"state": "waiting", "pid": None})
        made.append(run.id)
    yield request.param
    for id in made:
        store.delete(id)


# Journeys. Each starts with an empty browser; what it does and what it must find stand beside each other.


def first_page_change(v: Visitor, _: Browser) -> None:
    v.open("/")
    for name in ("manifold", "search", "denoise", "manifold"):
        v.menu(name)
        v.sees(name, OPENING[name])


def from_home(v: Visitor, _: Browser) -> None:
    v.open("/search")
    v.pick("fashion-map")
    v.menu("home")
    v.follow("See the map", "manifold")
    v.sees("manifold", "blocks-map")
    expect(v.page.locator(".latent-map-line")).to_contain_text("80,000 training images", timeout=60_000)
    v.menu("home")
    v.follow("Search", "search")
    v.sees("search", "fashion-search")


def a_pick_goes_along(v: Visitor, _: Browser) -> None:
    v.open("/manifold")
    v.pick("fashion-map")
    for name in ("search", "denoise", "classify", "manifold"):
        v.menu(name)
        v.sees(name, "fashion-map")
    v.pick("blocks-map")
    v.menu("classify")
    v.sees("classify", "blocks-map")
    v.press(title("fashion-labels"))  # blocks have no classes: the page offers a run that has
    v.sees("classify", "fashion-labels")
    v.menu("search")
    v.sees("search", "blocks-map")


def an_image_to_its_place_and_back(v: Visitor, _: Browser) -> None:
    v.open("/search")
    v.page.get_by_role("link", name=re.compile("^Locate on the map")).nth(1).click()
    v.page.wait_for_url(re.compile(r"/manifold\?"))
    v.wait()
    row = int(v.parameter("row") or 0)
    v.sees("manifold", "fashion-search", ("fashion_mnist", "train", row))
    v.follow("Find similar", "search")
    v.sees("search", "fashion-search", ("fashion_mnist", "train", row))
    v.back()
    v.sees("manifold", "fashion-search", ("fashion_mnist", "train", row))
    v.follow("Use in Denoise", "denoise")
    v.sees("denoise", "fashion-search", ("fashion_mnist", "train", row))
    v.menu("search")
    v.sees("search", "fashion-search", ("fashion_mnist", "train", row))


def outliers_to_the_map(v: Visitor, _: Browser) -> None:
    v.open("/search?act=outliers")
    link = v.page.locator(".st-key-outliers a").nth(2)
    expect(link).to_be_visible(timeout=90_000)
    link.click()
    v.page.wait_for_url(re.compile(r"/manifold\?"))
    v.wait()
    v.sees("manifold", "fashion-search", ("fashion_mnist", "train", int(v.parameter("row"))))


def blocks_from_the_map(v: Visitor, _: Browser) -> None:
    v.open("/manifold")
    v.write(r"^Image \(row\)$", 4321)
    v.sees("manifold", "blocks-map", ("blocks", "train", 4321))
    v.follow("Find similar", "search")
    v.sees("search", "blocks-map", ("blocks", "train", 4321))
    v.menu("denoise")  # it was led to blocks, not picked for all pages
    v.sees("denoise", "fashion-denoise")


def back_and_forward(v: Visitor, _: Browser) -> None:
    v.open("/manifold")
    v.choose("Points")
    v.choose("Decoder")
    v.menu("search")
    v.write("^Test image", 9)
    with v.new_address():
        v.page.locator(".st-key-hits button.tile").nth(2).click()
    hit = int(v.parameter("image"))
    steps = v.steps()
    v.sees("search", "fashion-search", ("fashion_mnist", "train", hit))
    v.back()
    v.sees("search", "fashion-search", ("fashion_mnist", "test", 9))
    v.back()
    v.sees("search", "fashion-search", ("fashion_mnist", "test", SANDAL))
    v.back()
    v.sees("manifold", "blocks-map")
    assert v.parameter("mode") == "decoder"
    v.back()
    assert v.parameter("mode") == "points"
    v.back()
    assert v.parameter("mode") is None
    expect(v.page.locator(".latent-map")).to_have_attribute("data-mode", "images")
    for _ in range(5):
        v.forward()
    v.sees("search", "fashion-search", ("fashion_mnist", "train", hit))
    assert v.steps() == steps, "walking adds no step"


def back_over_a_pick(v: Visitor, _: Browser) -> None:
    v.open("/search")
    v.menu("manifold")
    v.pick("digits-map")
    v.menu("search")
    v.sees("search", "digits-map")
    v.back()
    v.sees("manifold", "digits-map")
    v.back()
    v.sees("manifold", "blocks-map")
    v.back()
    v.sees("search", "fashion-search")


def reload_and_copy(v: Visitor, browser: Browser) -> None:
    v.open("/manifold")
    v.pick("fashion-map")
    v.choose("Training")
    v.choose("Path")
    v.write("^From$", 5)
    v.write("^To$", 77)
    v.sees("manifold", "fashion-map")
    v.reload()
    v.sees("manifold", "fashion-map")
    other = v.copy(browser)
    other.sees("manifold", "fashion-map")
    assert (other.parameter("a"), other.parameter("b"), other.parameter("of")) == ("5", "77", "train")
    assert [*map(np.ndarray.tolist, other.pictures())] == [*map(np.ndarray.tolist, v.pictures())]
    other.menu("search")
    other.sees("search", "fashion-map")
    other.context.close()


def two_tabs(v: Visitor, _: Browser) -> None:
    v.open("/search")
    other = Visitor(v.context)
    other.open("/search")
    other.pick("digits-map")
    v.menu("manifold")
    v.sees("manifold", "blocks-map")
    other.menu("denoise")
    other.sees("denoise", "digits-map")


def a_drawing_goes_along(v: Visitor, _: Browser) -> None:
    v.open("/search")
    v.choose("Draw")
    box = v.page.get_by_label(re.compile("^Drawing board")).bounding_box()
    v.page.mouse.move(box["x"] + 40, box["y"] + 40)
    v.page.mouse.down()
    v.page.mouse.move(box["x"] + 120, box["y"] + 130, steps=5)
    v.page.mouse.up()
    expect(v.page.get_by_text("Your drawing", exact=True)).to_be_visible()
    v.wait()
    drawn = next(picture.tolist() for picture in v.pictures())
    v.menu("denoise")
    expect(v.page.get_by_text("Clean · Your drawing")).to_be_visible()
    v.menu("search")
    expect(v.page.get_by_text("Your drawing", exact=True)).to_be_visible()
    assert drawn in [picture.tolist() for picture in v.pictures()]


def reset(v: Visitor, _: Browser) -> None:
    v.open("/manifold")
    v.pick("digits-map")
    v.choose("Points")
    v.menu("search")
    v.sees("search", "digits-map")
    v.press("Reset all pages")
    v.sees("search", "fashion-search", ("fashion_mnist", "test", SANDAL))
    v.menu("manifold")
    v.sees("manifold", "blocks-map")
    assert urlparse(v.page.url).query == ""
    v.pick("digits-map")
    v.open("/denoise?reset=1")
    v.sees("denoise", "fashion-denoise")
    assert urlparse(v.page.url).query == ""


def a_mistake_to_its_image(v: Visitor, _: Browser) -> None:
    v.open("/classify")
    v.page.locator(".st-key-mistakes button.tile").nth(1).click()
    v.page.wait_for_url(re.compile(r"/search\?"))
    v.wait()
    v.sees("search", "fashion-labels", ("fashion_mnist", "test", int(v.parameter("image") or 0)))


def hostile_addresses(v: Visitor, _: Browser) -> None:
    for page, names in (
        ("manifold", ("row", "x", "tile", "a", "dice", "frame")), ("search", ("image", "k", "near")),
        ("denoise", ("level", "image", "times")), ("classify", ("labels", "draw")), ("home", ("unit-1",)),
        ("train", ("moment", "latent", "lr", "epochs")),
    ):  # fmt: skip
        for word in ("inf", "nan", "1e999"):
            v.open(f"/{'' if page == 'home' else page}?" + "&".join(f"{name}={word}" for name in names))
            v.sees(page)


JOURNEYS: list[Callable[[Visitor, Browser], None]] = [
    first_page_change, from_home, a_pick_goes_along, an_image_to_its_place_and_back, outliers_to_the_map,
    blocks_from_the_map, back_and_forward, back_over_a_pick, reload_and_copy, two_tabs, a_drawing_goes_along, reset,
    a_mistake_to_its_image, hostile_addresses,
]  # fmt: skip
COVERING = [first_page_change, an_image_to_its_place_and_back, back_over_a_pick]


ONE_ENTRY = [
    (["act", "/?a=1", "slow", "/train?a=1"], ["/train?a=1"]),  # a button that leads to another page, on a busy machine
    (
        ["act", "/?a=1", "act", "/train?a=1"],
        ["/?a=1", "/train?a=1"],
    ),  # a choice, and the menu to a page with the same words
    (["act", "/?a=1", "act", "/train"], ["/?a=1", "/train"]),  # a choice, and at once the menu
    (["act", "act", "/?a=1", "/train"], ["/?a=1", "/train"]),  # the menu before the address of the choice
    (["act", "/train", "/train?a=1"], ["/train?a=1"]),  # a page that completes its address
    (["act", "/train", "act", "/search"], ["/train", "/search"]),
    (["act", "/", "slow", "/train"], ["/train"]),  # a button to a page in its opening view
]

WALKED = "navigation.entries().map(({url}) => url.slice(location.origin.length))"


HISTORY = (ROOT / "pages" / "components" / "history.js").read_text().replace("export default function", "function it")


@pytest.fixture
def blank(page: Page) -> Page:
    """An empty page of the site's, in a tab without a history."""
    page = page.context.new_page()
    page.route("**/*", lambda route: route.fulfill(content_type="text/html", body="<p>Nothing</p>"))
    page.goto("/")
    return page


@pytest.mark.parametrize(("happens", "entries"), ONE_ENTRY)
def test_one_act_is_one_entry_of_the_history(happens: list[str], entries: list[str], blank: Page) -> None:
    blank.evaluate(f"{HISTORY} it();")
    before = len(blank.evaluate(WALKED))
    for step in happens:
        if step == "act":
            blank.evaluate("dispatchEvent(new PointerEvent('pointerdown'))")
        elif step == "slow":
            blank.wait_for_timeout(700)
        else:
            blank.evaluate("url => history.pushState({}, '', url)", step)
    assert blank.evaluate(WALKED)[before:] == entries


@pytest.mark.parametrize(("acts", "more"), [(True, 1), (False, 0)])
def test_an_act_before_the_script_is_there_is_an_entry_too(acts: bool, more: int, blank: Page) -> None:
    """Or else who opens a page and at once goes to another gets from there, by Back, out of the site."""
    if acts:
        blank.mouse.click(2, 400)
    blank.evaluate(f"{HISTORY} it();")
    before = len(blank.evaluate(WALKED))
    blank.evaluate("history.pushState({}, '', '/train')")
    assert len(blank.evaluate(WALKED)) == before + more


@pytest.mark.parametrize("journey", COVERING, ids=lambda journey: journey.__name__)
def test_a_way(journey: Callable[[Visitor, Browser], None], visitor: Visitor, browser: Browser) -> None:
    journey(visitor, browser)


@pytest.mark.ways
@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.__name__)
def test_every_way(journey: Callable[[Visitor, Browser], None], owned: str, visitor: Visitor, browser: Browser) -> None:
    journey(visitor, browser)


@pytest.mark.ways
@pytest.mark.parametrize(("start", "end"), list(itertools.permutations(PAGES, 2)))
def test_every_page_to_every_page(start: str, end: str, visitor: Visitor) -> None:
    """There by the menu, back, and there again; each page on its own run."""
    visitor.open("/" if start == "home" else f"/{start}")
    for name, go in ((end, lambda: visitor.menu(end)), (start, visitor.back), (end, visitor.forward)):
        go()
        visitor.sees(name, OPENING.get(name))


@pytest.mark.ways
def test_a_run_in_training_leads_on_when_it_is_there(visitor: Visitor, ways: Server) -> None:
    visitor.open("/train?dataset=digits&flavor=vae&epochs=40&latent=2")
    visitor.page.get_by_role("button", name="Train", exact=True).click()
    visitor.page.wait_for_url(re.compile("run=digits-vae"))
    run = aecore.Store(Path(ways.home) / "runs").run(visitor.parameter("run"))
    visitor.menu("search")
    visitor.sees("search", "fashion-search")  # training is a pick for Train alone
    visitor.menu("train")
    visitor.sees("train", run)
    visitor.follow("See its map", "manifold")
    visitor.sees("manifold", run)
    visitor.menu("search")
    visitor.sees("search", run)
    Job(ways.home / "runs" / run.id).stop()
