"""Where and how precisely networks are trained: the choice of a device, one path for all of them, bfloat16."""

from collections import deque
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import texts, visit

from aecore import devices
from aecore.__main__ import main
from aecore.data import Dataset, Split, load_dataset
from aecore.models import DISTANCES, FLAVORS, Vanilla
from aecore.networks import NETWORKS
from aecore.noise import NOISES
from aecore.runs import Checkpoint, Run
from aecore.store import Store
from aecore.training import train


@pytest.fixture
def bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has it; others compute the same, in more time."""
    monkeypatch.setattr(devices, "has_bfloat16", lambda place: True)


def _dataset() -> Dataset:
    images = np.random.default_rng(0).integers(0, 256, (52, 1, 8, 8), np.uint8)
    return Dataset("own", Split(images[:45].copy()), Split(images[45:].copy()))


def _last(run: Run, dataset: Dataset, resume: Checkpoint | None = None) -> Checkpoint:
    return deque(train(run, dataset, resume), maxlen=1)[0]


# The choice.


def _machine(monkeypatch: pytest.MonkeyPatch, *gpus: str, wanted: str = "") -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in gpus)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in gpus)
    monkeypatch.setenv("AECORE_DEVICE", wanted)


@pytest.mark.parametrize(
    ("gpus", "wanted", "found"),
    [
        ((), "", "cpu"),
        (("mps",), "", "mps"),
        (("cuda",), "", "cuda:0"),
        (("cuda",), "cpu", "cpu"),
        (("cuda", "mps"), " mps ", "mps"),
    ],
)
def test_a_gpu_is_taken_where_there_is_one_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, gpus: tuple[str, ...], wanted: str, found: str
) -> None:
    _machine(monkeypatch, *gpus, wanted=wanted)
    assert str(devices.device()) == found


def test_each_process_of_a_machine_takes_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(monkeypatch, "cuda")
    taken = []
    for rank in "012":
        monkeypatch.setenv("LOCAL_RANK", rank)
        taken.append(str(devices.device()))
    assert taken == ["cuda:0", "cuda:1", "cuda:0"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("tpu", "AECORE_DEVICE is 'tpu', which is unknown; set it to mps or cpu, or unset it"),
        ("cuda", "AECORE_DEVICE is 'cuda', which is not on this machine; set it to mps or cpu, or unset it"),
    ],
)
def test_a_device_that_is_not_here_is_refused_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, wanted: str, said: str
) -> None:
    _machine(monkeypatch, "mps", wanted=wanted)
    with pytest.raises(ValueError, match=said):
        next(train(Run("own", Vanilla()), _dataset()))


# One path for all devices.


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", FLAVORS)
def test_a_step_stays_on_the_device_of_its_network(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's meta device has shapes and no numbers, and refuses what mixes it with another device, as a GPU does."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # which it does not have
    flavor = FLAVORS[name](latent=5)
    network = NETWORKS[kind]((1, 16, 16), 5, flavor.heads, flavor.rectify, width=32).to("meta")
    rng = torch.Generator().manual_seed(0)
    terms = flavor.terms(network, torch.rand(4, 1, 16, 16, device="meta"), DISTANCES["kl"], rng)
    assert {term.device.type for term in terms.values()} == {"meta"}
    sum(terms.values()).backward()
    assert {weight.grad.device.type for weight in network.parameters() if weight.grad is not None} == {"meta"}


@pytest.mark.parametrize("name", NOISES)
def test_noise_is_drawn_on_the_processor_for_images_anywhere(name: str) -> None:
    rng, level = torch.Generator().manual_seed(0), torch.full((3, 1, 1, 1), 0.5, device="meta")
    assert NOISES[name](torch.rand(3, 1, 8, 8, device="meta"), level, rng).device.type == "meta"
    assert not torch.equal(rng.get_state(), torch.Generator().manual_seed(0).get_state())


# Precision.


@pytest.mark.slow
@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", FLAVORS)
def test_bfloat16_learns_the_same_to_three_digits_and_goes_on_bit_for_bit(
    name: str, kind: str, tmp_path: Path, bfloat16: None
) -> None:
    store, dataset = Store(tmp_path), _dataset()
    run = Run("own", FLAVORS[name](latent=3), kind, width=32, epochs=2, batch_size=8, precision="bfloat16")
    whole = _last(run, dataset)
    store.save(next(c for c in train(run, dataset) if c.step == c.steps // 2))
    again = _last(run, dataset, store.load(run.id, training=True))
    weights = [{**c.network.state_dict(), **c.state} for c in (whole, again)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert all(weight.dtype == torch.float32 for weight in whole.network.parameters())
    full = _last(replace(run, precision="float32"), dataset)
    assert full.network.state_dict().keys() == whole.network.state_dict().keys()
    assert any(
        not torch.equal(a, b) for a, b in zip(full.network.parameters(), whole.network.parameters(), strict=True)
    )
    assert whole.history[-1]["test"]["mse"] == pytest.approx(full.history[-1]["test"]["mse"], rel=0.01)


def test_penalties_are_computed_in_float32() -> None:
    """The contraction is a gradient that is differentiated again."""
    network = NETWORKS["dense"]((1, 8, 8), 5, width=32)
    x, found = torch.rand(4, 1, 8, 8), []
    for precision in devices.PRECISIONS:
        with devices.computing(precision, x.device):
            rng = torch.Generator().manual_seed(0)
            found.append(FLAVORS["contractive"](latent=5).terms(network, x, DISTANCES["mse"], rng))
    assert torch.equal(found[0]["contraction"], found[1]["contraction"])
    assert not torch.equal(found[0]["reconstruction"], found[1]["reconstruction"])


def test_a_precision_at_its_default_is_not_written_so_that_ids_stay() -> None:
    run = Run("digits", Vanilla(latent=8))
    assert run.id == "digits-vanilla-24b74772"
    assert Run.from_dict(run.to_dict()) == run
    other = replace(run, precision="bfloat16")
    assert other.id != run.id
    assert Run.from_dict(other.to_dict()) == other


def test_a_machine_without_bfloat16_begins_nothing_in_it_and_goes_on_with_what_it_is_given(
    monkeypatch: pytest.MonkeyPatch, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, dataset = Run("own", Vanilla(latent=3), width=32, epochs=1, precision="bfloat16"), _dataset()
    with monkeypatch.context() as patch:
        patch.setattr(devices, "has_bfloat16", lambda place: True)
        begun = next(train(run, dataset))
    monkeypatch.setattr(devices, "has_bfloat16", lambda place: False)
    with pytest.raises(ValueError, match=r"precision is 'bfloat16', which this machine does not have.*choose float32$"):
        next(train(run, dataset))
    assert _last(run, dataset, begun).done
    assert main(["train", "digits", "--precision", "bfloat16"]) == 2
    assert "this machine does not have" in capsys.readouterr().err
    assert not (home / "runs").exists() or not any((home / "runs").iterdir()), "nothing is left of it"


@pytest.mark.parametrize(("there", "words"), [(True, "has fast bfloat16"), (False, "has no fast bfloat16")])
def test_the_page_says_whether_this_machine_has_it(monkeypatch: pytest.MonkeyPatch, there: bool, words: str) -> None:
    monkeypatch.setattr(devices, "has_bfloat16", lambda place: there)
    load_dataset("digits")
    app = visit("train", precision="bfloat16", dataset="digits")
    assert words in texts(app)
    if not there:
        next(button for button in app.button if button.label == "Train").click().run()
        assert "choose float32" in " ".join(error.value for error in app.error)


@pytest.mark.parametrize(("threads", "batch_size", "background", "left"), [
    (1, 128, True, []), (2, 128, True, []), (3, 128, True, [2]), (16, 128, True, [15]), (16, 128, False, []),
    (1, 32, False, []), (2, 32, True, [1]), (16, 32, False, [1]),
])  # fmt: skip
def test_small_batches_take_one_thread_and_of_more_than_two_cores_the_background_leaves_one(
    threads: int, batch_size: int, background: bool, left: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(torch, "set_num_threads", found.append)
    devices.spare_threads(batch_size, background)
    assert found == left
