"""The latent map in headless Chromium, with a real pointer."""

import csv
import io
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from conftest import Server, rarely, settle
from PIL import Image
from playwright.sync_api import Page, expect
from skimage.measure import points_in_poly

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
        self.split = aecore.load_dataset(self.checkpoint.run.dataset).split(split)
        self.codes = self.checkpoint.encode(self.split.images)
        self.left, self.right, self.bottom, self.top = bounds(self.codes)
        query = "&".join(f"{name}={value}" for name, value in {"run": run, "of": split, **parameters}.items())
        page.goto(f"/manifold?{query}")
        self.ready()

    def ready(self) -> None:
        expect(self.page.locator(".latent-map[data-ready]").first).to_be_visible(timeout=60_000)
        settle(self.page)

    @property
    def plot(self) -> dict[str, float]:
        return self.page.locator(".latent-map .nsewdrag").first.bounding_box()

    def pixel(self, place: np.ndarray) -> tuple[float, float]:
        """Where a place is on the screen, before one zooms."""
        ((x, y),) = self.pixels(np.asarray(place)[None]).tolist()
        return x, y

    def pixels(self, places: np.ndarray) -> np.ndarray:
        """Where places (n, 2) are on the screen, (n, 2)."""
        box = self.plot
        across = (places[:, 0] - self.left) / (self.right - self.left)
        down = (self.top - places[:, 1]) / (self.top - self.bottom)
        return np.stack([box["x"] + across * box["width"], box["y"] + down * box["height"]], axis=1)

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
        spots = self.pixels(self.codes)
        apart = np.hypot(*(spots[:, None] - spots[None]).transpose(2, 0, 1)) + np.eye(len(spots)) * 1e9
        inner = (np.abs(spots - spots.mean(axis=0)) < 0.35 * np.ptp(spots, axis=0)).all(axis=1)
        return np.argsort(-apart.min(axis=1) * inner)[:count].tolist()


def test_the_card_shows_the_image_under_the_pointer_and_its_reconstruction(page: Page) -> None:
    shown = Map(page, DIGITS, mode="points")
    for row in shown.lonely(3):
        shown.hover(shown.codes[row])
        expect(page.locator(f'.latent-map-card[data-shown="{row}"]')).to_be_visible()
        image = shown.split.images[row : row + 1]
        expect(page.get_by_text(f"Image {row} ·")).to_be_visible()
        assert np.abs(shown.card(0) - image[0, 0] / 255).mean() < 0.03
        assert np.abs(shown.card(1) - shown.checkpoint.reconstruct(image)[0, 0]).mean() < 0.03


def test_a_click_picks_the_row_under_the_pointer(page: Page) -> None:
    shown = Map(page, DIGITS, mode="points")
    for row in shown.lonely(2):
        page.mouse.click(*shown.pixel(shown.codes[row]))
        page.wait_for_url(re.compile(rf"row={row}(&|$)"))
        expect(page.get_by_text(f"Image {shown.split.ids[row]},")).to_be_visible()


def test_a_click_is_the_end_of_the_path_where_one_is_shown(page: Page) -> None:
    shown = Map(page, DIGITS, mode="points", tool="path")
    (row,) = shown.lonely(1)
    page.mouse.click(*shown.pixel(shown.codes[row]))
    page.wait_for_url(re.compile(rf"b={row}\b"))
    expect(page.get_by_label("To", exact=True)).to_have_value(str(row))


def test_a_lasso_selects_exactly_the_rows_that_numpy_finds(page: Page) -> None:
    """The corners in the address are what was drawn; scikit-image decides which codes they hold."""
    shown = Map(page, DIGITS, mode="points")
    page.get_by_role("button", name="Lasso").click()
    middle, size = np.median(shown.codes, axis=0), shown.codes.std(axis=0)
    corners = middle + size * [[-1, -0.4], [0.9, -0.8], [0.3, 0.1], [1.1, 0.9], [-0.7, 0.8]]
    drag(page, [shown.pixel(corner) for corner in [*corners, corners[0]]])
    page.wait_for_url(re.compile("area="))
    expect(page.get_by_text("images selected")).to_be_visible()
    settle(page)

    outline = np.array(shown.address()["area"].split(","), float).reshape(-1, 2)
    per_pixel = (shown.right - shown.left) / shown.plot["width"]
    for corner in corners:
        assert np.hypot(*(outline - corner).T).min() < 12 * per_pixel
    expected = np.flatnonzero(points_in_poly(shown.codes, outline))
    assert 50 < len(expected) < len(shown.codes)
    assert exported(page) == expected.tolist()

    settle(page)  # the export is over
    page.locator(".latent-map-stage").focus()  # it went to the Export button
    page.keyboard.press("Escape")
    page.wait_for_function("() => !location.search.includes('area=')")


def test_a_link_brings_back_mode_color_image_and_selection(page: Page) -> None:
    codes = aecore.showcase().load(DIGITS).encode(aecore.load_dataset("digits").train.images)
    low, high = np.quantile(codes, 0.4, axis=0), np.quantile(codes, 0.9, axis=0)
    corners = [low[0], low[1], high[0], low[1], high[0], high[1], low[0], high[1]]
    area = ",".join(f"{number:.4g}" for number in corners)
    shown = Map(page, DIGITS, mode="points", color="loss", tool="selection", row="7", area=area)
    assert {"mode": "points", "color": "loss", "row": "7", "area": area}.items() <= shown.address().items()
    outline = np.array(area.split(","), float).reshape(-1, 2)
    expected = np.flatnonzero(points_in_poly(shown.codes, outline))
    assert exported(page) == expected.tolist()
    expect(page.locator(".latent-map")).to_have_attribute("data-selected", str(len(expected)))
    page.reload()
    shown.ready()
    assert exported(page) == expected.tolist()


def test_a_selection_stays_with_its_map_through_split_color_and_mode(page: Page) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    codes = aecore.showcase().load(DIGITS).encode(aecore.load_dataset("digits").train.images)
    low, high = np.quantile(codes, 0.3, axis=0), np.quantile(codes, 0.8, axis=0)
    corners = [low[0], low[1], high[0], low[1], high[0], high[1], low[0], high[1]]
    area = ",".join(f"{number:.4g}" for number in corners)
    shown = Map(page, DIGITS, mode="points", tool="selection", area=area)
    map = page.locator(".latent-map")
    outline = np.array(area.split(","), float).reshape(-1, 2)
    expected = str(points_in_poly(shown.codes, outline).sum())
    expect(map).to_have_attribute("data-selected", expected)
    segment = lambda words: page.get_by_role("radio", name=words, exact=True)  # noqa: E731
    segment("Test").click()
    expect(map).to_have_attribute("data-selected", "")
    segment("Training").click()
    expect(map).to_have_attribute("data-selected", expected)
    page.locator(".st-key-color input").click()
    page.get_by_role("option", name="loss").click()
    page.wait_for_url(re.compile("color=loss"))
    expect(map).to_have_attribute("data-selected", expected)
    for mode in ("Decoder", "Images", "Points"):
        segment(mode).click()
        expect(map).to_have_attribute("data-mode", mode.lower())
        expect(map).to_have_attribute("data-selected", expected)
    settle(page)
    assert not errors


def test_a_tile_has_a_rim_in_the_color_of_its_class(page: Page) -> None:
    Map(page, DIGITS, mode="images", color="class")
    count = """(canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
        let colored = 0
        for (let at = 0; at < data.length; at += 4)
            colored += data[at + 3] > 250 && Math.max(data[at], data[at + 1], data[at + 2]) -
                Math.min(data[at], data[at + 1], data[at + 2]) > 60
        return colored
    }"""
    under = page.locator(".latent-map-under")
    page.wait_for_function("() => document.querySelector('.latent-map-under').width > 0")
    for _ in range(40):
        if under.evaluate(count) > 1000:
            return
        page.wait_for_timeout(250)
    raise AssertionError("gray images have no color but that of their rims")


def test_one_finger_scrolls_and_two_move_the_map(page: Page) -> None:
    """What a finger does is left to the browser; of two, the map takes the way."""
    Map(page, DIGITS, mode="points")
    touch = """([type, ...places]) => {
        const target = document.querySelector(".latent-map .nsewdrag")
        const finger = ([clientX, clientY], identifier) => new Touch({ identifier, target, clientX, clientY })
        const touches = places.map(finger)
        const event = new TouchEvent(type, { touches, targetTouches: touches, bubbles: true, cancelable: true })
        target.dispatchEvent(event)
        return event.defaultPrevented
    }"""
    before = view(page)
    assert not page.evaluate(touch, ["touchstart", [400, 400]])
    assert not page.evaluate(touch, ["touchmove", [400, 300]])
    assert view(page) == before
    page.evaluate(touch, ["touchstart", [400, 400], [500, 400]])
    assert page.evaluate(touch, ["touchmove", [450, 450], [550, 450]])
    page.wait_for_function(
        "(left) => document.querySelector('.latent-map-plot').layout.xaxis.range[0] !== left", arg=before[0]
    )
    after = view(page)
    assert after[0] < before[0]
    assert after[1] - after[0] == pytest.approx(before[1] - before[0], rel=1e-3)


def test_a_class_picked_in_the_legend_is_all_that_is_shown_and_selected(page: Page) -> None:
    shown = Map(page, DIGITS, mode="points")
    page.locator(".legendtoggle").nth(3).click()
    threes = shown.split.labels == 3
    expect(page.get_by_text(f"{threes.sum():,} shown")).to_be_visible()
    page.get_by_role("button", name="Box").click()
    box = shown.plot
    low, high = (box["x"] + 3, box["y"] + 3), (box["x"] + box["width"] - 3, box["y"] + box["height"] - 3)
    drag(page, [low, high])
    page.wait_for_url(re.compile("area="))
    expect(page.get_by_text("images selected")).to_be_visible()
    settle(page)
    outline = np.array(shown.address()["area"].split(";")[0].split(","), float).reshape(-1, 2)
    expected = np.flatnonzero(points_in_poly(shown.codes, outline) & threes)
    assert exported(page) == expected.tolist()


def test_zoom_and_picked_image_survive_reruns(page: Page) -> None:
    shown = Map(page, DIGITS, mode="points")
    whole = view(page)
    x, y = shown.pixel(np.median(shown.codes, axis=0))
    page.mouse.move(x, y)
    for _ in range(5):
        page.mouse.wheel(0, -200)
        page.wait_for_timeout(200)
    zoomed = view(page)
    assert zoomed[1] - zoomed[0] < 0.9 * (whole[1] - whole[0])

    row = int(np.square(shown.codes - [sum(zoomed[:2]) / 2, sum(zoomed[2:]) / 2]).sum(axis=1).argmin())
    across = (shown.codes[row, 0] - zoomed[0]) / (zoomed[1] - zoomed[0])
    down = (zoomed[3] - shown.codes[row, 1]) / (zoomed[3] - zoomed[2])
    box = shown.plot
    page.mouse.click(float(box["x"] + across * box["width"]), float(box["y"] + down * box["height"]))
    page.wait_for_url(re.compile(rf"row={row}(&|$)"))
    for label in ("Dice", "Images", "Path", "Decoder", "Selection", "Points", "Image"):
        page.get_by_test_id("stMain").get_by_role("radio", name=label, exact=True).first.click()
        settle(page)
    assert view(page) == pytest.approx(zoomed)
    page.wait_for_url(re.compile(rf"row={row}(&|$)"))
    expect(page.get_by_label("Image number")).to_have_value(str(row))


@pytest.mark.parametrize(("run", "split"), [(DIGITS, "train"), (BLOCKS, "test")])
def test_images_stand_in_cells_each_the_one_nearest_the_middle(run: str, split: str, page: Page) -> None:
    shown = Map(page, run, split, mode="images", tile="40")
    box = shown.plot
    count = round(box["width"] / 40), round(box["height"] / 40)
    low, size = np.array([shown.left, -shown.top]), np.array([shown.right - shown.left, shown.top - shown.bottom])
    place = (shown.codes * [1, -1] - low) / size * count
    cells = np.floor(place).astype(int)
    off = np.square(place - cells - 0.5).sum(axis=1)
    checked = 0
    for cell in np.unique(cells, axis=0)[::9]:
        rows = np.flatnonzero((cells == cell).all(axis=1))
        x, y = (cell + 0.5) / count
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        best = [int(row) for row in rows if off[row] < off[rows].min() + 1e-6]
        expect(page.locator(f'.latent-map-card[data-shown="{best[0]}"]')).to_be_visible()
        assert np.abs(shown.card() - shown.split.images[best[0], 0] / 255).mean() < 0.04
        checked += 1
    assert checked >= 5


@pytest.mark.parametrize("run", [DIGITS, BLOCKS])
def test_the_picture_at_the_pointer_is_what_the_decoder_makes_of_the_place(run: str, page: Page) -> None:
    shown = Map(page, run, mode="decoder")
    wrong = []
    for place in np.random.default_rng(0).uniform(-1.8, 1.8, (6, 2)):
        shown.hover(place)
        expect(page.locator('.latent-map-card[data-shown="place"][data-by="decoder"]')).to_be_visible()
        words = page.locator(".latent-map-caption").inner_text()
        where = [float(number) for number in re.findall(r"-?\d+\.\d+", words)[:2]]
        assert where == pytest.approx(place.tolist(), abs=0.02)
        shifts = np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]) * 0.02
        around = shown.checkpoint.decode(np.array(where) + shifts)[:, 0]
        wrong.append(np.abs(shown.card() - around).mean(axis=(1, 2)))
    wrong = np.mean(wrong, axis=0)
    assert wrong[0] < 0.004, "the words have two decimals, the picture has all"
    assert (wrong[0] < wrong[1:]).all(), wrong

    page.mouse.click(*shown.pixel(np.array([0.5, -0.7])))
    page.wait_for_url(re.compile("x=.*y=|y=.*x="))
    address = shown.address()
    assert (float(address["x"]), float(address["y"])) == pytest.approx((0.5, -0.7), abs=0.02)
    expect(page.get_by_text(f"Decoded from ({float(address['x']):.2f}, {float(address['y']):.2f})")).to_be_visible()


def test_the_keyboard_picks_an_image_too(page: Page) -> None:
    shown = Map(page, DIGITS, mode="points")
    field = page.get_by_label("Image number")
    field.fill("11")
    field.press("Enter")
    expect(page.get_by_text(f"Image {shown.split.ids[11]},")).to_be_visible()
    expect(page.get_by_role("application", name=re.compile("Map of images by their codes: 1,437"))).to_be_visible()


@pytest.mark.parametrize(
    ("run", "mode"), [(DIGITS, "images"), rarely(DIGITS, "points"), rarely(DIGITS, "decoder"), (BLOCKS, "decoder")]
)
def test_the_picture_that_is_saved_is_what_is_on_the_screen(run: str, mode: str, page: Page) -> None:
    Map(page, run, mode=mode)
    page.mouse.move(5, 5)
    expect(page.locator(".latent-map-card[data-shown]:not([data-shown=''])")).to_have_count(0)
    page.wait_for_timeout(500)
    shown = Image.open(io.BytesIO(page.locator(".latent-map-stage").screenshot())).convert("RGB")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save", exact=True).click()
    assert re.fullmatch(r"[\w-]+\.png", download.value.suggested_filename)
    saved = Image.open(download.value.path()).convert("RGB")
    saved = saved.resize((saved.width // 2, saved.height // 2), Image.Resampling.BOX)
    assert abs(saved.width - shown.width) <= 1
    saved = saved.crop((0, saved.height - shown.height, *saved.size))
    there, here = (np.asarray(each, float)[:, : min(saved.width, shown.width)] for each in (saved, shown))
    assert np.abs(there - here).mean() < 0.3 * np.abs(here - here[0, 0]).mean(), "edges are drawn twice as sharp"


@pytest.fixture
def without_webgl(page: Page) -> Iterator[Page]:
    with page.add_init_script(NO_WEBGL):
        yield page


def test_without_webgl_few_points_are_drawn_and_it_says_so(without_webgl: Page) -> None:
    shown = Map(without_webgl, DIGITS, mode="points")
    expect(without_webgl.get_by_text("Drawn without WebGL")).to_be_visible()
    expect(without_webgl.locator(".latent-map .scatterlayer path.point")).to_have_count(len(shown.split))
    (row,) = shown.lonely(1)
    shown.hover(shown.codes[row])
    expect(without_webgl.locator(f'.latent-map-card[data-shown="{row}"]')).to_be_visible()


def test_without_webgl_many_points_are_too_many_and_it_says_so(without_webgl: Page) -> None:
    Map(without_webgl, BLOCKS, mode="points", color="none")
    expect(without_webgl.get_by_text("no WebGL: the first 2,000 points are drawn")).to_be_visible()
    expect(without_webgl.locator(".latent-map .scatterlayer path.point")).to_have_count(2000)


def test_a_host_without_the_route_sends_the_script_with_the_page(page: Page) -> None:
    page.route("**/assets/plotly.min.js", lambda route: route.fulfill(content_type="text/html", body="<html></html>"))
    shown = Map(page, DIGITS, mode="points")
    (row,) = shown.lonely(1)
    shown.hover(shown.codes[row])
    expect(page.locator(f'.latent-map-card[data-shown="{row}"]')).to_be_visible()


@pytest.fixture
def many(server: Server, digits_runs: list[aecore.Checkpoint]) -> Iterator[str]:
    """A run with codes of 16 units, in the server's home."""
    store = aecore.Store(server.home / "runs")
    store.save(digits_runs[1])
    yield digits_runs[1].run.id
    store.delete(digits_runs[1].run.id)


def test_tsne_is_laid_out_when_asked_and_named_with_its_trust(page: Page, many: str) -> None:
    page.goto(f"/manifold?run={many}&mode=points&by=tsne")
    settle(page)
    line = page.locator(".latent-map-line")
    expect(line).to_contain_text("PCA of 16 units, trustworthiness 0.")
    page.get_by_role("button", name="Lay out by t-SNE").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Lay out by t-SNE")).to_be_visible()
    expect(line).to_contain_text("PCA of 16 units")
    page.get_by_role("button", name="Lay out by t-SNE").click()
    expect(line).to_contain_text("t-SNE of 16 units, trustworthiness 0.9", timeout=120_000)


def test_an_image_goes_on_to_denoise_and_search(page: Page, many: str) -> None:
    for of, label, path, row in (("test", "Use in Denoise", "denoise", 9), ("train", "Find similar", "search", 12)):
        page.goto(f"/manifold?run={many}&of={of}&row={row}")
        settle(page)
        page.get_by_role("button", name=label).click()
        page.wait_for_url(re.compile(rf"/{path}\?.*image={row}"))
        words = {"test": "Test", "train": "Training"}[of]
        expect(page.get_by_label(re.compile(f"^{words} image"))).to_have_value(str(row))
        settle(page)
        assert parse_qs(urlparse(page.url).query)["run"] == [many]


NO_WEBGL = """
const before = HTMLCanvasElement.prototype.getContext
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind.includes("webgl") ? null : before.call(this, kind, ...rest)
}
"""


def drag(page: Page, spots: list[tuple[float, float]]) -> None:
    page.mouse.move(*spots[0])
    page.mouse.down()
    for spot in spots[1:]:
        page.mouse.move(*spot, steps=12)
    page.mouse.up()


def view(page: Page) -> list[float]:
    """Left, right, bottom, top of what is shown."""
    return page.locator(".latent-map-plot").evaluate("plot => [...plot.layout.xaxis.range, ...plot.layout.yaxis.range]")


def exported(page: Page) -> list[int]:
    """Rows of the selection, from the file that the page exports."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Table", exact=True).click()
    with open(download.value.path(), newline="") as file:
        return [int(row["row"]) for row in csv.DictReader(file)]
