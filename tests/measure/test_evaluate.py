"""The tables of a checkpoint and its baselines."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

import aecore
from aecore.data import Dataset, Split, load_dataset
from aecore.measure import metrics
from aecore.measure.evaluate import NOISES, PARTS, Part, Recall, as_text, evaluate, measure, measured
from aecore.measure.few_labels import accuracies
from aecore.measure.pca import Pca, linear
from aecore.noise import corrupt
from aecore.parallel import Group
from aecore.runs import Checkpoint

DIGITS = load_dataset("digits")


@pytest.fixture(scope="module")
def tables(digits_runs: list[Checkpoint]) -> dict[str, dict]:
    """All parts for the variational run on digits, but for the amounts of labels that take longest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aecore.measure.evaluate.AMOUNTS", (1, 10))
        return dict(evaluate(digits_runs[0], DIGITS))


def test_every_part_names_its_split_and_sample_and_puts_the_code_beside_baselines(tables: dict[str, dict]) -> None:
    assert list(tables) == list(PARTS)
    for name, part in tables.items():
        assert part["split"] in ("train", "test"), name
        assert part.keys() & {"images", "queries"}, name
        assert next(iter(part["rows"])) in ("code", "map")
        assert len(part["rows"]) > 1 or name == "code"
    json.dumps(tables)


def test_the_text_shows_every_row(tables: dict[str, dict]) -> None:
    text = as_text(tables)
    for part in tables.values():
        for row in part["rows"]:
            assert f"  {row} " in text


def test_figures_are_those_of_the_metrics(tables: dict[str, dict], digits_runs: list[Checkpoint]) -> None:
    checkpoint, test = digits_runs[0], DIGITS.test
    rebuilt = checkpoint.reconstruct(test.images)
    assert tables["reconstruction"]["rows"]["code"]["MSE"] == metrics.mse(test.images, rebuilt)
    expected = metrics.retrieval(
        checkpoint.encode(test.images), test.labels, checkpoint.encode(DIGITS.train.images), DIGITS.train.labels
    )
    assert tables["retrieval"]["rows"]["code"] == expected
    assert tables["code"]["rows"]["code"]["units"] == 2
    assert len(tables["code"]["rows"]["code"]["KL per unit"]) == 2


def test_what_is_known_is_not_measured_again_and_baselines_are_recalled(digits_runs: list[Checkpoint]) -> None:
    known = [name for name in PARTS if name != "retrieval"]
    asked = []

    def recall(key: str, compute: object) -> dict[str, float]:
        asked.append(key)
        return {"P@1": 0.5}

    ((name, part),) = evaluate(digits_runs[0], DIGITS, known, recall)
    assert name == "retrieval"
    assert part["rows"]["raw pixels"] == {"P@1": 0.5}
    assert asked == [
        f"retrieval {PARTS[name].version} digits {row}" for row in part["rows"] if not row.endswith("code")
    ]


@pytest.fixture
def two_parts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Only the parts "first" and "second" are there; what they compute is noted."""
    computed: list[str] = []

    def figures(name: str, checkpoint: Checkpoint, dataset: Dataset, recall: Recall) -> dict[str, dict]:
        computed.append(name)
        return {"rows": {"code": {}, "pixels": recall("pixels", lambda: computed.append(f"pixels of {name}"))}}

    parts = {name: Part(partial(figures, name)) for name in ("first", "second")}
    monkeypatch.setattr("aecore.measure.evaluate.PARTS", parts)
    return computed


def test_a_part_with_a_changed_formula_is_measured_anew_and_so_are_its_baselines(
    digits_runs: list[Checkpoint], home: Path, two_parts: list[str]
) -> None:
    from aecore.measure import evaluate as room

    store, id = aecore.Store(), digits_runs[0].run.id
    store.save(digits_runs[0])
    before = measure(store, id)
    assert two_parts == ["first", "pixels of first", "second", "pixels of second"]
    assert measure(store, id) == measured(store, id) == before
    assert len(two_parts) == 4, "nothing changed, nothing is computed"

    room.PARTS["first"] = replace(room.PARTS["first"], number=2)
    assert list(measured(store, id)["parts"]) == ["second"]
    two_parts.clear()
    after = measure(store, id)
    assert two_parts == ["first", "pixels of first"]
    assert after["versions"] == {"first": "2", "second": "1"}
    assert list(after["parts"]) == ["first", "second"], "in the order of the table"


def test_processes_take_turns_in_the_parts_and_the_first_writes(
    digits_runs: list[Checkpoint], home: Path, two_parts: list[str]
) -> None:
    store, id, told = aecore.Store(), digits_runs[0].run.id, {}
    store.save(digits_runs[0])

    class Member(Group):
        def collect(self, content: bytes) -> list[bytes]:
            told[self.rank] = content
            return [*told.values()]

    measure(store, id, group=Member(1, 2))
    assert two_parts == ["second", "pixels of second"]
    assert not measured(store, id)
    known = measure(store, id, group=Member(0, 2))
    assert two_parts[2:] == ["first", "pixels of first"]
    assert list(known["parts"]) == ["first", "second"]
    assert measured(store, id) == known


@pytest.mark.parametrize("versions", [None, [], "1", {"first": 1}, {"first": None, "second": ["1"]}])
def test_an_evaluation_without_versions_counts_as_not_measured(
    versions: object, digits_runs: list[Checkpoint], home: Path, two_parts: list[str]
) -> None:
    store, id = aecore.Store(), digits_runs[0].run.id
    store.save(digits_runs[0])
    old = {"run": id, "stamp": store.stamp(id), "parts": {"first": {"rows": {}}, "second": None}}
    old |= {} if versions is None else {"versions": versions}
    (store.path(id) / "evaluation.json").write_text(json.dumps(old))
    assert not measured(store, id).get("parts")
    assert list(measure(store, id)["parts"]) == ["first", "second"]


def test_sets_without_labels_have_no_class_figures(digits_runs: list[Checkpoint]) -> None:
    bare = replace(DIGITS, train=Split(DIGITS.train.images), test=Split(DIGITS.test.images), classes=None)
    parts = dict(evaluate(digits_runs[0], bare, known=["denoising", "map_quality", "code", "samples"]))
    assert parts["retrieval"] is None
    assert parts["few_labels"] is None
    assert as_text(parts)


def test_factors_are_read_off_a_map_that_knows_them() -> None:
    """R^2 is 1 where the code is the factor, and a poor network does worse."""
    blocks = load_dataset("blocks", count=3000)
    run = aecore.Run("blocks", aecore.FLAVORS["vanilla"](latent=2), width=64, epochs=1)
    part = PARTS["map_quality"].figures(next(aecore.train(run, blocks)), blocks, lambda key, compute: compute())
    assert part["split"] == "train"  # 98 test images are too few
    assert part["images"] <= 686
    assert -1 < part["rows"]["map"]["R^2 height"] <= 1
    assert part["rows"]["PCA-2"]["R^2 height"] > 0.9


@pytest.mark.parametrize("components", [1, 10, 40])
def test_pca_agrees_with_scikit_learn(components: int) -> None:
    flat = [split.images.reshape(len(split), -1) / 255 for split in (DIGITS.train, DIGITS.test)]
    theirs = PCA(components, svd_solver="full").fit(flat[0])
    ours = linear(DIGITS)
    expected = theirs.inverse_transform(theirs.transform(flat[1])).reshape(DIGITS.test.images.shape)
    np.testing.assert_allclose(ours.rebuild(DIGITS.test.images, components), expected, atol=2e-4)
    scale = np.sqrt(len(DIGITS.train) / (len(DIGITS.train) - 1))
    np.testing.assert_allclose(ours.deviations(components) * scale, np.sqrt(theirs.explained_variance_), rtol=1e-3)


def test_pca_of_blocks_is_the_published_yardstick() -> None:
    """Of all 784 blocks, two components leave .0602 and 32 leave .0097."""
    images = load_dataset("blocks", count=8000).train.images
    for components, published in ((2, 0.0602), (32, 0.0097)):
        assert metrics.mse(images, Pca(images).rebuild(images, components)) == pytest.approx(published, rel=0.05)


def test_pca_is_not_tried_where_it_would_take_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.zeros((3, 3, 64, 64), np.uint8)
    assert linear(Dataset("few", Split(images), Split(images))) is not None
    monkeypatch.setattr("aecore.measure.pca.FEW", 36_000)
    assert linear(Dataset("large", Split(images), Split(images))) is None


@pytest.mark.parametrize("components", [1, 20, 128])
def test_pca_of_few_large_images_is_that_of_their_pixels(components: int, monkeypatch: pytest.MonkeyPatch) -> None:
    few, others = DIGITS.train.images[:40], DIGITS.test.images[:50]
    usual = Pca(few)
    monkeypatch.setattr("aecore.measure.pca.LARGEST", 10)
    by_products = Pca(few)
    wanted = usual.rebuild(others, min(components, 39))  # beyond that, the usual axes are those of no image
    np.testing.assert_allclose(by_products.rebuild(others, components), wanted, atol=1e-4)
    expected = usual.deviations(min(components, 39))
    np.testing.assert_allclose(by_products.deviations(components), expected, rtol=1e-3)
    assert by_products.sample(5, components).shape == (5, 64)


def test_pca_of_equal_large_images_is_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aecore.measure.pca.LARGEST", 10)
    images = np.full((4, 1, 8, 8), 51, np.uint8)
    np.testing.assert_allclose(Pca(images).rebuild(images, 3), 0.2, atol=1e-6)


def test_more_labels_help() -> None:
    features = DIGITS.train.images.reshape(len(DIGITS.train), -1) / np.float32(255)
    test = DIGITS.test.images.reshape(len(DIGITS.test), -1) / np.float32(255)
    labels = DIGITS.train.labels
    rows = accuracies(features, test, labels, DIGITS.test.labels, [1, 10, None], seeds=2)
    assert list(rows) == ["1", "10", "all"]
    assert 0.4 < rows["1"]["mean"] < rows["10"]["mean"] < rows["all"]["mean"]
    assert rows["all"]["deviation"] == 0


def test_shuffled_labels_give_chance() -> None:
    features = DIGITS.train.images.reshape(len(DIGITS.train), -1) / np.float32(255)
    test = DIGITS.test.images.reshape(len(DIGITS.test), -1) / np.float32(255)
    shuffled = np.random.default_rng(0).permutation(DIGITS.train.labels)
    rows = accuracies(features, test, shuffled, DIGITS.test.labels, [50], seeds=2)
    assert rows["50"]["mean"] == pytest.approx(0.1, abs=0.08)


def test_the_code_part_agrees_with_torch(tables: dict[str, dict], digits_runs: list[Checkpoint]) -> None:
    """Active units, KL per unit and contraction, against variances, torch.distributions and the full Jacobian."""
    checkpoint, images = digits_runs[0], DIGITS.test.images
    found = tables["code"]["rows"]["code"]
    x = torch.tensor(images / np.float32(255))
    codes = checkpoint.encode(images)
    assert found["active units"] == (codes.var(axis=0) > 0.01).sum()
    mean, log_variance = checkpoint.network.heads(x).unbind(dim=1)
    normal = torch.distributions.Normal
    kl = torch.distributions.kl_divergence(normal(mean, (log_variance / 2).exp()), normal(0.0, 1.0)).mean(dim=0)
    assert found["KL per unit"] == pytest.approx(sorted(kl.tolist(), reverse=True), abs=1e-4)
    norms = [
        torch.autograd.functional.jacobian(checkpoint.network.encode, image[None]).norm().item() for image in x[:32]
    ]
    assert found["contraction"] == pytest.approx(np.mean(norms) / np.sqrt(codes.var(axis=0).sum()), rel=1e-3)


def test_denoising_is_measured_on_the_noise_that_it_names(
    tables: dict[str, dict], digits_runs: list[Checkpoint]
) -> None:
    part, clean = tables["denoising"], DIGITS.test.images[:300]
    assert (part["images"], part["clipped"], part["seed"]) == (300, True, 0)
    for kind, level in NOISES:
        noisy = corrupt(clean, kind, level, seed=0)
        for row, images in (("noisy", noisy), ("code", digits_runs[0].reconstruct(noisy))):
            figures = part["rows"][row][f"{kind} {level:g}"]
            assert figures["PSNR"] == pytest.approx(metrics.psnr(clean, images).mean())
            assert figures["SSIM"] == pytest.approx(metrics.ssim(clean, images).mean())
    best = part["rows"]["linear filter"]["gaussian 0.5"]["PSNR"]
    assert best > part["rows"]["noisy"]["gaussian 0.5"]["PSNR"] + 3


@pytest.mark.slow
@pytest.mark.fashion
def test_ten_labels_are_worth_more_on_codes_than_on_pixels_by_any_draw() -> None:
    """One draw, seed 3, once chose its ridge by chance and fell below raw pixels."""
    from aecore.measure.few_labels import learn
    from aecore.pixels import flat

    clothes = load_dataset("fashion_mnist")
    checkpoint = aecore.showcase().load(aecore.RECIPES["fashion-labels"].run.id)
    chosen = np.concatenate([np.flatnonzero(clothes.train.labels == kind)[:500] for kind in range(10)])
    labels, test = clothes.train.labels[chosen], clothes.test.images[:2000]
    right = {}
    for name, space in (("code", checkpoint.encode), ("pixels", flat)):
        train, asked = space(clothes.train.images[chosen]), space(test)
        right[name] = [
            (learn(train, asked, labels, 10, seed)[0] == clothes.test.labels[:2000]).mean() for seed in range(6)
        ]
    assert (np.array(right["code"]) > np.array(right["pixels"])).all(), right
