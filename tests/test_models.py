"""Flavors: what each promises on each network, and their numbers against independent references."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from aecore import models
from aecore.data import Dataset, Split
from aecore.models import DISTANCES, FLAVORS, Distance, Flavor, bernoulli_kl, gaussian_kl, knob, mse
from aecore.networks import NETWORKS, Autoencoder
from aecore.runs import Run
from aecore.store import Store
from aecore.training import train

SHAPE = (1, 8, 8)


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _images(count: int = 6) -> Tensor:
    return torch.rand(count, *SHAPE, generator=_rng(7))


def _network(flavor: Flavor, kind: str = "dense") -> Autoencoder:
    return NETWORKS[kind](SHAPE, flavor.latent, flavor.heads, flavor.rectify, rng=_rng())


@pytest.fixture
def sixth() -> Iterator[type[Flavor]]:
    """A flavor of this test's own, registered while the test runs."""

    @dataclass(frozen=True)
    class Shrinking(Flavor):
        """Keep codes short."""

        formula = r"\min d + \lambda \lVert h \rVert^2"
        weight: float = knob(1e-2, low=1e-4, high=1.0, log=True, help="How hard to pull.")

        def terms(self, network: Autoencoder, x: Tensor, distance: Distance, rng: torch.Generator) -> dict[str, Tensor]:
            code = network.encode(x)
            length = self.weight * code.square().sum(dim=1).mean()
            return {"reconstruction": network.reconstruction_loss(code, x, distance), "length": length}

    yield Shrinking
    del FLAVORS["shrinking"]


# What every flavor promises.


@pytest.mark.parametrize("loss", DISTANCES)
@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", FLAVORS)
def test_terms_are_finite_numbers_that_lead_to_every_weight(name: str, kind: str, loss: str) -> None:
    flavor = FLAVORS[name](latent=5)
    network, x = _network(flavor, kind), _images()
    terms = flavor.terms(network, x, DISTANCES[loss], _rng())
    assert next(iter(terms)) == "reconstruction"
    for term in terms.values():
        assert term.shape == ()
        assert math.isfinite(term.item())
        assert term.item() >= 0
    sum(terms.values()).backward()
    for weight, parameter in network.named_parameters():
        assert parameter.grad is not None, weight
        assert parameter.grad.isfinite().all(), weight
    assert not x.requires_grad


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", FLAVORS)
def test_every_flavor_asks_the_network_how_far_off_it_is(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flavor that measured the distance itself would lose what its network adds, such as the edges."""
    network, asked = _network(FLAVORS[name](latent=5), kind), []
    plain = network.reconstruction_loss
    monkeypatch.setattr(network, "reconstruction_loss", lambda *given: asked.append(plain(*given)) or asked[-1])
    terms = FLAVORS[name](latent=5).terms(network, _images(), mse, _rng())
    assert [terms["reconstruction"]] == asked


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", FLAVORS)
def test_the_generator_alone_decides_the_terms(name: str, kind: str) -> None:
    flavor = FLAVORS[name](latent=5)
    network, before = _network(flavor, kind), torch.get_rng_state()
    first, second = (flavor.terms(network, _images(), mse, _rng(3)) for _ in range(2))
    assert first == second
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", FLAVORS)
def test_terms_are_means_over_the_batch(name: str) -> None:
    """The same images twice cost the same as once; sums over the batch would double."""
    flavor = FLAVORS[name](latent=5)
    network, x = _network(flavor, "shallow"), _images(400)
    once = flavor.terms(network, x, mse, _rng())
    twice = flavor.terms(network, torch.cat([x, x]), mse, _rng(1))
    for term in once:
        assert twice[term].item() == pytest.approx(once[term].item(), rel=0.03), term


@pytest.mark.parametrize("name", FLAVORS)
def test_a_flavor_explains_itself_and_its_knobs(name: str) -> None:
    flavor = FLAVORS[name]
    assert flavor.name == name
    assert "https://" in flavor.__doc__
    assert flavor.__doc__.partition("\n")[0].endswith(".")
    assert flavor.formula
    for item in dataclasses.fields(flavor):
        assert item.metadata["help"].endswith("."), item.name
        choices, low, high = (item.metadata[key] for key in ("choices", "low", "high"))
        assert item.default in choices if choices else low <= item.default <= high, item.name


@pytest.mark.parametrize("name", FLAVORS)
def test_the_ends_of_every_range_are_allowed_and_what_lies_beyond_is_refused(name: str) -> None:
    for item in dataclasses.fields(FLAVORS[name]):
        if item.metadata["choices"]:
            for choice in item.metadata["choices"]:
                FLAVORS[name](**{item.name: choice})
            with pytest.raises(
                ValueError, match=rf"{item.name} is 'fog'; choose one of {next(iter(item.metadata['choices']))}"
            ):
                FLAVORS[name](**{item.name: "fog"})
            continue
        low, high = item.metadata["low"], item.metadata["high"]
        FLAVORS[name](**{item.name: low}), FLAVORS[name](**{item.name: high})
        for beyond in (low - 1, high + 1, -(10**9), 10**9):
            with pytest.raises(ValueError, match=rf"{item.name} is .*; choose a number from {low:g} to {high:g}"):
                FLAVORS[name](**{item.name: beyond})


@pytest.mark.parametrize(
    ("flavor", "value", "said"),
    [
        ("vanilla", {"latent": 2.5}, "latent is 2.5; choose a whole number from 1 to 1024"),
        ("vanilla", {"latent": "8"}, "latent is '8'; choose a whole number from 1 to 1024"),
        ("vanilla", {"latent": True}, "latent is True; choose a whole number from 1 to 1024"),
        ("vanilla", {"latent": None}, "latent is None; choose a whole number from 1 to 1024"),
        ("sparse", {"weight": "heavy"}, "weight is 'heavy'; choose a number from 1e-06 to 0.1"),
        ("sparse", {"weight": math.nan}, "weight is nan; choose a number from"),
        ("vae", {"beta": math.inf}, "beta is inf; choose a number from 0 to 100"),
        ("denoising", {"noise": ["gaussian"]}, "noise is ['gaussian']; choose one of"),
        pytest.param("vanilla", {"latent": 10**400}, "choose a number from 1 to 1024", id="a number past all floats"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_a_sentence(flavor: str, value: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        FLAVORS[flavor](**value)
    assert said in str(error.value)


# Numbers against references.


def test_bernoulli_kl_agrees_with_torch_distributions() -> None:
    target, logits = _images(), torch.randn(6, *SHAPE, generator=_rng(1)) * 3
    expected = kl_divergence(Bernoulli(target), Bernoulli(logits=logits)).mean()
    torch.testing.assert_close(bernoulli_kl(logits, target), expected)


def test_bernoulli_kl_is_zero_for_a_perfect_picture_and_never_less() -> None:
    grey = torch.arange(256).float() / 255
    inner = grey[1:-1]
    assert bernoulli_kl(inner.logit(), inner).item() == pytest.approx(0, abs=1e-6)
    black_and_white = torch.tensor([0.0, 1.0])
    assert bernoulli_kl(torch.tensor([-60.0, 60.0]), black_and_white).item() == pytest.approx(0, abs=1e-6)
    for seed in range(20):
        logits = torch.randn(256, generator=_rng(seed)) * 4
        assert bernoulli_kl(logits, grey) > 0
        assert bernoulli_kl(inner.logit() + logits[1:-1] * 1e-3, inner).item() > -1e-6


def test_bernoulli_kl_stays_finite_for_extreme_logits() -> None:
    logits = torch.tensor([-1e4, 1e4, -1e4, 1e4], requires_grad=True)
    loss = bernoulli_kl(logits, torch.tensor([0.0, 1.0, 1.0, 0.5]))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_kl_differs_from_cross_entropy_by_a_constant_only() -> None:
    target, logits = _images(), torch.randn(6, *SHAPE, generator=_rng(1)).requires_grad_()
    cross = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    (ours,), (theirs,) = (torch.autograd.grad(loss, logits) for loss in (bernoulli_kl(logits, target), cross))
    torch.testing.assert_close(ours, theirs)


def test_mse_is_the_mean_square_on_zero_to_one() -> None:
    target, logits = _images(), torch.randn(6, *SHAPE, generator=_rng(1))
    expected = np.square(1 / (1 + np.exp(-logits.numpy().astype(float))) - target.numpy()).mean()
    assert mse(logits, target).item() == pytest.approx(expected, rel=1e-5)


def test_gaussian_kl_agrees_with_torch_distributions() -> None:
    mean, log_variance = (torch.randn(7, 5, generator=_rng(seed)) * 2 for seed in (1, 2))
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(gaussian_kl(mean, log_variance), expected)


@pytest.mark.parametrize("name", FLAVORS)
def test_a_flavor_with_a_prior_says_mean_and_variance_and_can_be_drawn_from(name: str) -> None:
    flavor = FLAVORS[name]
    assert (flavor.prior is None) == (flavor.heads == 1)
    if flavor.prior:
        drawn = flavor(latent=3).prior(2000, 3, _rng())
        assert drawn.shape == (2000, 3)
        assert torch.equal(drawn, flavor.prior(2000, 3, _rng()))


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_kl_term_of_the_vae_is_in_nats_per_pixel(kind: str) -> None:
    flavor = models.VAE(latent=3, beta=2.5)
    network, x = _network(flavor, kind), _images()
    mean, log_variance = network.heads(x).unbind(dim=1)
    nats = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(dim=1).mean()
    torch.testing.assert_close(flavor.terms(network, x, mse, _rng())["kl"], 2.5 * nats / 64)


def test_the_vae_decodes_draws_around_its_mean() -> None:
    """Over many draws the code must scatter by exactly what the second head says."""
    flavor = models.VAE(latent=2)
    network, drawn = _network(flavor, "shallow"), []
    network.decode = lambda code: drawn.append(code.detach()) or torch.zeros(len(code), *SHAPE)
    x = _images(1).repeat(20_000, 1, 1, 1)
    mean, log_variance = network.heads(x[:1])[0]
    flavor.terms(network, x, mse, _rng())
    torch.testing.assert_close(drawn[0].mean(dim=0), mean, atol=0.03, rtol=0)
    torch.testing.assert_close(drawn[0].std(dim=0), (log_variance / 2).exp(), atol=0, rtol=0.03)


def test_extreme_log_variances_stay_finite() -> None:
    flavor = models.VAE(latent=2)
    network = _network(flavor, "shallow")
    with torch.no_grad():
        network.encoder[1].bias[2:] = torch.tensor([1e4, -1e4])
    terms = flavor.terms(network, _images(), mse, _rng())
    assert all(math.isfinite(term.item()) for term in terms.values())


def _jacobian_norms(network: Autoencoder, x: Tensor) -> Tensor:
    """Squared Frobenius norm of the encoder's exact Jacobian at each image."""
    exact = [torch.autograd.functional.jacobian(network.encode, image[None]) for image in x]
    return torch.stack([jacobian.square().sum() for jacobian in exact])


def test_contraction_is_exact_for_one_sigmoid_layer() -> None:
    network, x = _network(models.Contractive(latent=9), "shallow"), _images()
    torch.testing.assert_close(network.contraction(x, _rng()), _jacobian_norms(network, x))


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_the_contraction_estimate_is_right_on_average(kind: str) -> None:
    network, x = _network(models.Contractive(latent=6), kind), _images(3)
    probes, rng = 2000, _rng()
    estimates = network.contraction(x.repeat(probes, 1, 1, 1), rng).detach().view(probes, 3)
    exact = _jacobian_norms(network, x)
    errors = estimates.std(dim=0) / math.sqrt(probes)
    assert (errors < 0.03 * exact).all()
    assert ((estimates.mean(dim=0) - exact).abs() < 4 * errors).all()


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_contraction_term_is_its_weight_times_the_mean(kind: str) -> None:
    flavor = models.Contractive(latent=4, weight=0.01)
    network, x = _network(flavor, kind), _images()
    term = flavor.terms(network, x, mse, _rng(5))["contraction"]
    torch.testing.assert_close(term, 0.01 * network.contraction(x, _rng(5)).mean())


@pytest.mark.parametrize("kind", NETWORKS)
def test_sparsity_weighs_each_unit_by_its_decoder_column(kind: str) -> None:
    flavor = models.Sparse(latent=4, weight=0.02)
    network, x = _network(flavor, kind), _images()
    pull = sum(network.encode(x)[:, unit].abs() * network.decoder[0].weight[:, unit].norm() for unit in range(4))
    torch.testing.assert_close(flavor.terms(network, x, mse, _rng())["sparsity"], 0.02 * pull.mean())


def test_shrinking_the_code_and_growing_the_decoder_gains_nothing() -> None:
    flavor = models.Sparse(latent=4)
    network, x = _network(flavor), _images()
    before = flavor.terms(network, x, mse, _rng())
    with torch.no_grad():
        network.encoder[-1].weight *= 0.1
        network.encoder[-1].bias *= 0.1
        network.decoder[0].weight *= 10
    after = flavor.terms(network, x, mse, _rng())
    for name in ("reconstruction", "sparsity"):
        torch.testing.assert_close(after[name], before[name])


def test_denoising_sees_the_spoiled_image_and_is_asked_for_the_clean_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each image is spoiled to a degree of its own, up to the level."""
    flavor, x = models.Denoising(latent=4, noise="masking", level=0.8), torch.full((200, *SHAPE), 0.5)
    network, seen = _network(flavor), []
    encode = network.encode
    monkeypatch.setattr(network, "encode", lambda image: seen.append(image) or encode(image))
    found = flavor.terms(network, x, mse, _rng())["reconstruction"]
    torch.testing.assert_close(found, mse(network.decode(encode(seen[0])), x))
    masked = (seen[0] == 0).float().flatten(1).mean(dim=1)
    assert masked.min() < 0.1
    assert 0.65 < masked.max() < 0.95
    assert masked.mean() == pytest.approx(0.4, abs=0.05)


def test_denoising_without_noise_is_vanilla() -> None:
    x = _images()
    network = _network(models.Vanilla(latent=4))
    plain = models.Vanilla(latent=4).terms(network, x, mse, _rng())
    assert models.Denoising(latent=4, level=0.0).terms(network, x, mse, _rng()) == plain


# A flavor that the package has never seen.


def test_a_sixth_flavor_registers_trains_saves_and_loads(sixth: type[Flavor], tmp_path: Path) -> None:
    assert list(FLAVORS) == ["vanilla", "sparse", "denoising", "contractive", "vae", "shrinking"]
    images = np.random.default_rng(0).integers(0, 256, (40, *SHAPE), np.uint8)
    dataset = Dataset("own", Split(images[:32].copy()), Split(images[32:].copy()))
    run = Run("own", sixth(latent=3, weight=0.5), "shallow", epochs=2, batch_size=8)
    *_, checkpoint = train(run, dataset)
    assert {"epoch", "reconstruction", "length", "test"} == checkpoint.history[-1].keys()
    store = Store(tmp_path)
    store.save(checkpoint)
    loaded = store.load(run.id)
    assert loaded.run == run
    np.testing.assert_array_equal(loaded.reconstruct(images), checkpoint.reconstruct(images))


def test_a_run_of_a_flavor_that_is_gone_is_refused_with_the_choices(sixth: type[Flavor]) -> None:
    settings = Run("own", sixth()).to_dict()
    del FLAVORS["shrinking"]
    try:
        with pytest.raises(ValueError, match="flavor is 'shrinking'; choose one of vanilla, sparse"):
            Run.from_dict(settings)
    finally:
        FLAVORS["shrinking"] = sixth
