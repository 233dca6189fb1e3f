"""Training: the cadence of checkpoints, bit-for-bit repetition and resumption, and what happens when numbers fail."""

import contextlib
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import matrix
from torch import Tensor

from aecore import training
from aecore.data import Dataset, Split, load_dataset
from aecore.history import clipped
from aecore.measure.metrics import mse, retrieval
from aecore.models import FLAVORS, Distance, Flavor, Vanilla
from aecore.moments import moment_steps
from aecore.networks import NETWORKS, Autoencoder, Edges
from aecore.recipes import RECIPES
from aecore.runs import Checkpoint, Run
from aecore.store import Store
from aecore.training import Diverged, duration, train


@pytest.fixture(autouse=True)
def _one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tiny tensors gain nothing from a second thread, and lose much where another program wants the core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(threads if request.node.get_closest_marker("slow") else 1)
    yield
    torch.set_num_threads(threads)


def _dataset(count: int = 45, test: int = 7, seed: int = 0) -> Dataset:
    images = np.random.default_rng(seed).integers(0, 256, (count + test, 1, 8, 8), np.uint8)
    return Dataset("own", Split(images[:count].copy()), Split(images[count:].copy()))


def _run(model: Flavor | None = None, **settings: object) -> Run:
    return Run("own", model or Vanilla(latent=3), **({"epochs": 2, "batch_size": 8} | settings))


def _last(checkpoints: Iterator[Checkpoint]) -> Checkpoint:
    return deque(checkpoints, maxlen=1)[0]


def _same(one: Checkpoint, other: Checkpoint) -> bool:
    """Bit for bit: weights, history, position and all that the next step depends on."""
    ours, theirs = ({**c.network.state_dict(), **c.state} for c in (one, other))
    return (
        (one.run, one.step, one.steps, one.history) == (other.run, other.step, other.steps, other.history)
        and ours.keys() == theirs.keys()
        and all(torch.equal(ours[name], theirs[name]) for name in ours)
    )


# The stream of checkpoints.


def test_the_untrained_network_comes_first() -> None:
    run, dataset = _run(), _dataset()
    first = next(train(run, dataset))
    assert first.step == 0
    assert not first.done
    assert [row["epoch"] for row in first.history] == [0]
    fresh = run.build(dataset.shape).state_dict()
    assert all(torch.equal(weight, fresh[name]) for name, weight in first.network.state_dict().items())


def test_checkpoints_come_ten_times_in_the_first_epoch_then_once_in_each() -> None:
    checkpoints = list(train(_run(epochs=5, batch_size=2), _dataset(count=40)))
    rows = [0, *range(2, 21, 2), 40, 60, 80, 100]
    assert [row["epoch"] for row in checkpoints[-1].history] == [step / 20 for step in rows]
    assert {c.step for c in checkpoints} == {*rows, *moment_steps(100)}
    assert [c.done for c in checkpoints] == [False] * (len(checkpoints) - 1) + [True]
    assert {c.steps for c in checkpoints} == {100}
    for checkpoint in checkpoints:
        assert checkpoint.history == checkpoints[-1].history[: len(checkpoint.history)]
        assert checkpoint.history[-1]["epoch"] == max(step for step in rows if step <= checkpoint.step) / 20


def test_an_epoch_of_few_batches_gives_a_checkpoint_after_each() -> None:
    assert [c.step for c in train(_run(batch_size=20), _dataset(count=45))] == [0, 1, 2, 3, 4, 5, 6]


def test_a_pulse_adds_checkpoints_but_no_rows_and_changes_nothing() -> None:
    run, dataset = _run(epochs=1, batch_size=1), _dataset()
    plain, pulsed = list(train(run, dataset)), list(train(run, dataset, pulse=0))
    assert [c.step for c in pulsed] == list(range(46))
    assert _same(plain[-1], pulsed[-1])
    assert plain[-1].history == pulsed[-1].history


@pytest.mark.parametrize("name", FLAVORS)
def test_rows_name_every_term_for_training_and_held_out_images(name: str) -> None:
    first, *rows = _last(train(_run(FLAVORS[name](latent=3)), _dataset())).history
    terms = set(rows[0]) - {"epoch", "test"}
    assert "reconstruction" in terms
    assert first.keys() == {"epoch", "test"}
    for row in rows:
        assert set(row) == terms | {"epoch", "test"}
        assert set(row["test"]) == terms | {"mse"}
        assert all(math.isfinite(row[term]) and math.isfinite(row["test"][term]) for term in terms)


def test_a_row_is_the_mean_over_the_images_since_the_row_before() -> None:
    """At a learning rate of almost nothing, the mean over an epoch is the loss of the untrained network."""
    dataset = _dataset(count=45)
    run = _run(epochs=4, batch_size=20, lr=1e-6)
    checkpoints = list(train(run, dataset))
    untrained = np.square(checkpoints[0].reconstruct(dataset.train.images) - dataset.train.images / 255).mean()
    assert checkpoints[-1].history[-1]["reconstruction"] == pytest.approx(untrained, rel=1e-3)
    rebuilt = checkpoints[-1].reconstruct(dataset.test.images) - dataset.test.images / 255
    assert checkpoints[-1].history[-1]["test"]["mse"] == pytest.approx(np.square(rebuilt).mean(), rel=1e-5)


@pytest.mark.parametrize(("name", "kind"), matrix(FLAVORS.keys(), NETWORKS.keys(), rounds=2))
def test_every_flavor_learns_on_every_network(name: str, kind: str) -> None:
    digits = load_dataset("digits")
    small = Dataset("digits", Split(digits.train.images[:300].copy()), Split(digits.test.images[:100].copy()))
    run = Run("digits", FLAVORS[name](latent=8), kind, loss="kl", epochs=4, batch_size=32, lr=3e-3)
    history = _last(train(run, small)).history
    first, last = (history[place]["test"] for place in (0, -1))
    assert sum(last.values()) - last["mse"] < sum(first.values()) - first["mse"], "the terms, all together"
    if kind != "pca_plus":  # which begins with what others have to learn first
        assert last["mse"] < 0.85 * first["mse"]


def test_penalties_grow_over_the_warm_up_and_rows_show_them_whole(warm: list[dict[str, float]]) -> None:
    """What reaches a term in the backward pass is its weight in the objective."""
    last = _last(train(_run(FLAVORS["warm"](latent=3)), _dataset()))
    assert last.steps == 12
    assert [weights["reconstruction"] for weights in warm] == [1] * 12
    assert [weights["penalty"] for weights in warm] == pytest.approx([*np.arange(1, 7) / 6, *[1] * 6])
    assert [row["penalty"] for row in last.history[1:7]] == [weights["value"] for weights in warm[:6]], "one per batch"


@pytest.fixture
def warm() -> Iterator[list[dict[str, float]]]:
    """The weights of the terms of a flavor with a warm-up over half of the training, step by step."""
    seen: list[dict[str, float]] = []

    @dataclass(frozen=True)
    class Warm(Flavor):
        formula = ""
        warmup = 0.5

        def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
            code = network.encode(x)
            terms = {"reconstruction": distance(network.decode(code), x), "penalty": code.square().mean()}
            step = {"value": terms["penalty"].item()}
            for name, term in terms.items():
                term.register_hook(lambda grad, name=name: step.update({name: grad.item()}))
            terms["penalty"].register_hook(lambda _: seen.append(step))
            return terms

    yield seen
    del FLAVORS["warm"]


# Repetition.


@pytest.mark.parametrize("name", FLAVORS)
def test_equal_seeds_give_equal_weights_and_others_do_not(name: str) -> None:
    run, dataset = _run(FLAVORS[name](latent=3)), _dataset()
    first = _last(train(run, dataset))
    torch.manual_seed(123)
    np.random.seed(123)  # noqa: NPY002
    assert _same(first, _last(train(run, dataset)))
    other = _last(train(replace(run, seed=1), dataset))
    assert any(
        not torch.equal(weight, other.network.state_dict()[key]) for key, weight in first.network.state_dict().items()
    )


def test_process_wide_generators_are_left_alone() -> None:
    before = torch.get_rng_state()
    for name in FLAVORS:
        _last(train(_run(FLAVORS[name](latent=3), epochs=1), _dataset()))
    assert torch.equal(before, torch.get_rng_state())


def test_two_trainings_taking_turns_do_not_disturb_each_other() -> None:
    dataset = _dataset()
    pair = [_run(FLAVORS["vae"](latent=3)), _run(FLAVORS["denoising"](latent=3))]
    together = list(zip(*(train(run, dataset) for run in pair), strict=True))[-1]
    assert all(_same(mixed, _last(train(run, dataset))) for mixed, run in zip(together, pair, strict=True))


@pytest.mark.parametrize("name", FLAVORS)
def test_stopping_saving_loading_and_resuming_changes_no_bit(name: str, tmp_path: Path) -> None:
    run, dataset, store = _run(FLAVORS[name](latent=3), epochs=4), _dataset(), Store(tmp_path)
    whole = _last(train(run, dataset))
    half = next(c for c in train(run, dataset) if c.step == c.steps // 2)
    store.save(half)
    resumed = _last(train(run, dataset, resume=store.load(run.id, training=True)))
    assert _same(resumed, whole)
    store.save(resumed)
    assert _same(store.load(run.id, training=True), whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"), [*((name, "dense") for name in FLAVORS), ("contractive", "conv"), ("sparse", "edges")]
)
def test_a_break_in_the_middle_of_an_epoch_and_between_rows_changes_no_bit(
    name: str, kind: str, tmp_path: Path
) -> None:
    """Three breaks in one training, each between two rows, so that unfinished means must survive too."""
    run, dataset, store = _run(FLAVORS[name](latent=3), network=kind, batch_size=2), _dataset(), Store(tmp_path)
    whole, broken = _last(train(run, dataset)), None
    rows = {round(23 * row["epoch"]) for row in whole.history}
    for step in (4, 15, 31):
        assert step not in rows
        checkpoint = next(c for c in train(run, dataset, broken, pulse=0) if c.step == step)
        store.save(checkpoint)
        broken = store.load(run.id, training=True)
    assert _same(_last(train(run, dataset, broken)), whole)


def test_resuming_a_finished_run_has_nothing_left_to_do() -> None:
    run, dataset = _run(), _dataset()
    done = _last(train(run, dataset))
    assert list(train(run, dataset, resume=done)) == []


def test_resuming_needs_the_training_state(tmp_path: Path) -> None:
    run, dataset, store = _run(), _dataset(), Store(tmp_path)
    store.save(next(train(run, dataset)))
    with pytest.raises(ValueError, match=r"Store.load\(id, training=True\)"):
        next(train(run, dataset, resume=store.load(run.id)))


def test_checkpoints_are_snapshots_that_training_does_not_touch() -> None:
    steps = train(_run(), _dataset())
    early = next(islice(steps, 2, None))
    kept = {name: tensor.clone() for name, tensor in {**early.network.state_dict(), **early.state}.items()}
    _last(steps)
    assert all(torch.equal(kept[name], t) for name, t in {**early.network.state_dict(), **early.state}.items())
    assert not any(parameter.requires_grad for parameter in early.network.parameters())


# What training may and may not look at.


@pytest.mark.parametrize("kind", NETWORKS)
def test_test_images_and_labels_have_no_say_in_the_weights(kind: str) -> None:
    clean = load_dataset("digits")
    small = clean.train.images[:200]
    rng = np.random.default_rng(9)
    weights = []
    for test, labels in (
        (clean.test.images, None),
        (rng.integers(0, 256, (600, 1, 8, 8), np.uint8), rng.permutation(200)),
    ):
        dataset = Dataset("digits", Split(small.copy(), labels), Split(test.copy()))
        weights.append(_last(train(Run("digits", FLAVORS["vae"](), kind, epochs=2), dataset)).network.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("images", [1, 2, 3, 7, 16, 17])
@pytest.mark.parametrize("name", FLAVORS)
def test_a_handful_of_images_trains(name: str, images: int) -> None:
    run = _run(FLAVORS[name](latent=100), batch_size=16)
    last = _last(train(run, _dataset(images, test=1)))
    assert last.done
    assert last.steps == 2 * math.ceil(images / 16)
    assert all(parameter.isfinite().all() for parameter in last.network.parameters())
    first = next(train(run, _dataset(images, test=1)))
    assert any(
        not torch.equal(a, b) for a, b in zip(first.network.parameters(), last.network.parameters(), strict=True)
    )


@pytest.mark.parametrize("loss", ["mse", "kl"])
@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("name", FLAVORS)
def test_images_that_are_all_the_same_train(name: str, value: int, loss: str) -> None:
    images = np.full((12, 3, 9, 8), value, np.uint8)
    dataset = Dataset("own", Split(images[:9].copy()), Split(images[9:].copy()))
    last = _last(train(_run(FLAVORS[name](latent=2), loss=loss), dataset))
    assert all(math.isfinite(number) for row in last.history for number in row["test"].values())


@pytest.mark.parametrize(
    ("counts", "said"), [((0, 7), "no images to train on"), ((45, 0), "no images to measure with")]
)
def test_without_images_there_is_a_sentence(counts: tuple[int, int], said: str) -> None:
    with pytest.raises(ValueError, match=f"'own' has {said}; add some, or choose another"):
        next(train(_run(), _dataset(*counts)))


# When numbers fail.


@pytest.fixture
def poison() -> Iterator[type[Flavor]]:
    """A flavor whose second term turns bad when its generator has served a number of steps."""

    @dataclass(frozen=True)
    class Poison(Flavor):
        formula = ""
        bad: float = math.nan
        in_gradient: bool = False

        def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
            code = network.encode(x)
            reconstruction = distance(network.decode(code), x)
            served = int(torch.rand((), generator=rng) < 0.15) and rng.initial_seed() == 5
            penalty = code.square().mean()
            if served:
                penalty = (penalty * 0).sqrt() if self.in_gradient else penalty * self.bad
            return {"reconstruction": reconstruction, "venom": penalty}

    yield Poison
    del FLAVORS["poison"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bad": math.nan}, "the venom term"),
        ({"bad": math.inf}, "the venom term"),
        ({"in_gradient": True}, "a gradient"),
    ],
    ids=["nan", "inf", "gradient"],
)
def test_bad_numbers_stop_the_run_before_they_reach_a_weight(
    poison: type[Flavor], tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    run, checkpoints, store = _run(poison(latent=3, **settings), seed=5), [], Store(tmp_path)
    with pytest.raises(Diverged) as error:
        checkpoints.extend(train(run, _dataset()))
    last = checkpoints[-1]
    assert last.step > 0
    assert str(error.value).startswith(f"{said} became NaN or infinite at epoch {last.step / 6:.2f}, step {last.step};")
    assert "Lower the learning rate (now 0.001)" in str(error.value)
    tensors = {**last.network.state_dict(), **last.state}
    assert all(tensor.isfinite().all() for tensor in tensors.values() if tensor.is_floating_point())
    assert all(math.isfinite(number) for row in last.history for number in row["test"].values())
    store.save(last)
    assert store.load(run.id).step == last.step


def test_a_gradient_far_longer_than_those_before_it_is_shortened_and_counted(
    poison: type[Flavor], monkeypatch: pytest.MonkeyPatch
) -> None:
    applied: list[float] = []
    step = training._Adam.step

    def spy(self: training._Adam, lr: float) -> None:
        applied.append(training._norm(training._gradients(self.weights)))
        step(self, lr)

    monkeypatch.setattr(training._Adam, "step", spy)
    run = _run(poison(latent=3, bad=1e6), seed=5, epochs=8)
    last = _last(train(run, _dataset()))
    assert sum(count for _, count in clipped(last.history)) > 0
    assert max(applied[10:]) < 20 * np.median(applied)
    monkeypatch.setattr(training._Clip, "TIMES", math.inf)
    assert not clipped(_last(train(run, _dataset())).history)
    assert max(applied[10:]) > 1000 * np.median(applied), "there were longer ones to shorten"


@pytest.mark.parametrize("name", FLAVORS)
def test_the_highest_learning_rate_leaves_finite_weights(name: str) -> None:
    """It may diverge or not; no checkpoint may show it."""
    checkpoints: list[Checkpoint] = []
    with contextlib.suppress(Diverged):
        checkpoints.extend(train(_run(FLAVORS[name](latent=3), lr=1.0, epochs=5, loss="kl"), _dataset()))
    assert checkpoints[-1].step > 0
    for checkpoint in checkpoints:
        assert all(parameter.isfinite().all() for parameter in checkpoint.network.parameters())


# The two experiments.


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_plane_of_80000_blocks_rebuilds_blocks_never_seen() -> None:
    run = replace(RECIPES["blocks-map"].run, epochs=1)
    assert (run.model.name, run.model.latent) == ("vae", 2)
    blocks = load_dataset("blocks")
    assert len(blocks.train) == 80_000
    last = _last(train(run, blocks))
    assert mse(blocks.test.images, last.reconstruct(blocks.test.images)) < 0.006, "two principal components: .062"


@pytest.mark.slow
@pytest.mark.fashion
@pytest.mark.timeout(1200)
def test_clothes_are_rebuilt_and_found_better_than_by_principal_components() -> None:
    run = replace(RECIPES["fashion-rebuild"].run, epochs=2)
    assert (run.model, run.loss) == (Vanilla(latent=128), "kl")
    fashion = load_dataset("fashion_mnist")
    last = _last(train(run, fashion))
    assert mse(fashion.test.images, last.reconstruct(fashion.test.images)) < 0.009
    queries, gallery = last.encode(fashion.test.images[:2000]), last.encode(fashion.train.images)
    found = retrieval(queries, fashion.test.labels[:2000], gallery, fashion.train.labels)
    assert found["P@4"] > 0.836, "128 principal components: .835"


def test_how_long_a_training_takes_is_judged_from_its_first_steps() -> None:
    """By a clock that moves one second a look, so that the estimate is exact."""
    dataset = load_dataset("digits")
    run = Run("digits", Vanilla(latent=2), "shallow", epochs=400, batch_size=256)
    looks = iter(range(10**6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aecore.training.time.monotonic", lambda: float(next(looks)))
        found = duration(run, dataset, watch=40.0)
    steps = 400 * -(-len(dataset.train) // 256)
    assert steps < found < 4 * steps, "of one to three looks at the clock for each step"
    assert duration(replace(run, epochs=1), dataset, watch=60.0) < 60, "one that is over is known exactly"


@pytest.mark.parametrize("flavor", FLAVORS)
def test_what_never_learns_is_computed_once_and_that_changes_no_bit(
    flavor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, dataset = _run(FLAVORS[flavor](latent=4), network="edges", width=32, epochs=2), _dataset()
    seen = []
    forward = Edges.forward
    monkeypatch.setattr(Edges, "forward", lambda self, x: seen.append(len(x)) or forward(self, x))
    once, counted = _last(train(run, dataset)), sum(seen)
    seen.clear()
    assert _same(once, _last(train(run, dataset, keep=0)))
    assert counted < sum(seen)
