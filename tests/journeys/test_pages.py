"""Every page, driven without a browser."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import PAGES, components, finish, rarely, tables, texts, visit
from streamlit.testing.v1 import AppTest

import aecore
from aecore.data import RemoteFile
from aecore.folders import SHIPPED, run_folders
from aecore.process.jobs import LIVE, Job, tell
from pages.acts import live, steer

NAMES = ["home", "train", "manifold", "denoise", "search", "classify", "about"]
FIRST = {
    "manifold": "blocks-map",
    "denoise": "fashion-denoise",
    "search": "fashion-search",
    "classify": "fashion-labels",
}
"""The recipe whose run a new visitor sees on each page."""


@pytest.fixture
def no_showcase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages._widgets.SHIPPED", tmp_path / "nothing")


@pytest.mark.parametrize("page", [name for name in NAMES if name not in ("home", "about")])
def test_opens_without_any_run(page: str, home: Path, no_showcase: None) -> None:
    app = visit(page)
    assert "Train one" in [button.label for button in app.button] or page == "train"


@pytest.mark.parametrize(("page", "clothes"), [
    ("manifold", True), ("denoise", True), ("search", True), ("classify", True), ("search", False),
    *(rarely(page, False) for page in ("manifold", "denoise", "classify")),
])  # fmt: skip
def test_a_new_visitor_sees_a_shipped_run(
    page: str, clothes: bool, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Fashion-MNIST would have to be downloaded, the pages open on digits."""
    if not clothes:
        monkeypatch.delenv("AECORE_FASHION_MNIST", raising=False)
        monkeypatch.setenv("AECORE_CACHE", str(tmp_path))
    elif "AECORE_FASHION_MNIST" not in os.environ:
        pytest.skip("set AECORE_FASHION_MNIST to the folder with the four files of Fashion-MNIST")
    recipe = FIRST[page] if clothes or page == "manifold" else "digits-map"
    app = visit(page)
    assert app.selectbox(key="run").value == aecore.RECIPES[recipe].run.id
    assert "Test MSE" in texts(app)


@pytest.mark.parametrize("page", NAMES)
def test_opens_with_runs(page: str, home_with_runs: Path) -> None:
    visit(page)


def test_home_shows_every_flavor_with_its_formula(home: Path) -> None:
    app = visit("home")
    assert [item.value.strip("$\n ") for item in app.latex] == [flavor.formula for flavor in aecore.FLAVORS.values()]


def test_a_link_opens_its_run(home_with_runs: Path, digits_runs: list[aecore.Checkpoint]) -> None:
    for checkpoint in digits_runs:
        app = visit("search", run=checkpoint.run.id)
        assert app.selectbox(key="run").value == checkpoint.run.id


def test_a_link_to_a_run_that_is_gone_says_so(home_with_runs: Path) -> None:
    app = visit("search", run="digits-vae-00000000")
    assert "This server has no run" in app.toast[0].value
    assert app.selectbox(key="run").value in aecore.showcase().ids()


@pytest.mark.parametrize("mode", ["images", "points", "decoder"])
def test_manifold_draws_every_mode(mode: str, home_with_runs: Path, digits_runs: list[aecore.Checkpoint]) -> None:
    app = visit("manifold", run=digits_runs[0].run.id)
    app.segmented_control(key="mode").set_value(mode).run()
    assert not app.exception
    sent = components(app)
    assert [part.WhichOneof("data") for part in sent][:3] == ["json", "bytes", "bytes"]
    assert json.loads(sent[0].json)["mode"] == mode


def test_a_link_to_the_manifold_opens_its_image_and_its_place(
    home_with_runs: Path, digits_runs: list[aecore.Checkpoint]
) -> None:
    run, train = digits_runs[0].run.id, aecore.load_dataset("digits").train
    assert f"Image {train.ids[9]}, {train.labels[9]}" in texts(visit("manifold", run=run, row="9"))
    assert "Decoded from (1.50, -0.25)" in texts(visit("manifold", run=run, mode="decoder", x="1.5", y="-0.25"))
    assert "Decoded from (0.00, 0.00)" in texts(visit("manifold", run=run, mode="decoder", x="nan", y="1e99"))


def map_of(app: AppTest) -> dict:
    """What the map on the page is told to show."""
    return json.loads(components(app)[0].json)


def test_manifold_of_many_dimensions_names_its_projection_and_moves_single_numbers(
    home_with_runs: Path, digits_runs: list[aecore.Checkpoint]
) -> None:
    app = visit("manifold", run=digits_runs[1].run.id)
    assert re.fullmatch(r"1,437 training images · PCA of 16 units, trustworthiness 0\.\d{3}", map_of(app)["title"])
    app.segmented_control(key="mode").set_value("decoder").run()
    assert not app.exception
    assert not [part for part in components(app) if part.id.endswith("-map")]
    assert "Each row moves one unit" in texts(app)
    images = aecore.load_dataset("digits").test.images
    active = np.argsort(-digits_runs[1].encode(images).var(axis=0))[:8]
    sliders = [slider.key for slider in app.slider if str(slider.key).startswith("unit-")]
    assert set(sliders) == {f"unit-{unit}" for unit in active}
    assert sliders[0] == f"unit-{active[0]}"
    app.slider(key=sliders[0]).set_value(app.slider(key=sliders[0]).max).run()
    assert app.query_params["units"]
    app.number_input(key="row").set_value(3).run()  # another image, another rack
    assert not app.exception
    assert "units" not in app.query_params
    code = digits_runs[1].encode(aecore.load_dataset("digits").train.images[3:4])[0]
    low, high = app.slider(key=sliders[0]).min, app.slider(key=sliders[0]).max
    assert app.slider(key=sliders[0]).value == pytest.approx(np.clip(code[active[0]], low, high), abs=1e-4)


def test_manifold_draws_a_path_between_two_images(home_with_runs: Path, digits_runs: list[aecore.Checkpoint]) -> None:
    app = visit("manifold", run=digits_runs[0].run.id, tool="path", a="4", b="90")
    codes = digits_runs[0].encode(aecore.load_dataset("digits").train.images[[4, 90]])
    line = np.array(map_of(app)["marks"]["path"])
    np.testing.assert_allclose(line, np.linspace(codes[0], codes[1], 9), atol=1e-4)
    frames = digits_runs[0].decode(line)
    steps = np.sqrt(np.square(frames[1:] - frames[:-1]).mean(axis=(1, 2, 3)))
    assert f"The largest step is {steps.max() / steps.mean():.1f} times the mean step." in texts(app)
    app.segmented_control(key="line").set_value("slerp").run()
    assert not app.exception
    lengths = np.linalg.norm(map_of(app)["marks"]["path"], axis=1)
    np.testing.assert_allclose(lengths, np.linspace(lengths[0], lengths[-1], 9), rtol=1e-4)
    alike = visit("manifold", run=digits_runs[0].run.id, tool="path", a="4", b="4")
    assert "Both ends are drawn alike" in texts(alike)


def test_manifold_rolls_dice_around_an_image(home_with_runs: Path, digits_runs: list[aecore.Checkpoint]) -> None:
    app = visit("manifold", run=digits_runs[0].run.id, tool="dice", row="6")
    mean, deviation = digits_runs[0].posterior(aecore.load_dataset("digits").train.images[6:7])
    marks = map_of(app)["marks"]
    np.testing.assert_allclose(marks["ellipse"], [*mean[0], *deviation[0]], rtol=1e-5)
    before = marks["dots"]
    assert len(before) == 5
    next(button for button in app.button if button.label == "Roll the dice").click().run()
    assert not app.exception
    assert map_of(app)["marks"]["dots"] != before


def test_manifold_keeps_tags_of_a_selection(home_with_runs: Path, digits_runs: list[aecore.Checkpoint]) -> None:
    from aecore.manifold import inside
    from aecore.tags import tags

    run, train = digits_runs[0], aecore.load_dataset("digits").train
    corners = [(-1, -1), (2, -1), (2, 2), (-1, 2)]
    area = ",".join(f"{number}" for corner in corners for number in corner)
    app = visit("manifold", run=run.run.id, tool="selection", area=area)
    rows = np.flatnonzero(inside(run.encode(train.images), np.array(corners)))
    assert f"**{len(rows):,}** of 1,437 images selected" in texts(app)
    app.text_input(key="tag-word").set_value("middle")
    next(button for button in app.button if button.label == "Tag them").click().run()
    assert not app.exception
    assert tags("digits") == {"middle": {"train": sorted(train.ids[rows].tolist())}}
    app.run()
    app.selectbox(key="color").set_value("tag").run()
    assert not app.exception
    next(button for button in app.button if button.label == "Remove").click().run()
    assert not app.exception
    assert tags("digits") == {}


@pytest.mark.parametrize("area", ["nan,1,2,3,4,5", "1,2", "a", "1,2,3,4,5,6;x", ",".join(["1"] * 500)])
def test_a_link_with_a_selection_that_is_none_selects_nothing(area: str, home_with_runs: Path) -> None:
    app = visit("manifold", tool="selection", area=area)
    assert map_of(app)["area"] == []


@pytest.mark.parametrize("color", ["class", "loss", "trust", "none"])
def test_manifold_colors_points(color: str, home_with_runs: Path, digits_runs: list[aecore.Checkpoint]) -> None:
    from test_atlas import unpacked

    from aecore.manifold import trust

    run, train = digits_runs[0], aecore.load_dataset("digits").train
    app = visit("manifold", run=run.run.id, color=color)
    head, arrays = unpacked(components(app)[2].bytes)
    assert head["kind"] == {"class": "class", "none": "none"}.get(color, "number")
    if color == "class":
        np.testing.assert_array_equal(arrays["values"], train.labels)
    elif color == "loss":
        wrong = np.square(run.reconstruct(train.images) - train.images / 255).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(arrays["values"], wrong, rtol=1e-3, atol=1e-6)
    elif color == "trust":
        expected = trust(train.images.reshape(len(train), -1) / 255, run.encode(train.images), np.arange(len(train)))
        off = np.abs(arrays["values"] - expected)  # a tie among neighbors may turn on the last bit
        assert np.mean(off > 5e-3) < 0.005


def test_the_trust_of_a_map_and_its_units_are_on_the_page(
    home_with_runs: Path, digits_runs: list[aecore.Checkpoint]
) -> None:
    app = visit("manifold", run=digits_runs[0].run.id, tool="trust")
    assert "of 2 units active" in texts(app)
    (chart,) = app.get("vega_lite_chart")
    (bars,) = tables(chart.proto).values()
    kl = digits_runs[0].unit_kl(aecore.load_dataset("digits").test.images)
    assert [bar["value"] for bar in bars] == pytest.approx(sorted(kl.tolist(), reverse=True), rel=1e-4)
    assert [bar["unit"] for bar in bars] == np.argsort(-kl).tolist()


def test_a_damaged_run_is_a_sentence(home_with_runs: Path, digits_runs: list[aecore.Checkpoint]) -> None:
    for weights in home_with_runs.glob(f"runs/{digits_runs[0].run.id}/snapshots/*/weights.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-1])
    app = visit("manifold", run=digits_runs[0].run.id)
    assert "is damaged" in texts(app)


@pytest.mark.usefixtures("home", "offline")
def test_missing_fashion_mnist_offers_the_download_and_its_failure_names_both_ways_out() -> None:
    app = visit("train")
    app.selectbox(key="dataset").set_value("fashion_mnist").run()
    assert "31 MB, downloaded once" in texts(app)
    app.button(key="download-fashion_mnist").click().run()
    assert not app.exception
    assert "Connect to the internet" in app.error[0].value
    assert "AECORE_FASHION_MNIST" in app.error[0].value
    app.selectbox(key="dataset").set_value("digits").run()
    assert "Train" in [button.label for button in app.button]


@pytest.mark.usefixtures("home", "offline")
def test_a_set_registered_from_outside_is_offered_with_its_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    clothes = aecore.DATASETS["fashion_mnist"]
    stamps = replace(clothes.download, files=(RemoteFile("stamps.bin", 170_498_071, "0" * 64),))
    monkeypatch.setitem(aecore.DATASETS, "stamps", replace(clothes, download=stamps))
    app = visit("train")
    app.selectbox(key="dataset").set_value("stamps").run()
    assert "171 MB, downloaded once" in texts(app)
    app.button(key="download-stamps").click().run()
    assert "images of stamps" in app.error[0].value
    assert "stamps.bin" in app.error[0].value


def test_train_starts_a_process_with_the_settings_on_the_page(home: Path) -> None:
    app = visit("train")
    app.segmented_control(key="flavor").set_value("sparse").run()
    app.number_input(key="latent").set_value(8).run()
    app.number_input(key="epochs").set_value(1).run()
    next(button for button in app.button if button.label == "Train").click().run()
    assert not app.exception
    (folder,) = run_folders(home / "runs")
    run = aecore.Store(home / "runs").run(folder.name)
    assert (run.dataset, run.model.name, run.model.latent, run.epochs) == ("digits", "sparse", 8, 1)
    job = Job(folder)
    wait_for(lambda: job.state == "done", job)
    assert "**Done**" in texts(app.run())


def wait_for(happened: object, job: Job, seconds: float = 90) -> None:
    import time

    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, (job.state, job.progress, (job.folder / "log.txt").read_text())
        time.sleep(0.05)


def test_a_host_that_runs_app_py_as_a_page_shows_the_same(home: Path) -> None:
    app = AppTest.from_file(str(PAGES.parent / "app.py"), default_timeout=60).run()
    assert not app.exception
    assert app.title[0].value == "Autoencoders on real images"


def test_classify_names_the_accuracy_of_the_code_and_of_raw_pixels(
    home_with_runs: Path, digits_runs: list[aecore.Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    from aecore.measure.evaluate import measure
    from aecore.measure.few_labels import learn
    from aecore.pixels import flat

    checkpoint, digits = digits_runs[1], aecore.load_dataset("digits")
    app = visit("classify", run=checkpoint.run.id)
    finish(app.segmented_control(key="labels").set_value(5).run())
    assert not app.exception
    for space in (checkpoint.encode, flat):
        said, _ = learn(space(digits.train.images), space(digits.test.images), digits.train.labels, 5)
        assert f"{(said == digits.test.labels).mean():.1%}" in texts(app)
    assert "Measure it" in [button.label for button in app.button]
    monkeypatch.setattr("aecore.measure.evaluate.AMOUNTS", (1, 10))  # the others take their time
    measure(aecore.Store(home_with_runs / "runs"), checkpoint.run.id)
    app.run()
    assert not app.exception
    assert "Mean and standard deviation over 5 random choices" in texts(app)


def test_train_compares_runs_of_the_link(home_with_runs: Path, digits_runs: list[aecore.Checkpoint]) -> None:
    runs = [checkpoint.run.id for checkpoint in digits_runs]
    app = visit("train", compare="~".join(runs))
    assert set(app.dataframe[0].value["run"]) >= {checkpoint.run.title for checkpoint in digits_runs}
    overlay, *curves = [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")][-3:]
    assert overlay["encoding"]["y"]["field"] == "MSE"
    axes = [chart["layer"][0]["encoding"] for chart in curves]
    assert axes[0]["y"]["scale"]["domain"] == axes[1]["y"]["scale"]["domain"]
    assert axes[0]["color"]["scale"]["domain"] == axes[1]["color"]["scale"]["domain"] == ["reconstruction", "kl"]
    assert "all on one logarithmic axis" in texts(app)


def test_classify_says_what_a_set_without_labels_lacks(home: Path) -> None:
    run = aecore.Run("blocks", aecore.FLAVORS["vanilla"](latent=2), network="shallow", epochs=1)
    aecore.Store(home / "runs").save(next(aecore.train(run)))
    assert "one folder for each class" in texts(visit("classify", run=run.id))


@pytest.mark.parametrize(("mse", "said"), [(0.2, True), (0.02, False)])
def test_a_run_that_learned_nothing_is_called_collapsed_with_the_way_out(mse: float, said: bool, home: Path) -> None:
    run = aecore.Run("digits", aecore.models.Sparse(latent=2, weight=0.1), "shallow", epochs=5, lr=0.5)
    history = ({"epoch": 5.0, "reconstruction": mse, "clipped": 3, "test": {"reconstruction": mse, "mse": mse}},)
    aecore.Store(home / "runs").save(aecore.Checkpoint(run, run.build((1, 8, 8)), history, 5, 5))
    app = visit("train", run=run.id)
    words = " ".join(item.value for item in app.warning)
    assert ("has collapsed" in words) == said
    assert ("Lower the learning rate (now 0.5) or the weight of its penalty (now 0.1)" in words) == said


def test_a_redrawing_that_was_lost_is_asked_for_again(monkeypatch: pytest.MonkeyPatch, home_with_runs: Path) -> None:
    class Asked(Exception):
        pass

    def ask() -> None:
        raise Asked

    monkeypatch.setattr(live.st, "rerun", ask)
    monkeypatch.setattr(live.st, "session_state", {})
    steer.redraw()
    for _ in range(2):  # each tick of a training
        with pytest.raises(Asked):
            live.live(SimpleNamespace(state="running", progress={}), live.PACE["running"])
    monkeypatch.undo()
    app = AppTest.from_file(str(PAGES / "_router.py"), default_timeout=60)
    app.session_state["redraw"] = True
    app.switch_page(str(PAGES / "train.py")).run()
    assert "redraw" not in app.session_state, "the page was drawn"


def test_one_press_queues_every_flavor(home: Path) -> None:
    app = visit("train")
    app.number_input(key="epochs").set_value(1).run()
    next(button for button in app.button if button.label == "Train every flavor").click().run()
    assert not app.exception
    jobs = [Job(folder) for folder in run_folders(home / "runs")]
    runs = [aecore.Store(home / "runs").run(job.id) for job in jobs]
    assert sorted(run.model.name for run in runs) == sorted(aecore.FLAVORS)
    assert len({(run.dataset, run.network, run.seed, run.epochs, run.model.latent) for run in runs}) == 1
    assert all(job.state in LIVE or job.state == "done" for job in jobs)
    for job in jobs:
        job.stop()
    for job in jobs:
        wait_for(lambda job=job: job.state in ("stopped", "done"), job)


def square(app: AppTest) -> str:
    """What the square on Home is told."""
    (found,) = [part.json for part in components(app) if part.id.endswith("-code")]
    return found


def test_a_shipped_run_is_shown_until_it_is_trained_again(home: Path) -> None:
    """While it waits, trains, or was stopped on the way, the pages show the one that came with the app."""
    run = aecore.RECIPES["blocks-map"].run
    store = aecore.Store(home / "runs")
    job = Job(store.create(run))
    for state in ("waiting", "stopped", "failed"):
        tell(job.folder, {"state": state})
        store.save(next(aecore.train(run))) if state == "stopped" else None
        assert f'"part": "{run.id} {aecore.Store(SHIPPED).state(run.id)} decoder"' in square(visit("home"))
        assert f"Epoch {run.epochs} of {run.epochs}" in texts(visit("manifold"))
    tell(job.folder, {"state": "done"})
    assert f"Epoch 0 of {run.epochs}" in texts(visit("manifold"))
