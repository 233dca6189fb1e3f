"""Images that follow a slider under the hand: in the browser what torch makes of it; let go, what the server draws."""

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import Server, run_of, settle, texts, visit
from playwright.sync_api import Locator, Page, expect
from test_plane import PIXELS as CANVAS

import aecore
from aecore import models
from aecore.manifold import traverse
from aecore.noise import NOISES, corrupt
from aecore.runs import Checkpoint

pytestmark = pytest.mark.browser

PIXELS = """async (image, [height, width]) => {
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(image, 0, 0, width, height);
  return Array.from(pen.getImageData(0, 0, width, height).data).filter((_, place) => place % 4 === 0);
}"""
DIGITS = aecore.load_dataset("digits").test.images


def shown(page: Page, key: str) -> np.ndarray:
    return np.array(page.locator(f".st-key-{key} img").evaluate(PIXELS, [8, 8])).reshape(1, 8, 8)


def is_by(page: Page, key: str, browser: bool) -> None:
    """Who drew the image."""
    expect(page.locator(f".st-key-{key} img")).to_have_attribute("src", re.compile("^data:" if browser else "/media/"))


def handle(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key} input[type=range]")


def hold(page: Page, key: str, move: float) -> float:
    """Press the handle of the slider and drag it by so many pixels; its value there."""
    box = handle(page, key).locator("xpath=../..").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + move, y, steps=5)
    return float(handle(page, key).input_value())


def saved(server: Server, width: int, latent: int = 16) -> Checkpoint:
    """An untrained run on digits, whose code nevertheless says much."""
    run = aecore.Run("digits", models.Denoising(latent=latent), width=width)
    checkpoint = Checkpoint(run, run.build((1, 8, 8)))
    checkpoint.network.encoder[-1].weight *= width / 64
    checkpoint.network.decoder[0].weight *= 8
    aecore.Store(server.home / "runs").save(checkpoint)
    return checkpoint


@pytest.fixture
def denoising(server: Server) -> Checkpoint:
    return saved(server, 64)


def rack(page: Page, checkpoint: Checkpoint) -> tuple[np.ndarray, int]:
    """The rack of sliders of the first test image: its code, and one of its units that stands far from the right."""
    page.goto(f"/manifold?run={checkpoint.run.id}&mode=decoder&of=test")
    settle(page)
    expect(page.locator(".st-key-rack-decoded img")).to_be_visible()
    code = checkpoint.encode(DIGITS[:1])
    racked = [each.get_attribute("class") for each in page.locator("[class*=st-key-unit-]").all()]
    units = [int(re.search(r"st-key-unit-(\d+)", each)[1]) for each in racked]
    return code, min(units, key=lambda unit: code[0, unit])


def test_a_unit_is_decoded_while_it_is_dragged(page: Page, denoising: Checkpoint) -> None:
    code, unit = rack(page, denoising)
    before, strip = shown(page, "rack-decoded"), page.locator(".strip")
    expect(strip).to_be_hidden()
    page.locator(f".st-key-unit-{unit}").hover()
    expect(strip).to_contain_text(f"Unit {unit + 1} from")
    drawn = np.array(strip.locator("canvas").evaluate(CANVAS)).reshape(8, 9, 8).transpose(1, 0, 2)
    ends = [float(handle(page, f"unit-{unit}").get_attribute(end)) for end in ("min", "max")]
    along = 255 * denoising.decode(traverse(code[0], unit, *ends, 9))[:, 0]
    assert np.abs(drawn - along).max() < 1.5, "what the unit does from low to high"
    assert np.abs(along[0] - along[-1]).max() > 10
    value = hold(page, f"unit-{unit}", 40)
    is_by(page, "rack-decoded", browser=True)
    code[0, unit] = value
    decoded = 255 * denoising.decode(code)[0]
    assert np.abs(shown(page, "rack-decoded") - decoded).max() < 1.5
    assert np.abs(decoded - before).max() > 10
    assert "units=" not in page.url, "nothing is settled while the hand moves"
    page.mouse.up()
    page.wait_for_url(re.compile(f"units={unit}%3A"))
    is_by(page, "rack-decoded", browser=False)
    assert np.abs(shown(page, "rack-decoded") - decoded).max() < 1.5


def test_a_unit_is_moved_by_keys(page: Page, denoising: Checkpoint) -> None:
    code, unit = rack(page, denoising)
    handle(page, f"unit-{unit}").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".strip")).to_contain_text(f"Unit {unit + 1} from")
    page.keyboard.press("Escape")
    expect(page.locator(".strip")).to_be_hidden()
    page.wait_for_url(re.compile(f"units={unit}%3A"))
    off = np.inf
    for _ in range(100):  # on a busy machine, the server draws the first presses before it hears of the last
        settle(page)
        code[0, unit] = float(handle(page, f"unit-{unit}").input_value())
        off = np.abs(shown(page, "rack-decoded") - 255 * denoising.decode(code)[0]).max()
        if off < 1.5:
            break
        page.wait_for_timeout(100)
    assert off < 1.5


def test_a_path_is_decoded_and_faded_along_the_hand(page: Page, denoising: Checkpoint) -> None:
    page.goto(f"/manifold?run={denoising.run.id}&of=test&tool=path&a=0&b=1")
    settle(page)
    frame = hold(page, "frame", 30)
    is_by(page, "path-decoded", browser=True)
    assert 5 < frame < 9
    share = (frame - 1) / 8
    start, end = denoising.encode(DIGITS[:2])
    decoded = 255 * denoising.decode((start + share * (end - start))[None])[0]
    faded = DIGITS[0] + share * (DIGITS[1].astype(float) - DIGITS[0])
    for key, right in (("path-decoded", decoded), ("path-faded", faded)):
        assert np.abs(shown(page, key) - right).max() < 1.5
    page.mouse.up()
    page.wait_for_url(f"**frame={frame:g}*")
    is_by(page, "path-decoded", browser=False)
    for key, right in (("path-decoded", decoded), ("path-faded", faded)):
        assert np.abs(shown(page, key) - right).max() < 1.5


@pytest.mark.parametrize("noise", NOISES)
def test_noise_and_repair_follow_the_level(page: Page, denoising: Checkpoint, noise: str) -> None:
    page.goto(f"/denoise?run={denoising.run.id}&source=test&image=3&noise={noise}&noise-seed=7")
    settle(page)
    caption = page.locator(".st-key-shown-noisy [data-testid=stCaptionContainer]")
    expect(caption).to_contain_text("dB")
    level = hold(page, "level", -25)
    is_by(page, "shown-repaired", browser=True)
    assert 0 < level < 0.5
    noisy = corrupt(DIGITS[3:4], noise, level, seed=7)
    pictures = {"shown-noisy": 255 * noisy[0], "shown-repaired": 255 * denoising.reconstruct(noisy)[0]}
    for key, right in pictures.items():
        assert np.abs(shown(page, key) - right).max() < 1.5
    paled = [caption, page.locator(".st-key-shown-difference img")]
    for each in paled:  # what is for another level
        expect(each).to_have_attribute("style", re.compile("opacity: 0.3"))
    page.mouse.up()
    page.wait_for_url(f"**level={level:g}*")
    settle(page)
    for each in paled:
        expect(each).not_to_have_attribute("style", re.compile("opacity"))
    for key, right in pictures.items():
        is_by(page, key, browser=False)
        assert np.abs(shown(page, key) - right).max() < 1.5


def test_what_is_drawn_is_repaired_under_the_hand(page: Page, denoising: Checkpoint) -> None:
    noise = "salt_and_pepper"
    page.goto(f"/denoise?run={denoising.run.id}&source=drawing&noise={noise}&level=0.2&noise-seed=7")
    settle(page)
    assert not shown(page, "shown-clean").any(), "an empty board is black"
    box = page.get_by_label(re.compile("^Drawing board")).bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 40)
    page.mouse.down()
    for move in ((140, 50), (60, 150)):
        page.mouse.move(box["x"] + move[0], box["y"] + move[1], steps=5)
        is_by(page, "shown-repaired", browser=True)
    keys = ("shown-clean", "shown-noisy", "shown-repaired")
    followed = [shown(page, key) for key in keys]
    noisy = corrupt(followed[0][None].astype(np.uint8), noise, 0.2, seed=7)
    right = [followed[0], 255 * noisy[0], 255 * denoising.reconstruct(noisy)[0]]
    assert 0.1 < (followed[0] > 100).mean() < 0.6
    expect(page.locator(".st-key-shown-difference img")).to_have_attribute("style", re.compile("opacity: 0.3"))
    page.mouse.up()
    is_by(page, "shown-repaired", browser=False)
    settle(page)
    expect(page.locator(".st-key-shown-difference img")).not_to_have_attribute("style", re.compile("opacity"))
    for key, before, expected in zip(keys, followed, right, strict=True):
        is_by(page, key, browser=False)
        assert np.abs(before - expected).max() < 2.5, "in the browser as in torch"
        assert np.abs(shown(page, key) - before).max() < 2.5, "what settles is what was seen"


@pytest.mark.parametrize("noise", ["masking", "gaussian"])
def test_an_empty_board_is_an_image(home_with_runs: Path, digits_runs: list[Checkpoint], noise: str) -> None:
    app = visit("denoise", run=digits_runs[1].run.id, source="drawing", noise=noise, level="0.3")
    assert "Draw something." in texts(app)
    assert "Clean · Your drawing" in texts(app)


def test_a_filter_waits_for_the_server_and_its_place_pales(page: Page, denoising: Checkpoint) -> None:
    page.goto(f"/denoise?run={denoising.run.id}&source=test&repair=median")
    settle(page)
    before = shown(page, "shown-repaired")
    hold(page, "level", -25)
    is_by(page, "shown-noisy", browser=True)
    expect(page.locator(".st-key-shown-repaired img")).to_have_css("opacity", "0.3")
    assert np.array_equal(shown(page, "shown-repaired"), before)
    box = handle(page, "level").locator("xpath=../../..").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=5)  # back to where it was
    expect(handle(page, "level")).to_have_value("0.5")
    expect(page.locator(".st-key-shown-repaired img")).to_have_css("opacity", "1")


def test_what_the_browser_cannot_run_waits_for_the_server(page: Page, server: Server) -> None:
    large = saved(server, 2300)
    code, unit = rack(page, large)
    assert run_of(page) == large.run.id
    before = shown(page, "rack-decoded")
    code[0, unit] = hold(page, f"unit-{unit}", 40)
    is_by(page, "rack-decoded", browser=False)
    assert np.array_equal(shown(page, "rack-decoded"), before)
    page.mouse.up()
    page.wait_for_url(re.compile(f"units={unit}%3A"))
    settle(page)
    assert np.abs(shown(page, "rack-decoded") - 255 * large.decode(code)[0]).max() < 1.5
    assert np.abs(shown(page, "rack-decoded") - before).max() > 10


def test_a_map_whose_decoder_the_browser_cannot_run_shows_its_lattice(page: Page, server: Server) -> None:
    large = saved(server, 2300, latent=2)
    page.goto(f"/manifold?run={large.run.id}&mode=decoder")
    expect(page.locator(".latent-map[data-ready]")).to_be_visible()
    settle(page)
    box = page.locator(".latent-map .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.35, steps=2)
    card = page.locator('.latent-map-card[data-shown="place"][data-by="lattice"]')
    expect(card).to_be_visible()
    where = [float(number) for number in re.findall(r"-?\d+\.\d+", card.inner_text())[:2]]
    drawn = np.array(card.locator("canvas").evaluate(CANVAS)).reshape(1, 8, 8)
    assert np.abs(drawn - 255 * large.decode(np.array([where]))[0]).mean() < 6
    assert np.ptp(drawn) > 100
