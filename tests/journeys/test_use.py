"""Denoise and Search: what the pages print is what the library says; journeys with a mouse, a keyboard and files."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import Server, components, matrix, rarely, settle, tables, texts, visit
from PIL import Image
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

import aecore
from aecore import Checkpoint, load_dataset
from aecore.measure.filters import filters
from aecore.measure.metrics import psnr, ssim
from aecore.noise import NOISES, corrupt
from aecore.search import nearest_images

DIGITS = load_dataset("digits")


def tiles(app: AppTest, key: str) -> list[list[str]]:
    """The lines of text under every picture of a gallery."""
    for part in components(app):
        if part.id.endswith(f"-{key}"):
            return [tile["lines"] for tile in json.loads(part.json)["tiles"]]
    return []


def packed(image: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


# Denoise, without a browser.


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("kind", NOISES)
def test_denoise_prints_the_figures_of_the_images_it_shows(
    kind: str, clip: bool, home_with_runs: Path, digits_runs: list[Checkpoint]
) -> None:
    run = digits_runs[1].run.id
    app = visit(
        "denoise",
        run=run,
        noise=kind,
        level="0.25",
        clip="yes" if clip else "no",
        image="3",
        **{"noise-seed": "4"},
    )
    clean = DIGITS.test.images[3:4]
    noisy = corrupt(clean, kind, 0.25, 4, clip)
    images = {checkpoint.run.title: checkpoint.reconstruct(noisy) for checkpoint in digits_runs}
    images |= {"doing nothing": noisy} | filters(noisy, DIGITS, kind, 0.25, clip)
    told = {name: (decibels, similar) for decibels, name, similar in tiles(app, "repairs")}
    for name, image in images.items():
        assert told[name] == (f"{psnr(clean, image)[0]:.2f} dB", f"SSIM {ssim(clean / np.float32(255), image)[0]:.3f}")
    assert f"Noisy · {psnr(clean, noisy)[0]:.2f} dB" in texts(app)
    mine = digits_runs[1].run.title
    assert f"{mine} · {told[mine][0]} · {told[mine][1]}" in texts(app)


def test_every_run_of_the_shape_repairs_and_the_best_is_marked_by_its_number(home_with_runs: Path) -> None:
    app = visit("denoise")
    (element,) = [part for part in app.get("bidi_component") if part.proto.id.endswith("-repairs")]
    shown = json.loads(element.proto.json)["tiles"]
    decibels = [float(tile["lines"][0].removesuffix(" dB")) for tile in shown]
    assert len(shown) == 3 + 4  # two of one's own and the shipped one on digits; doing nothing and three filters
    similar = [float(tile["lines"][2].removeprefix("SSIM ")) for tile in shown]
    assert [0 in tile["marked"] for tile in shown] == [value == max(decibels) for value in decibels]
    assert [2 in tile["marked"] for tile in shown] == [value == max(similar) for value in similar]
    assert [tile["chosen"] for tile in shown] == [True] + 6 * [False]


def test_the_sweep_draws_the_figures_of_the_evaluation(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    from aecore.measure.evaluate import PARTS, compute_anew

    app = visit("denoise", run=digits_runs[1].run.id, act="levels")
    assert not app.exception
    proto = app.get("vega_lite_chart")[0].proto
    chart, known = json.loads(proto.spec), tables(proto)
    drawn = {(row["name"], row["level"]): row["mean"] for row in known[chart["data"]["name"]]}
    rows = PARTS["denoising"].figures(digits_runs[1], DIGITS, compute_anew)["rows"]
    for name, ours in (
        ("code", digits_runs[1].run.title),
        ("noisy", "doing nothing"),
        ("linear filter", "linear filter"),
    ):
        for level in (0.25, 0.5, 0.75):
            assert drawn[ours, level] == rows[name][f"gaussian {level:g}"]["PSNR"]
    assert [row["text"] for row in known[chart["layer"][0]["data"]["name"]]] == ["trained at 0.5"]


def test_again_prints_the_length_of_every_step(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    from aecore.measure.repair import again

    app = visit("denoise", run=digits_runs[1].run.id, times="3")
    _, steps = again(digits_runs[1], corrupt(DIGITS.test.images[:1], "gaussian", 0.5)[0], 3)
    assert tiles(app, "walk") == [["noisy"], *([str(n), f"step {step:.4f}"] for n, step in enumerate(steps, start=1))]


# Search, without a browser.


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_search_shows_what_the_index_finds(metric: str, home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    checkpoint, split = digits_runs[1], DIGITS.train
    app = visit("search", run=checkpoint.run.id, image="7", metric=metric)
    index = aecore.Index(checkpoint.encode(split.images), metric)
    distances, rows = index.nearest(checkpoint.encode(DIGITS.test.images[7:8])[0], 4)
    scores = 1 - distances if metric == "cosine" else distances
    expected = [
        [f"{score:.3f}", f"{split.labels[row]}, {split.ids[row]}"] for score, row in zip(scores, rows, strict=True)
    ]
    assert tiles(app, "hits") == expected
    label = DIGITS.test.labels[7]
    plain = nearest_images(split.images, DIGITS.test.images[7], 4, metric)[1]
    same, pixels = ((split.labels[found] == label).sum() for found in (rows, plain))
    chance = 4 * (split.labels == label).mean()
    assert f"**{same} of 4 are of the same class** (raw pixels: {pixels}, chance: {chance:.1f})" in texts(app)
    assert f"Codes of 16 units, compared with {len(split.images):,} training images by {metric}" in texts(app)


def test_search_in_raw_pixels_shows_the_nearest_images(home_with_runs: Path) -> None:
    app = visit("search", space="pixels", k="7")
    distances, rows = nearest_images(DIGITS.train.images, DIGITS.test.images[0], 7)
    expected = [f"{DIGITS.train.labels[row]}, {DIGITS.train.ids[row]}" for row in rows]
    assert [(score, name) for score, name in tiles(app, "hits")] == [
        (f"{1 - distance:.3f}", name) for distance, name in zip(distances, expected, strict=True)
    ]
    assert "Raw pixels, compared with" in texts(app)


def test_search_among_whitened_codes(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    from aecore.whitening import Whitening

    app = visit("search", run=digits_runs[1].run.id, space="whitened")
    codes = digits_runs[1].encode(DIGITS.train.images)
    whitening = Whitening.fit(codes)
    query = whitening(digits_runs[1].encode(DIGITS.test.images[:1]))[0]
    _, rows = aecore.Index(whitening(codes)).nearest(query, 4)
    assert [hit[1].split(", ")[1] for hit in tiles(app, "hits")] == DIGITS.train.ids[rows].tolist()
    assert "Whitened codes of 16 units, compared with" in texts(app)


@pytest.mark.parametrize("space", ["code", "whitened", "pixels", "map"])
def test_the_query_is_never_its_own_neighbor(space: str, home_with_runs: Path) -> None:
    for where, source in (("test", "test"), ("train", "train")):
        hits = tiles(visit("search", gallery=source, source=source, image="5", space=space), "hits")
        name = DIGITS.split(where).ids[5]
        assert len(hits) == 4
        assert not any(hit[1].endswith(f", {name}") for hit in hits)


def test_examples_for_and_against_are_in_the_link(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    from aecore.search import combined

    checkpoint, train = digits_runs[1], DIGITS.train
    app = visit(
        "search",
        run=checkpoint.run.id,
        examples=f"ptrain-12~mtest-5~nonsense~ptrain-999999~ptrain-{'9' * 5000}~~p~xtrain-1",
    )
    assert tiles(app, "examples-shown") == [["like this"], ["unlike this"]]
    wanted = checkpoint.encode(np.stack([DIGITS.test.images[0], train.images[12]]))
    query = combined(wanted, checkpoint.encode(DIGITS.test.images[5:6]))
    _, rows = aecore.Index(checkpoint.encode(train.images)).nearest(query, 5)
    rows = rows[rows != 12][:4]
    assert [hit[1] for hit in tiles(app, "hits")] == [f"{train.labels[row]}, {train.ids[row]}" for row in rows]
    assert "Query: the mean of 2 images, moved away from 1 other." in texts(app)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_copy_of_the_query_is_called_a_duplicate(metric: str, home: Path) -> None:
    """Blocks repeat: whatever the network, equal pictures have equal codes."""
    run = aecore.Run("blocks", aecore.FLAVORS["vanilla"](latent=4), network="shallow", width=32, epochs=1)
    aecore.Store(home / "runs").save(next(aecore.train(run)))
    app = visit("search", run=run.id, source="train", metric=metric)
    first, *others = tiles(app, "hits")
    assert first[2:] == ["duplicate"]
    assert first[0] == ("1.000" if metric == "cosine" else "0.000")
    assert len(others) == 3
    assert all(other[2:] == [] and "identical" in other[1] for other in others), "equal images are one entry"


@pytest.mark.parametrize("act", ["duplicates", "outliers"])
def test_near_duplicates_and_outliers_are_galleries_with_an_export(act: str, home_with_runs: Path) -> None:
    app = visit("search", **{"act": act})
    assert not app.exception
    assert "Export as CSV" in [button.proto.label for button in app.get("download_button")]
    assert tiles(app, "group-0") if act == "duplicates" else len(tiles(app, "outliers")) == 24
    if act == "outliers":
        app.segmented_control(key="odd").set_value("far").run()
        assert not app.exception
        assert "mean euclidean distance to its 4 nearest codes" in texts(app)


def test_outliers_are_those_with_the_highest_error(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    checkpoint, train = digits_runs[1], DIGITS.train
    app = visit("search", run=checkpoint.run.id, **{"act": "outliers"})
    errors = np.square(train.images / 255 - checkpoint.reconstruct(train.images)).mean(axis=(1, 2, 3))
    worst = int(errors.argmax())
    assert tiles(app, "outliers")[0] == [f"{errors[worst]:.4f}", f"{train.labels[worst]}, {train.ids[worst]}"]


@pytest.mark.fashion
@pytest.mark.parametrize("kind", ["Trouser", rarely("Shirt")])
def test_the_queries_of_the_experiment_find_its_neighbors(kind: str, home: Path) -> None:
    """One press on a class is the query of `python -m aecore experiment fashion-search`."""
    run, clothes = aecore.RECIPES["fashion-search"].run, load_dataset("fashion_mnist")
    app = visit("search", run=run.id)
    app.button_group(key="class").set_value(kind).run()
    checkpoint = aecore.showcase().load(run.id)
    row = int(np.flatnonzero(clothes.test.labels == clothes.classes.index(kind))[0])
    _, rows = aecore.Index(checkpoint.encode(clothes.train.images)).nearest(
        checkpoint.encode(clothes.test.images[row : row + 1])[0], 4
    )
    found = [hit[1] for hit in tiles(app, "hits")]
    assert found == [f"{clothes.classes[clothes.train.labels[hit]]}, {hit}" for hit in rows]
    assert f"Test image {row}, {kind}" in texts(app)


# Pictures from outside, without a browser.

UPLOADS = {
    "gray": packed(np.full((40, 40), 90, np.uint8)),
    "rgb": packed(np.full((40, 30, 3), (200, 10, 90), np.uint8)),
    "rgba": packed(np.full((40, 40, 4), (200, 10, 90, 128), np.uint8)),
    "tiny": packed(np.zeros((1, 1), np.uint8)),
    "huge": packed(Image.new("L", (9000, 9000))),
    "16 bit": packed(np.full((9, 9), 40_000, np.uint16)),
    "float": packed(np.full((9, 9), 0.5, np.float32), "TIFF"),
    "palette": packed(Image.new("P", (20, 20), 3)),
    "CMYK": packed(Image.new("CMYK", (20, 20), (10, 20, 30, 40)), "JPEG"),
    "animated": packed(Image.new("L", (9, 9)), "GIF", save_all=True, append_images=[Image.new("L", (9, 9), 200)]),
    "corrupt": packed(np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8))[:2000],
    "no picture": b"<b>hello</b>",
}


@pytest.mark.parametrize(("name", "page"), matrix(UPLOADS.keys(), ["denoise", "search"]))
def test_an_upload_gives_a_result_or_one_sentence(name: str, page: str, home_with_runs: Path) -> None:
    app = visit(page, source="upload")
    assert "Choose a picture of your own" in texts(app)
    app.file_uploader(key="own-upload-file").set_value((f"{name}.png", UPLOADS[name], "image/png")).run()
    assert not app.exception
    if name in ("huge", "corrupt", "no picture"):
        assert len(app.text) == 1
        assert app.text[0].value.endswith(".")
        assert not tiles(app, "hits")
    else:
        assert "Shown as the network sees it: 8 x 8." in texts(app)
        assert tiles(app, "repairs" if page == "denoise" else "hits")


def test_an_uploaded_image_of_the_set_is_found_in_it(home_with_runs: Path) -> None:
    app = visit("search", source="upload", space="pixels")
    app.file_uploader(key="own-upload-file").set_value(("a.png", packed(DIGITS.train.images[77, 0]), "image/png")).run()
    assert tiles(app, "hits")[0] == ["1.000", f"{DIGITS.train.labels[77]}, {DIGITS.train.ids[77]}", "duplicate"]


def test_an_upload_that_is_replaced_or_taken_away_is_gone(home_with_runs: Path) -> None:
    app = visit("search", source="upload")
    app.file_uploader(key="own-upload-file").set_value(("a.png", UPLOADS["gray"], "image/png")).run()
    assert "40 x 40 pixels" in texts(app)
    app.file_uploader(key="own-upload-file").set_value(("a.png", UPLOADS["rgb"], "image/png")).run()
    assert "30 x 40 pixels" in texts(app)
    app.file_uploader(key="own-upload-file").set_value(None).run()
    assert "Choose a picture of your own." in texts(app)


def test_dark_things_on_a_light_ground_are_inverted_for_a_dark_set(home_with_runs: Path) -> None:
    app = visit("search", source="upload", space="pixels")
    light = packed(255 - DIGITS.train.images[77, 0])
    app.file_uploader(key="own-upload-file").set_value(("a.png", light, "image/png")).run()
    assert app.toggle(key="invert").value is True
    assert tiles(app, "hits")[0][2] == "duplicate"
    app.toggle(key="invert").set_value(False).run()
    assert "duplicate" not in str(tiles(app, "hits"))


@pytest.mark.parametrize("page", ["denoise", "search"])
def test_a_photo_is_a_picture_too(page: str, home_with_runs: Path) -> None:
    app = visit(page, source="camera")
    assert "Take a photo." in texts(app)
    app.camera_input(key="own-camera-file").set_value(
        ("photo.jpg", packed(Image.new("RGB", (640, 480), "white"), "JPEG"), "image/jpeg")
    ).run()
    assert not app.exception
    assert "640 x 480 pixels, padded to fit, inverted. Shown as the network sees it: 8 x 8." in texts(app)


def test_an_image_is_found_by_its_id(home_with_runs: Path) -> None:
    app = visit("search")
    app.text_input(key="id").set_value(str(DIGITS.test.ids[41])).run()
    assert f"Test image {DIGITS.test.ids[41]}," in texts(app)
    assert app.number_input(key="image").value == 41
    app.text_input(key="id").set_value("<b>nobody</b>").run()
    assert "No image of this dataset has this id." in app.toast[0].value
    assert app.number_input(key="image").value == 41


def test_what_is_foreign_to_the_set_is_called_so(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    def verdict(image: np.ndarray) -> str:
        app = visit("search", source="upload", run=digits_runs[1].run.id)
        app.file_uploader(key="own-upload-file").set_value(("a.png", packed(image), "image/png")).run()
        app.toggle(key="invert").set_value(False).run()
        return texts(app)

    assert "as similar as images of this dataset usually are" in verdict(DIGITS.test.images[3, 0])
    assert "less similar than images of this dataset usually are" in verdict(
        np.eye(8, dtype=np.uint8)[::2].repeat(2, axis=0) * np.uint8(255)
    )


# Journeys in a browser.


def keep_runs(server: Server, runs: list[Checkpoint]) -> str:
    for checkpoint in runs:
        aecore.Store(server.home / "runs").save(checkpoint)
    return runs[1].run.id


@pytest.mark.browser
def test_search_by_hits_examples_and_the_map(page: Page, server: Server, digits_runs: list[Checkpoint]) -> None:
    run = keep_runs(server, digits_runs)
    page.goto(f"/search?run={run}")
    settle(page)
    hits = page.locator(".st-key-hits button.tile")
    expect(hits).to_have_count(4)
    name = hits.first.locator(".line").nth(1).inner_text().split(", ")[1]
    row = int(np.flatnonzero(DIGITS.train.ids == name)[0])

    hits.first.click()  # a hit becomes the query
    page.wait_for_url(re.compile(rf"image={row}\b.*source=train|source=train.*image={row}\b"))
    expect(page.get_by_text(f"Training image {name},")).to_be_visible()
    settle(page)

    hits.first.focus()  # the keyboard walks and presses
    page.keyboard.press("ArrowRight")
    second = hits.nth(1).locator(".line").nth(1).inner_text().split(", ")[1]
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"Training image {second},")).to_be_visible()
    settle(page)

    page.get_by_role("button", name=re.compile("^More like this")).first.click()
    expect(page.locator(".st-key-examples-shown .tile")).to_have_count(1)
    settle(page)
    page.get_by_role("button", name=re.compile("^Less like this")).nth(1).click()
    expect(page.locator(".st-key-examples-shown .tile")).to_have_count(2)
    expect(page.get_by_text("moved away from 1 other")).to_be_visible()
    settle(page)
    assert "examples=" in page.url
    page.reload()
    settle(page)
    expect(page.locator(".st-key-examples-shown .tile")).to_have_count(2)
    page.locator(".st-key-examples-shown button.tile").first.click()
    expect(page.locator(".st-key-examples-shown .tile")).to_have_count(1)
    settle(page)

    third = hits.nth(2).locator(".line").nth(1).inner_text().split(", ")[1]
    page.get_by_role("link", name=re.compile("^Locate on the map")).nth(2).click()
    page.wait_for_url(re.compile(r"/manifold\?"))
    settle(page)
    assert f"row={int(np.flatnonzero(DIGITS.train.ids == third)[0])}" in page.url
    assert f"run={run}" in page.url


@pytest.mark.browser
def test_train_another_goes_on_from_the_run_that_is_shown(
    page: Page, server: Server, digits_runs: list[Checkpoint]
) -> None:
    run = keep_runs(server, digits_runs)
    page.goto(f"/search?run={run}")
    settle(page)
    page.get_by_role("button", name="Train another").click()
    page.wait_for_url(re.compile(rf"/train\?.*run={run}"))
    settle(page)


@pytest.mark.browser
def test_an_upload_and_a_drawing_are_queries(
    page: Page, server: Server, digits_runs: list[Checkpoint], tmp_path: Path
) -> None:
    page.goto(f"/search?run={keep_runs(server, digits_runs)}")
    settle(page)
    page.get_by_text("Upload", exact=True).click()
    expect(page.get_by_text("Choose a picture of your own.")).to_be_visible()
    file = tmp_path / "<img src=x onerror=alert(1)>.png"
    file.write_bytes(packed(DIGITS.train.images[77, 0]))
    page.locator("input[type=file]").set_input_files(str(file))
    expect(page.get_by_text("Shown as the network sees it")).to_be_visible()
    settle(page)
    first = page.locator(".st-key-hits button.tile").first
    expect(first).to_contain_text("duplicate")
    for link, words in (("Denoise", "Clean · Your picture"), ("Search", "Your picture")):  # it goes along
        page.get_by_role("link", name=link, exact=True).click()
        page.wait_for_url(re.compile(f"/{link.lower()}"))
        expect(page.get_by_text(words, exact=True)).to_be_visible(timeout=30_000)
        settle(page)

    page.get_by_text("Draw", exact=True).click()
    board = page.get_by_label(re.compile("^Drawing board"))
    expect(page.get_by_text("Draw something.")).to_be_visible()
    box = board.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 20, steps=5)
    page.mouse.up()
    expect(page.get_by_text(re.compile("^Your drawing"))).to_be_visible()
    settle(page)
    expect(first).not_to_contain_text("duplicate")
    page.get_by_role("link", name="Denoise", exact=True).click()
    expect(page.get_by_text("Clean · Your drawing", exact=True)).to_be_visible(timeout=30_000)


@pytest.mark.browser
def test_denoise_from_choice_to_download(
    page: Page, server: Server, digits_runs: list[Checkpoint], tmp_path: Path
) -> None:
    page.goto(f"/denoise?run={keep_runs(server, digits_runs)}")
    settle(page)
    page.get_by_text("occlusion", exact=True).click()
    page.wait_for_url(re.compile("noise=occlusion"))
    settle(page)
    tile = page.locator(".st-key-repairs button.tile").filter(has_text="median")
    tile.click()
    expect(page.get_by_text(re.compile(r"^median · \d+\.\d\d dB"))).to_be_visible()
    expect(tile).to_have_attribute("aria-pressed", "true")

    page.get_by_role("tab", name="By noise level").click()
    expect(page.get_by_text("Mean over the first 300 test images")).to_be_visible(timeout=60_000)
    settle(page)

    page.get_by_text("Upload", exact=True).click()
    expect(page.get_by_text("Choose a picture of your own.")).to_be_visible()
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(packed(Image.new("RGB", (300, 200), "white"), "JPEG", exif=exif))
    page.locator("input[type=file]").first.set_input_files(str(photo))
    expect(page.get_by_text("200 x 300 pixels, turned upright")).to_be_visible()
    settle(page)

    page.get_by_role("tab", name="Many images").click()
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for row in range(5):
            out.writestr(f"{row}.png", packed(DIGITS.test.images[row, 0]))
    page.locator(".st-key-set input[type=file]").set_input_files(str(archive))
    page.get_by_role("button", name=re.compile("^Denoise all")).click()
    expect(page.get_by_text("5 pictures denoised")).to_be_visible()
    settle(page)
    with page.expect_download(timeout=120_000) as download:
        page.get_by_role("button", name="Download the zip").click()
    with zipfile.ZipFile(download.value.path()) as repaired:
        assert repaired.namelist() == [f"{row}.png" for row in range(5)]
