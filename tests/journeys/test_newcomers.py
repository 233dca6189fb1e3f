"""Whoever adds a flavor, a network, a dataset, a noise, a filter, a metric, a baseline or a page writes one thing.

It is found where a person looks for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import PAGES, texts, visit
from mirror import remote_files, serving
from streamlit.testing.v1 import AppTest
from test_use import tiles
from torch import Tensor, nn

import aecore
from aecore import Checkpoint, models, noise
from aecore.data import DATASETS, Dataset, Download, Split, dataset
from aecore.measure import baselines, filters, metrics
from aecore.measure.evaluate import PARTS, as_text, measure, measured
from aecore.models import FLAVORS, Distance, Flavor, knob
from aecore.networks import NETWORKS, Autoencoder, Shape
from aecore.noise import NOISES
from aecore.pixels import to_floats


@pytest.fixture
def newcomers() -> Iterator[None]:
    """One of each, written as somebody outside of the package would, while the test runs."""

    @dataclass(frozen=True)
    class Shrinking(Flavor):
        """Keep codes short."""

        formula = r"\min d + \lambda \lVert h \rVert^2"
        watch = "The length falls."
        weight: float = knob(1e-2, low=1e-4, high=1.0, log=True, help="How hard to pull.")

        def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
            code = network.encode(x)
            length = self.weight * code.square().sum(dim=1).mean()
            return {"reconstruction": network.reconstruction_loss(code, x, distance), "length": length}

    class Linear(Autoencoder, kind="linear"):
        """One linear layer each way."""

        @staticmethod
        def layers(shape: Shape, latent: int, heads: int, width: int) -> tuple[nn.Sequential, nn.Sequential]:
            pixels = int(np.prod(shape))
            encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, heads * latent))
            return encoder, nn.Sequential(nn.Linear(latent, pixels), nn.Unflatten(1, shape))

        def calibrate(self, x: Tensor) -> None:
            pass

        def reconstruction_loss(self, code: Tensor, x: Tensor, distance: Distance) -> Tensor:
            return distance(self.decode(code), x)

    @noise.noise
    def stripes(x: Tensor, level: float | Tensor, rng: torch.Generator) -> Tensor:
        """Darken every other line."""
        dark = x.clone()
        dark[..., ::2, :] *= 1 - level
        return dark

    @filters.filter
    def left_as_it_is(noisy: np.ndarray, *_: object) -> np.ndarray:
        """Nothing."""
        return noisy

    @metrics.metric("denoising", "largest error", 2)
    def largest_error(clean: np.ndarray, other: np.ndarray) -> float:
        """The largest difference of two pixels."""
        return float(np.abs(to_floats(clean) - other).max())

    @baselines.baseline("brightness", "few_labels")
    def brightness(dataset: Dataset, latent: int) -> baselines.Space:
        """The mean of the pixels."""
        return lambda images: images.mean(axis=(1, 2, 3))[:, None] / 255

    yield
    del FLAVORS["shrinking"], NETWORKS["linear"], NOISES["stripes"], filters.FILTERS["left as it is"]
    del metrics.METRICS["denoising"]["largest error"], metrics.FIGURES["largest error"]
    del baselines.BASELINES["few_labels"]["brightness"]


def test_a_newcomer_is_found_where_one_looks_for_it(
    newcomers: None, home_with_runs: Path, digits_runs: list[Checkpoint]
) -> None:
    train = visit("train", dataset="digits", flavor="shrinking")
    assert "shrinking" in train.button_group(key="flavor").options
    assert "Keep codes short." in texts(train)
    assert [item.value.strip("$\n ") for item in train.latex] == [FLAVORS["shrinking"].formula]
    assert train.number_input(key="weight").value == 1e-2
    assert "Keep codes short." in texts(visit("home"))

    denoise = visit("denoise", run=digits_runs[1].run.id, noise="stripes")
    assert "stripes" in denoise.button_group(key="noise").options
    lines = [line for tile in tiles(denoise, "repairs") for line in tile]
    assert "left as it is" in lines
    assert any(line.startswith("largest error 0.") for line in lines)


def test_a_new_flavor_on_a_new_network_trains_and_comes_back_from_disk(newcomers: None, home: Path) -> None:
    run = aecore.Run("digits", FLAVORS["shrinking"](latent=4), network="linear", epochs=1)
    *_, checkpoint = aecore.train(run)
    assert {"reconstruction", "length"} <= checkpoint.history[-1].keys()
    store = aecore.Store()
    store.save(checkpoint)
    images = aecore.load_dataset("digits").test.images
    np.testing.assert_array_equal(store.load(run.id).encode(images), checkpoint.encode(images))


def test_a_new_noise_can_be_trained_on(newcomers: None) -> None:
    checkpoint = next(aecore.train(aecore.Run("digits", models.Denoising(latent=4, noise="gaussian"), epochs=1)))
    images = aecore.load_dataset("digits").test.images[:4]
    assert checkpoint.reconstruct(noise.corrupt(images, "stripes", 0.5)).shape == images.shape


def test_a_run_lacks_what_a_new_metric_or_baseline_adds_until_it_is_measured(
    request: pytest.FixtureRequest, home_with_runs: Path, digits_runs: list[Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, id = aecore.Store(), digits_runs[1].run.id
    monkeypatch.setattr("aecore.measure.evaluate.AMOUNTS", (10,))  # the others take their time
    monkeypatch.setattr("aecore.measure.evaluate.NOISES", (("gaussian", 0.5),))
    parts = {name: PARTS[name] for name in ("reconstruction", "few_labels", "denoising")}
    monkeypatch.setattr("aecore.measure.evaluate.PARTS", parts)
    measure(store, id)
    assert measured(store, id)["parts"].keys() == parts.keys()
    request.getfixturevalue("newcomers")
    assert list(measured(store, id)["parts"]) == ["reconstruction"]
    found = measure(store, id)["parts"]
    assert {"largest error", "PSNR"} <= found["denoising"]["rows"]["median"]["gaussian 0.5"].keys()
    assert (
        0.05
        < found["few_labels"]["rows"]["brightness"]["10"]["mean"]
        < found["few_labels"]["rows"]["code"]["10"]["mean"]
    )
    assert "brightness" in as_text(found)


@pytest.fixture
def stamps(home: Path) -> Iterator[None]:
    """A set that a server on this machine publishes."""
    files = {
        f"{part}.bin": np.random.default_rng(count).bytes(count * 64) for part, count in (("train", 60), ("test", 9))
    }
    with serving(files) as mirror:

        @dataset("Stamps", Download("STAMPS_FOLDER", remote_files(files), (mirror.base("good"),)))
        def stamps(found: Mapping[str, Path]) -> Dataset:
            """Stamps of 8x8 pixels."""
            return Dataset(
                "stamps", *(Split(np.fromfile(found[name], np.uint8).reshape(-1, 1, 8, 8)) for name in files)
            )

        yield
        del DATASETS["stamps"]


def test_a_published_set_is_offered_downloaded_and_trained_on(
    stamps: None, home_with_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict] = []
    app = visit("train", dataset="stamps")
    assert "Stamps" in app.selectbox(key="dataset").options
    assert "The images of this dataset are not on this machine yet" in texts(app)
    app.button(key="download-stamps").click().run()
    assert "Stamps: 60 training and 9 test images" in texts(app)
    monkeypatch.setattr("pages._widgets.Job.start", lambda job: started.append(aecore.Store().run(job.id).to_dict()))
    next(button for button in app.button if button.label == "Train").click().run()
    assert [settings["dataset"] for settings in started] == ["stamps"]
    assert "Stamps · vanilla · 32 units" in app.selectbox(key="run").options


COUNT = """
import streamlit as st
from pages import _cached
from pages._widgets import open_run

st.title("Count")
view = open_run("fashion-search")
st.write(f"{len(_cached.codes(view.at('test')))} codes")
"""


def test_a_page_is_a_file_and_its_line_in_the_router(
    home_with_runs: Path, digits_runs: list[Checkpoint], tmp_path: Path
) -> None:
    page, line = tmp_path / "count.py", 'st.Page(HERE / "classify.py"'
    page.write_text(COUNT)
    router = (PAGES / "_router.py").read_text().replace("Path(__file__).parent", f"Path({str(PAGES)!r})")
    (tmp_path / "_router.py").write_text(router.replace(line, f'st.Page({str(page)!r}, title="Count"), {line}'))
    app = AppTest.from_file(str(tmp_path / "_router.py"), default_timeout=180)
    app.run()
    app.switch_page(str(page))
    app.query_params["run"] = digits_runs[1].run.id
    app.run()
    assert not app.exception, [item.message for item in app.exception]
    assert "360 codes" in texts(app)
    assert app.selectbox(key="run").value == digits_runs[1].run.id
