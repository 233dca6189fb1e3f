"""Images of one's own, from a zip to a run that is taken along; and names of any content, shown as text."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Server, components, finish, serving, settle, texts, visit
from hostile import HOSTILE
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

import aecore
from aecore.data import own
from aecore.data.intake import bring_in
from aecore.data.own import Wishes
from aecore.process.jobs import Job
from aecore.recipes import recipes_for
from aecore.tags import tag

RNG = np.random.default_rng(0)
FLOWER = np.array([230, 60, 90], np.uint8)


def photograph(kind: str, number: int) -> bytes:
    """Of one of three kinds, in any size."""
    width, height = (int(side) for side in RNG.integers(40, 400, 2))
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    inside = {
        "disc": across**2 + down**2 < 0.5, "bar": abs(across) < 0.3, "stripes": np.sin(9 * down + number) > 0
    }[kind]  # fmt: skip
    image = np.where(inside[..., None], FLOWER, np.uint8(20 + number % 30)) + RNG.integers(0, 20, (height, width, 1))
    buffer = io.BytesIO()
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG" if number % 2 else "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip with a folder for each class, and five files that cannot be read."""
    path = tmp_path_factory.mktemp("photographs") / "shapes.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(90):
            kind = ("disc", "bar", "stripes")[number % 3]
            archive.writestr(f"shapes/{kind}/{number:02}.{'jpg' if number % 2 else 'png'}", photograph(kind, number))
        for name, content in {
            "bar/a.png": b"", "bar/b.jpg": b"no picture", "disc/c.png": photograph("disc", 0)[:99], "d.txt": b"d",
            "stripes/e.gif": b"GIF89a",
        }.items():  # fmt: skip
            archive.writestr(f"shapes/{name}", content)
    return path


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("images")) as server:
        yield server


@pytest.fixture
def visitor(browser: Browser, host: Server) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1366, "height": 768}, base_url=host.url)
    strangers: list[str] = []
    context.on("request", lambda request: host.url in request.url or strangers.append(request.url))
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()
    assert not [url for url in strangers if url.startswith("http")]


def hover_over_an_image(page: Page) -> None:
    """Move the pointer over the map until a card is shown."""
    stage = page.locator(".latent-map-stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    for across in np.linspace(0.1, 0.9, 24):
        for down in np.linspace(0.1, 0.9, 24):
            page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
            if page.locator('.latent-map-card[data-shown]:not([data-shown=""])').count():
                return
    raise AssertionError("no image under the pointer")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()
    page.wait_for_timeout(300)
    settle(page)


@pytest.mark.browser
def test_what_cannot_be_read_cannot_be_kept(visitor: Page) -> None:
    visitor.goto("/images")
    settle(visitor)
    broken = {"name": "broken.png", "mimeType": "image/png", "buffer": b"no picture"}
    visitor.locator("[data-testid=stFileUploaderDropzone] input").first.set_input_files(broken)
    expect(visitor.get_by_text("This failed:", exact=False)).to_be_visible()
    expect(visitor.get_by_role("button", name="Keep them")).to_be_disabled()
    visitor.get_by_role("button", name="Throw away").click()
    expect(visitor.get_by_role("button", name="Keep them")).to_have_count(0)


@pytest.mark.browser
def test_one_image_is_no_set_and_that_is_said_before_it_is_kept(visitor: Page) -> None:
    visitor.goto("/images")
    settle(visitor)
    alone = {"name": "disc.png", "mimeType": "image/png", "buffer": photograph("disc", 0)}
    visitor.locator("[data-testid=stFileUploaderDropzone] input").first.set_input_files(alone)
    expect(visitor.get_by_text("A set needs at least two different images", exact=False)).to_be_visible()
    expect(visitor.get_by_text(re.compile("^1 image. The shorter side"))).to_be_visible()
    expect(visitor.get_by_role("button", name="Keep them")).to_be_disabled()
    visitor.get_by_role("button", name="Throw away").click()
    expect(visitor.get_by_role("button", name="Keep them")).to_have_count(0)


@pytest.mark.browser
def test_from_a_zip_to_a_run_that_is_taken_along(
    visitor: Page, photographs: Path, host: Server, tmp_path: Path
) -> None:
    page = visitor
    page.goto("/images")
    settle(page)
    page.locator("[data-testid=stFileUploaderDropzone] input").first.set_input_files(photographs)
    expect(page.get_by_text("90 images", exact=False).first).to_be_visible()
    settle(page)
    expect(page.get_by_text("3 classes", exact=False)).to_be_visible()
    expect(page.get_by_text("5 files cannot be used")).to_be_visible()
    expect(page.locator(".st-key-first-look .tile")).to_have_count(16)
    expect(page.get_by_label("Side, pixels")).to_have_value("64")
    expect(page.get_by_label("Title")).to_have_value("Shapes")
    page.get_by_label("Title").fill("Red shapes")
    page.get_by_label("Title").press("Tab")
    page.get_by_label("Side, pixels").fill("16")
    page.get_by_label("Side, pixels").press("Enter")
    expect(page.get_by_text("16 x 16 pixels", exact=False)).to_be_visible()
    expect(page.get_by_label("Title")).to_have_value("Red shapes")
    press(page, "Keep them")
    expect(page.get_by_text("75 training and 15 test images of 16 x 16 pixels", exact=False)).to_be_visible()
    expect(page.get_by_text("5 files skipped", exact=False)).to_be_visible()
    name = re.search(r"set=(\w+)", page.url)[1]

    page.locator(".st-key-wall-of-images li button").nth(3).click()
    expect(page.get_by_text("As the network sees it")).to_be_visible()

    page.goto(f"/train?dataset={name}&latent=2&epochs=8")
    settle(page)
    press(page, "Train")
    page.wait_for_url(re.compile(f"run={name}-vanilla"))
    expect(page.get_by_text("Epoch 8 of 8", exact=False).first).to_be_visible()
    settle(page)
    press(page, "See its map")
    page.wait_for_selector(".latent-map[data-ready]")
    hover_over_an_image(page)
    original = page.locator(".latent-map-original")
    expect(original).to_be_visible()
    assert original.evaluate("image => image.naturalWidth") > 16, "the photograph, not what the network sees"
    address = original.evaluate("image => image.src")
    assert page.request.get(address).status == 200
    page.context.clear_cookies()
    assert page.request.get(address).status == 404, "to anybody else it is not there"
    page.goto(f"/search?{page.url.partition('?')[2]}")
    settle(page)
    expect(page.locator(".st-key-hits .tile")).to_have_count(4)

    page.goto("/train")
    settle(page)
    page.locator(".st-key-take summary").click()
    page.get_by_role("button", name="Prepare").click()
    with page.expect_download() as taken:
        page.locator(".st-key-taken-file button").click()
    with zipfile.ZipFile(taken.value.path()) as archive:
        assert {"model/model.safetensors", "model/config.json", "model/README.md"} <= set(archive.namelist())
    with page.expect_download() as parcel:
        page.get_by_role("button", name="Download", exact=True).first.click()
    parcel.value.save_as(tmp_path / "run.zip")
    runs = aecore.Store(host.home / "runs")
    (run,) = runs.ids()
    runs.delete(run)
    page.reload()
    settle(page)
    page.get_by_text("Bring a run back").click()
    page.locator(".st-key-parcel input").set_input_files(tmp_path / "run.zip")
    page.wait_for_url(re.compile(f"run={run}"))
    settle(page)
    assert runs.ids() == [run]

    page.goto(f"/images?set={name}")
    settle(page)
    page.get_by_text("Delete these images").click()
    expect(page.get_by_role("button", name="Delete permanently")).to_have_attribute("kind", "secondary")
    press(page, "Delete permanently")
    expect(page.get_by_text("The images were deleted.")).to_be_visible()
    page.goto(f"/search?run={run}")
    settle(page)
    expect(page.get_by_text("were deleted. Only its weights are left", exact=False)).to_be_visible()
    page.goto(f"/train?run={run}")
    settle(page)
    expect(page.get_by_text("it cannot be trained further", exact=False)).to_be_visible()
    for name in ("Train again", "See its map", re.compile("^Measure")):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    expect(page.get_by_text("All runs")).to_be_visible()


def nothing_private(visitor: Page, address: str) -> None:
    visitor.goto(address)
    settle(visitor)
    expect(visitor.get_by_role("link", name="Manifold", exact=True)).to_be_visible()
    expect(visitor.get_by_text(re.compile("Private"))).to_have_count(0)


@pytest.mark.browser
def test_another_visitor_sees_neither_the_images_nor_what_they_taught(
    browser: Browser, host: Server, visitor: Page, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AECORE_HOME", str(host.home))
    np.savez(tmp_path / "in.npz", x=RNG.integers(0, 256, (30, 8, 8), np.uint8))
    bring_in(tmp_path / "in.npz", "private", Wishes(8, 1), "Private", owner="f" * 32)
    run = aecore.Run("private", aecore.models.Vanilla(latent=2), "shallow", epochs=1)
    aecore.Store(host.home / "runs").save(next(aecore.train(run)))
    train, others = f"/train?run={run.id}", ("/images?set=private", f"/manifold?run={run.id}", "/train?dataset=private")
    for address in (*others, train):
        nothing_private(visitor, address)
    own.delete_own("private")
    nothing_private(visitor, train)
    aecore.Store(host.home / "runs").delete(run.id)


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> aecore.Run:
    """A run on images whose classes and ids are markup, formulas, paths."""
    monkeypatch.setenv("AECORE_HOME", str(tmp_path / "home"))
    count = len(HOSTILE)
    names = np.array([name.replace("\ud800", "")[:900] for name in HOSTILE])
    np.savez(tmp_path / "in.npz", x=RNG.integers(0, 256, (4 * count, 8, 8), np.uint8), y=np.repeat(names, 4))
    bring_in(tmp_path / "in.npz", "hostile", Wishes(8, 1), HOSTILE[2], " ".join(names))
    run = aecore.Run("hostile", aecore.models.Vanilla(latent=2), "shallow", epochs=1)
    aecore.Store().save([*aecore.train(run)][-1])
    return run


@pytest.mark.parametrize("page", ["images", "train", "manifold", "denoise", "search", "classify", "home", "about"])
def test_names_of_any_content_are_text(page: str, hostile: aecore.Run) -> None:
    app = visit(page, **({"set": "hostile", "row": "1"} if page == "images" else {"run": hostile.id}))
    assert not app.exception
    for item in (*app.markdown, *app.caption, *app.title, *app.subheader, *app.header):
        assert not re.search(r"(?<!\\)!?\[x\]\(http", item.value), item.value
        assert "<img" not in item.value.replace("\\<img", "")
    for part in app.get("button_group"):
        assert not [option for option in part.proto.options if re.search(r"(?<!\\)\[x\](?<!\\)\(http", option.content)]


def test_the_page_shows_every_set_and_leads_on(home_with_runs: Path, digits_runs: list[aecore.Checkpoint]) -> None:
    app = visit("images", set="digits")
    assert "1,437 training and 360 test images of 8 x 8 pixels, gray, 10 classes" in texts(app)
    assert "CC BY 4" in texts(app)
    app = visit("images", set="digits", of="test", only="3", row="5")
    labels = [button.label for button in app.button]
    assert {"Find similar", "See it on the map", "Denoise"} <= set(labels)
    assert "35 images" in texts(app)
    ids = aecore.load_dataset("digits").test.ids
    tag("digits", "favorite", "test", ids[[4, 7]])
    app = visit("images", set="digits", of="test", tag="favorite")
    assert "2 images" in texts(app)
    app = visit("images", set="blocks")
    assert "No run has been trained" not in texts(app)
    assert {"Train: Search", "Train: Map", "Train: Denoising"} <= {button.label for button in app.button}


@pytest.mark.parametrize(("words", "split"), [("Find similar", "train"), ("Denoise", "test")])
def test_an_image_leads_on_to_itself(words: str, split: str, home_with_runs: Path) -> None:
    app = visit("images", set="digits", of=split, row="5")
    app = finish(next(button for button in app.button if button.label == words).click().run())
    id = aecore.load_dataset("digits").split(split).ids[5]
    assert app.title[0].value != "Images"
    assert re.search(rf"{'Training' if split == 'train' else 'Test'} image {id}\b", texts(app))


@pytest.mark.parametrize("title", ["Search", "Map", "Denoising"])
def test_the_form_shows_the_settings_of_what_was_started_from_here(
    title: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Job, "start", lambda job: None)
    app = visit("images", set="digits")
    next(button for button in app.button if button.key == f"train-{title}").click().run()
    assert not app.exception
    (run,) = [recipe.run for recipe in recipes_for("digits", 1437).values() if recipe.title == title]
    assert app.selectbox(key="dataset").value == "digits"
    assert app.segmented_control(key="flavor").value == run.model.name
    assert app.segmented_control(key="network").value == run.network
    for name, value in (("latent", run.model.latent), ("epochs", run.epochs), ("width", run.width), ("lr", run.lr)):
        assert app.number_input(key=name).value == pytest.approx(value)


def test_images_are_added_to_a_set_and_its_run_shows_them(home: Path, tmp_path: Path) -> None:
    first, more = RNG.integers(0, 256, (30, 8, 8), np.uint8), RNG.integers(0, 256, (24, 8, 8), np.uint8)
    np.savez(tmp_path / "first.npz", x=first)
    np.savez(tmp_path / "more.npz", x=more)
    bring_in(tmp_path / "first.npz", "pets", Wishes(8, 1), "My pets")
    run = aecore.Run("pets", aecore.models.Vanilla(latent=2), "shallow", epochs=1)
    aecore.Store().save([*aecore.train(run)][-1])
    before = aecore.load_dataset("pets")
    count = len(before.train)
    assert f"{count} training images" in map_title(visit("manifold", run=run.id))

    app = visit("images")
    app.text_input(key="arriving-path").set_value(str(tmp_path / "more.npz")).run()
    app = finish(app)
    (target,) = [box for box in app.selectbox if box.label == "Keep as"]
    app = finish(target.set_value("pets").run())
    assert not [item for item in app.text_input if item.label == "Title"]
    next(button for button in app.button if button.label == "Add them").click().run()
    app = finish(app)
    after = aecore.load_dataset("pets")
    assert (len(after.train) + len(after.test), own.revision("pets")) == (54, 2)
    assert f"{len(after.train)} training and {len(after.test)} test images" in texts(app)

    assert f"{len(after.train)} training images" in map_title(visit("manifold", run=run.id))
    newest = len(after.train) - 1
    assert str(after.train.ids[newest]) in texts(visit("search", run=run.id, image=str(newest), source="train"))


def map_title(app: AppTest) -> str:
    return json.loads(components(app)[0].json)["title"]
