"""The runs that come with the package."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import aecore
from aecore import RECIPES
from aecore.__main__ import main
from aecore.data import load_dataset
from aecore.measure import metrics
from aecore.measure.evaluate import PARTS, measured
from aecore.networks import NETWORKS
from aecore.store import DamagedRun
from aecore.whitening import Whitening

SHIPPED = aecore.showcase()


def _readable(name: str) -> object:
    marks = [pytest.mark.fashion] if RECIPES[name].run.dataset == "fashion_mnist" else []
    return pytest.param(name, marks=marks)


each_recipe = pytest.mark.parametrize("name", RECIPES)
each_readable = pytest.mark.parametrize("name", [_readable(name) for name in RECIPES])


def test_all_recipes_are_there_and_nothing_else_in_at_most_9_megabytes() -> None:
    assert sorted(SHIPPED.ids()) == sorted(recipe.run.id for recipe in RECIPES.values())
    assert sum(path.stat().st_size for path in SHIPPED.folder.rglob("*") if path.is_file()) <= 9e6


@each_recipe
def test_each_is_trained_to_its_end_and_measured_as_it_is(name: str) -> None:
    run = RECIPES[name].run
    checkpoint = SHIPPED.load(run.id)
    assert checkpoint.run == run
    assert checkpoint.done
    assert list(measured(SHIPPED, run.id)["parts"]) == list(PARTS)


@each_readable
def test_its_figures_are_what_one_measures(name: str) -> None:
    """On another machine the last digits differ."""
    checkpoint = SHIPPED.load(RECIPES[name].run.id)
    parts = measured(SHIPPED, checkpoint.run.id)["parts"]
    test = load_dataset(checkpoint.run.dataset).test
    rebuilt = checkpoint.reconstruct(test.images)
    assert metrics.mse(test.images, rebuilt) == pytest.approx(parts["reconstruction"]["rows"]["code"]["MSE"], rel=1e-3)


@pytest.mark.slow
@pytest.mark.fashion
def test_its_neighbors_are_as_good_as_one_measures_and_better_than_the_aim() -> None:
    checkpoint, clothes = SHIPPED.load(RECIPES["fashion-search"].run.id), load_dataset("fashion_mnist")
    some = np.s_[::4]  # 2,500 queries: their mean is within .005 of that of all, two times of three
    codes = [checkpoint.encode(images) for images in (clothes.test.images[some], clothes.train.images)]
    known = measured(SHIPPED, checkpoint.run.id)["parts"]["retrieval"]["rows"]
    for row, change in (("code", lambda codes: codes), ("half-whitened code", Whitening.fit(codes[1]))):
        queries, gallery = map(change, codes)
        _, rows = aecore.Index(gallery).nearest(queries, 4)
        same = clothes.train.labels[rows] == clothes.test.labels[some, None]
        assert same.mean() == pytest.approx(known[row]["P@4"], abs=0.015)
    assert known["half-whitened code"]["P@4"] > 0.87 > known["whitened PCA-128"]["P@4"]


def test_it_is_read_only() -> None:
    run = RECIPES["digits-map"].run
    checkpoint = SHIPPED.load(run.id)
    for write in (lambda: SHIPPED.save(checkpoint), lambda: SHIPPED.delete(run.id), lambda: SHIPPED.create(run)):
        with pytest.raises(PermissionError, match="save into a Store"):
            write()


def test_it_is_there_to_look_at_and_not_to_go_on_with() -> None:
    with pytest.raises(DamagedRun, match="without its training state"):
        SHIPPED.load(RECIPES["digits-map"].run.id, training=True)


@pytest.mark.parametrize("network", NETWORKS)
def test_fewer_bits_change_a_picture_by_less_than_one_can_see(network: str, tmp_path: Path) -> None:
    digits = load_dataset("digits")
    run = aecore.Run("digits", aecore.FLAVORS["vanilla"](latent=8), network, width=128, epochs=3, lr=3e-3)
    *_, checkpoint = aecore.train(run, digits)
    store = aecore.Store(tmp_path)
    store.save(checkpoint)
    exact = sum(path.stat().st_size for path in store.folder.rglob("weights.safetensors"))
    store.save(checkpoint, compact=True)
    assert sum(path.stat().st_size for path in store.folder.rglob("weights.*")) < 0.7 * exact
    loaded = store.load(run.id)
    images = digits.test.images[:50]
    assert np.abs(loaded.reconstruct(images) - checkpoint.reconstruct(images)).max() < 0.03
    assert dataclasses.replace(loaded.run) == run


def test_a_small_narrowing_matrix_gets_more_bits_than_others(tmp_path: Path) -> None:
    digits = load_dataset("digits")
    checkpoint = next(aecore.train(aecore.Run("digits", aecore.FLAVORS["vanilla"](latent=2), width=1040), digits))
    store = aecore.Store(tmp_path)
    store.save(checkpoint, compact=True)
    kept = store.load(checkpoint.run.id).network.state_dict()
    for name, weight in checkpoint.network.named_parameters():
        apart = ((kept[name] - weight).norm() / weight.norm().clamp(min=1e-9)).item()
        if weight.ndim > 1:
            fine = len(weight) < weight.shape[1] and weight.numel() <= 2**16
            assert apart < 1e-4 if fine else 1e-3 < apart < 2e-2, name


def _figure(name: str, part: str, row: str, figure: str, inner: str | None = None) -> float:
    value = measured(SHIPPED, RECIPES[name].run.id)["parts"][part]["rows"][row][figure]
    return value[inner] if inner else value


@pytest.mark.parametrize(
    ("digits", "where"),
    [
        (4, ("fashion-rebuild", "reconstruction", "code", "MSE")),
        (4, ("fashion-rebuild", "reconstruction", "PCA", "MSE")),
        (3, ("fashion-search", "retrieval", "code", "P@4")),
        (3, ("fashion-search", "retrieval", "raw pixels", "P@4")),
        (3, ("fashion-search", "retrieval", "code", "P@10")),
        (3, ("fashion-search", "retrieval", "code", "5-NN")),
        (3, ("fashion-labels", "few_labels", "code", "10", "mean")),
        (3, ("fashion-labels", "few_labels", "code", "100", "mean")),
        (3, ("fashion-labels", "few_labels", "code", "all", "mean")),
        (2, ("fashion-denoise", "denoising", "code", "gaussian 0.25", "PSNR")),
        (2, ("fashion-denoise", "denoising", "code", "gaussian 0.5", "PSNR")),
        (2, ("fashion-denoise", "denoising", "linear filter", "gaussian 0.5", "PSNR")),
        (4, ("blocks-map", "reconstruction", "code", "MSE")),
        (3, ("blocks-map", "map_quality", "map", "R^2 height")),
        (3, ("blocks-map", "map_quality", "map", "trustworthiness")),
        (3, ("fashion-map", "map_quality", "map", "5-NN")),
    ],
)
def test_the_readme_prints_these_figures(digits: int, where: tuple[str, ...]) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    assert f"{_figure(*where):.{digits}f}" in readme, (where, _figure(*where))


def test_a_recipe_is_asked_for_by_its_name(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "digits-map", "--query", "3", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["hits"]) == 4
    assert main(["evaluate", "digits-map"]) == 0
    assert "trustworthiness" in capsys.readouterr().out
