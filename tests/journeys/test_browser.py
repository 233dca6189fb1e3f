"""The journey of a first visitor in headless Chromium."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from conftest import ROOT, Server, run_of, settle
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

import aecore
from aecore.moments import kept
from aecore.process.jobs import Job

pytestmark = pytest.mark.browser


def more_settings(page: Page) -> None:
    """Open the settings that are folded away; a page that is still being drawn may fold them again."""
    settle(page)
    while not page.get_by_label("Epochs", exact=True).is_visible():
        page.get_by_text("More settings").click()
        page.wait_for_timeout(500)


def walk(page: Page, link: str, to: str) -> None:
    """Follow a link and wait for its page."""
    page.get_by_role("link", name=link, exact=True).click()
    page.wait_for_url(re.compile(rf"/{to}\?.*run="))
    page.wait_for_timeout(250)
    settle(page)


def train(page: Page, **settings: str) -> str:
    """Train on digits through the Train page until it says Done; returns the run's id."""
    page.goto("/train?dataset=digits&flavor=" + settings.pop("flavor"))
    more_settings(page)
    for label, value in settings.items():
        field = page.get_by_label(label, exact=True)
        field.fill(value)
        field.press("Enter")
        more_settings(page)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("Done", exact=True)).to_be_visible(timeout=90_000)
    settle(page)
    return run_of(page)


def test_train_manifold_denoise_search(page: Page, server: Server) -> None:
    run = train(page, flavor="vae", Units="2", Epochs="2")
    assert run in aecore.Store(server.home / "runs").ids()

    press(page, "See its map")
    page.wait_for_url(re.compile(r"/manifold\?.*run="))
    settle(page)
    assert run_of(page) == run
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    box = page.locator(".js-plotly-plot .nsewdrag").bounding_box()
    for across in (0.5, 0.4, 0.6, 0.3, 0.7):  # a place may be empty
        page.mouse.click(box["x"] + across * box["width"], box["y"] + 0.5 * box["height"])
        with contextlib.suppress(PlaywrightTimeout):
            page.wait_for_url(re.compile("row="), timeout=5_000)
            break
    settle(page)
    row = int(parse_qs(urlparse(page.url).query)["row"][0])
    expect(page.get_by_text(f"Image {aecore.load_dataset('digits').train.ids[row]},")).to_be_visible()
    page.get_by_text("Decoder", exact=True).click()
    page.wait_for_url(re.compile("mode=decoder"))
    settle(page)

    walk(page, "Denoise", "denoise")
    assert run_of(page) == run
    expect(page.get_by_text("Noisy ·")).to_be_visible()
    page.get_by_text("masking", exact=True).click()
    page.wait_for_url(re.compile("noise=masking"))
    settle(page)

    walk(page, "Search", "search")
    assert run_of(page) == run
    field = page.get_by_label(re.compile("^Test image"))
    field.fill("5")
    field.press("Enter")
    page.wait_for_url(re.compile("image=5"))
    expect(page.get_by_text(f"Test image {aecore.load_dataset('digits').test.ids[5]},")).to_be_visible()
    settle(page)
    hits = page.locator(".st-key-hits button.tile").filter(has_text=re.compile(r"\d\.\d{3}"))
    expect(hits).to_have_count(4)
    before = hits.all_inner_texts()

    page.reload()
    settle(page)
    expect(hits).to_have_count(4)
    assert hits.all_inner_texts() == before


def begin(page: Page, seed: int = 0) -> str:
    """Start a training on digits that lasts; returns the run's id."""
    page.goto(f"/train?dataset=digits&flavor=vae&latent=2&epochs=1000&seed={seed}")
    settle(page)
    before = parse_qs(urlparse(page.url).query).get("run", [""])[0]
    press(page, "Train")
    await_another(page, before)
    return run_of(page)


def await_another(page: Page, run: str) -> None:
    """Wait until the address names a run, and not this one."""
    page.wait_for_url(lambda url: parse_qs(urlparse(url).query).get("run", [run])[0] != run)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def says(page: Page, words: str) -> None:
    expect(page.get_by_text(words, exact=True)).to_be_visible(timeout=60_000)


def batch(page: Page) -> int:
    """The batch that a paused training is at, as its headline says."""
    text = page.get_by_text(re.compile(r"batch [\d,]+ of")).inner_text()
    return int(re.search(r"batch ([\d,]+) of", text)[1].replace(",", ""))


def at_batch(page: Page, number: int) -> None:
    expect(page.get_by_text(re.compile(f"batch {number:,} of"))).to_be_visible(timeout=30_000)


def test_a_training_is_watched_paused_stepped_stopped_and_replayed(page: Page, server: Server) -> None:
    run = begin(page)
    says(page, "Training")
    headline = page.get_by_text(re.compile("images/s"))
    before = headline.inner_text()
    for _ in range(2):  # two ticks
        expect(headline).not_to_have_text(before)
        before = headline.inner_text()
    expect(page.get_by_label("Eight test images over their reconstructions").first).to_be_visible()
    expect(page.get_by_text(re.compile("no snapshot yet|appear here after the first"))).to_have_count(0)

    press(page, "Pause")
    says(page, "Paused")
    at = batch(page)
    assert aecore.Store(server.home / "runs").load(run).step == at, "what is paused is saved"
    press(page, "Step batch")
    at_batch(page, at + 1)
    press(page, "Step batch")
    at_batch(page, at + 2)
    press(page, "Step epoch")
    at_batch(page, -(-(at + 3) // 45) * 45)  # 1,437 images make 45 batches of 32
    page.reload()  # the link finds it, and the browser knows whose it is
    says(page, "Paused")
    press(page, "Resume")
    says(page, "Training")
    press(page, "Stop and keep")
    says(page, "Stopped and saved")
    last = batch(page)

    replay = page.locator(".st-key-moment").get_by_role("slider")
    pictures = page.get_by_role("img", name="Eight test images over their reconstructions").last
    trained = pictures.get_attribute("src")
    for _ in kept(server.home / "runs" / run)[1:]:
        replay.press("ArrowLeft")
    expect(replay).to_have_attribute("aria-valuetext", "epoch 0")
    expect(pictures).not_to_have_attribute("src", trained)
    settle(page)
    with page.expect_download() as download:
        press(page, "Save as GIF")
    with Image.open(download.value.path()) as film:
        assert film.format == "GIF"
        assert film.n_frames == len(kept(server.home / "runs" / run)) > 5
    press(page, "New seed")
    await_another(page, run)
    says(page, "Training")
    press(page, "Stop and keep")
    says(page, "Stopped and saved")
    assert aecore.Store(server.home / "runs").run(run_of(page)).seed == 1
    assert aecore.Store(server.home / "runs").load(run).step == last

    press(page, "Delete")
    press(page, "Keep it")
    assert (server.home / "runs" / run_of(page)).exists()
    gone = run_of(page)
    press(page, "Delete")
    delete = page.get_by_role("button", name="Delete permanently")
    expect(delete).to_have_attribute("kind", "secondary")
    delete.click()
    expect(page.get_by_text("The run was deleted.")).to_be_visible()
    page.wait_for_url(lambda url: gone not in url)
    assert not (server.home / "runs" / gone).exists()


def test_the_queue_is_told_as_it_shrinks(page: Page, server: Server) -> None:
    page.goto("/train?dataset=digits&latent=4&epochs=10&seed=13")
    settle(page)
    press(page, "Train every flavor")
    line = page.get_by_text(re.compile("^Also in the queue"))
    lengths = []
    while (line.count() or not lengths) and len({*lengths}) < 3:
        with contextlib.suppress(PlaywrightTimeout):
            lengths.append(line.inner_text(timeout=5_000).count("("))
        page.wait_for_timeout(100)
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[-1], "the line went on while nobody touched the page"
    for folder in (server.home / "runs").iterdir():
        Job(folder).stop()


def test_a_training_is_restarted_only_after_a_question_that_stays(page: Page, server: Server) -> None:
    run = begin(page, seed=12)
    says(page, "Training")
    job = Job(server.home / "runs" / run)
    expect(page.get_by_text(re.compile(r"epoch [1-9]\d*\.\d+ of 1000"))).to_be_visible()
    press(page, "Train again")
    question = page.get_by_role("dialog")
    before = job.progress["step"]
    while job.progress["step"] < before + 90:  # the page behind it is drawn again and again meanwhile
        expect(question).to_be_visible()
        page.wait_for_timeout(250)
    press(page, "Keep it")
    expect(question).to_have_count(0)
    press(page, "Train again")
    begun = job.progress["step"]
    press(page, "Delete and train again")
    expect(question).to_have_count(0)
    for _ in range(100):
        if job.progress.get("step", 0) < begun:
            break
        page.wait_for_timeout(50)
    assert job.progress.get("step", 0) < begun
    says(page, "Training")
    press(page, "Stop and keep")
    says(page, "Stopped and saved")


def test_a_training_survives_the_server_and_its_link_finds_it(page: Page, server: Server) -> None:
    begin(page, seed=7)
    says(page, "Training")
    link = page.url
    server.stop()
    server.start()
    page.goto(link)
    says(page, "Training")
    press(page, "Stop and keep")
    says(page, "Stopped and saved")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_a_killed_training_says_where_it_ended_and_goes_on(page: Page, server: Server) -> None:
    run = begin(page, seed=8)
    says(page, "Training")
    job = Job(server.home / "runs" / run)
    os.kill(job.progress["pid"], signal.SIGKILL)
    says(page, "Stopped unexpectedly")
    expect(
        page.get_by_text(re.compile("Its process ended at epoch .* Last saved at epoch|Nothing was saved"))
    ).to_be_visible()
    press(page, "Resume")
    says(page, "Training")
    press(page, "Stop and keep")
    says(page, "Stopped and saved")


def test_a_training_from_a_terminal_appears_live(page: Page, server: Server) -> None:
    words = [sys.executable, "-m", "aecore", "train", "digits", "--epochs", "1000", "--seed", "11", "--json"]
    environment = {**os.environ, "AECORE_HOME": str(server.home)}
    with subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as terminal:
        run = aecore.Run("digits", aecore.models.Vanilla(), loss="mse", epochs=1000, seed=11)
        for _ in range(600):
            if (server.home / "runs" / run.id / "progress.json").exists():
                break
            page.wait_for_timeout(100)
        page.goto(f"/train?run={run.id}")
        says(page, "Training")
        terminal.send_signal(signal.SIGINT)
        says(page, "Stopped and saved")
        assert json.loads(terminal.stdout.read())["state"] == "stopped"


def test_two_visitors_share_the_machine_but_not_their_runs(page: Page, stranger: Page, server: Server) -> None:
    run = begin(page, seed=9)
    says(page, "Training")
    begin(stranger, seed=10)
    says(stranger, "Waiting in the queue")
    expect(stranger.get_by_text("1 ahead of it")).to_be_visible()

    stranger.goto(f"/train?run={run}")
    says(stranger, "Training")
    expect(stranger.get_by_text("Somebody else started this training")).to_be_visible()
    for name in ("Pause", "Stop and keep", "Train again", "Delete"):
        expect(stranger.get_by_role("button", name=name, exact=True)).to_have_count(0)
    stranger.go_back()
    says(stranger, "Waiting in the queue")

    press(page, "Stop and keep")
    says(page, "Stopped and saved")
    says(stranger, "Training")
    press(stranger, "Stop and keep")
    says(stranger, "Stopped and saved")
    page.goto(stranger.url)
    says(page, "Stopped and saved")
    expect(page.get_by_text("Somebody else started this training")).to_be_visible()
    expect(page.get_by_role("button", name="Delete", exact=True)).to_have_count(0)


@pytest.fixture
def twins(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers with one home, both at their owner's machine."""
    servers = [Server(tmp_path / "one"), Server(tmp_path / "other")]
    servers[1].home = servers[0].home
    for server in servers:
        server.start(public=False)
    yield tuple(servers)
    for server in servers:
        server.stop()


def test_two_servers_on_one_home_show_and_steer_the_same_runs(browser: Browser, twins: tuple[Server, Server]) -> None:
    here, there = [browser.new_context(base_url=server.url).new_page() for server in twins]
    run = begin(here, seed=21)
    says(here, "Training")
    other = begin(there, seed=22)
    says(there, "Waiting in the queue")
    expect(there.get_by_text("1 ahead of it")).to_be_visible()
    there.goto(f"/train?run={run}")
    says(there, "Training")
    press(there, "Stop and keep")
    says(there, "Stopped and saved")
    says(here, "Stopped and saved")
    press(there, "Delete")
    press(there, "Delete permanently")
    there.wait_for_url(lambda url: run not in url)
    here.reload()
    expect(here.get_by_text(f"This server has no run {run}")).to_be_visible()

    here.goto(f"/train?run={other}")
    says(here, "Training")
    twins[0].process.kill()
    there.goto(f"/train?run={other}")
    says(there, "Training")
    press(there, "Stop and keep")
    says(there, "Stopped and saved")
    for page in (here, there):
        page.context.close()


@pytest.mark.fashion
def test_the_search_experiment_is_one_press(page: Page, server: Server) -> None:
    run = aecore.Run("fashion_mnist", aecore.RECIPES["fashion-search"].run.model, loss="kl", epochs=1)
    checkpoint = next(aecore.train(run))  # untrained: the journey is tested here, not the neighbors
    aecore.Store(server.home / "runs").save(checkpoint)
    page.goto(f"/search?run={run.id}")
    settle(page)
    page.locator(".st-key-class").get_by_text("Trouser").click()
    expect(page.get_by_text(re.compile("Test image .*, Trouser"))).to_be_visible()
    hits = page.locator(".st-key-hits button.tile").filter(has_text=re.compile(r"\.\d{3}"))
    expect(hits).to_have_count(4)


def test_on_a_phone_the_menu_makes_way_for_the_page_that_was_chosen(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, base_url=server.url)
    page = context.new_page()
    page.goto("/")
    settle(page)
    for name in ("Train", "Images"):
        page.get_by_test_id("stExpandSidebarButton").click()
        page.get_by_role("link", name=name, exact=True).click()
        page.wait_for_url(re.compile(f"/{name.lower()}"))
        expect(page.get_by_test_id("stExpandSidebarButton")).to_be_visible()
        settle(page)
    context.close()
