"""Networks: any image of 1 or 3 channels and sides from 8 to 128 goes through and comes back in its shape."""

import math

import numpy as np
import pytest
import torch
from scipy.fft import idctn

from aecore import Checkpoint, Run, load_dataset, train
from aecore.data import Dataset, Split
from aecore.measure.pca import linear
from aecore.models import DISTANCES, VAE, Contractive, Denoising, Flavor, Sparse, Vanilla
from aecore.networks import NETWORKS, Crop, Edges, Pad, Spread, cosines
from aecore.noise import NOISES, corrupt
from aecore.pixels import to_floats

SIDES = (8, 9, 17, 28, 31, 64, 100, 128)
SHAPES = [
    *((1, side, side) for side in SIDES),
    *((3, side, side) for side in (8, 31, 128)),
    *((1, 8, 128), (1, 128, 8), (3, 28, 17), (3, 9, 100)),
]


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", NETWORKS)
def test_an_image_comes_back_in_its_own_shape(kind: str, shape: tuple[int, int, int]) -> None:
    network = NETWORKS[kind](shape, 5)
    x = torch.rand(2, *shape, generator=_rng())
    with torch.inference_mode():
        code = network.encode(x)
        assert code.shape == (2, 5)
        assert network.heads(x).shape == (2, 1, 5)
        logits = network.decode(code)
    assert logits.shape == x.shape
    assert logits.isfinite().all()
    assert network.unit_lengths().shape == (5,)


@pytest.mark.parametrize("kind", NETWORKS)
def test_two_heads_say_two_numbers_per_unit_and_the_first_is_the_code(kind: str) -> None:
    network = NETWORKS[kind]((1, 9, 12), 4, heads=2)
    x = torch.rand(3, 1, 9, 12, generator=_rng())
    assert network.heads(x).shape == (3, 2, 4)
    assert torch.equal(network.encode(x), network.heads(x)[:, 0])


@pytest.mark.parametrize("kind", NETWORKS)
def test_rectified_codes_are_never_negative(kind: str) -> None:
    x = torch.rand(20, 1, 8, 8, generator=_rng())
    free, rectified = (NETWORKS[kind]((1, 8, 8), 16, rectify=flag).encode(x) for flag in (False, True))
    assert torch.equal(rectified, free.relu())


@pytest.mark.parametrize("kind", NETWORKS)
def test_one_image_is_coded_alike_alone_and_among_others(kind: str) -> None:
    """No batch normalization or other coupling: a code belongs to its image."""
    network = NETWORKS[kind]((1, 12, 12), 4)
    x = torch.rand(6, 1, 12, 12, generator=_rng())
    torch.testing.assert_close(network.encode(x)[2:3], network.encode(x[2:3]))


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_weight_takes_part(kind: str) -> None:
    network = NETWORKS[kind]((3, 20, 9), 4)
    network.decode(network.encode(torch.rand(4, 3, 20, 9, generator=_rng()))).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_a_wider_network_has_more_weights(kind: str) -> None:
    sizes = [sum(p.numel() for p in NETWORKS[kind]((1, 28, 28), 4, width=w).parameters()) for w in (32, 256, 1024)]
    assert sizes[0] < sizes[1] < sizes[2]
    assert NETWORKS[kind]((1, 28, 28), 4).encoder[1].weight.shape[0] == {"dense": 1024, "conv": 32}[kind]


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_seed_alone_decides_the_weights(kind: str) -> None:
    before = torch.get_rng_state()
    first = NETWORKS[kind]((1, 16, 16), 3, rng=_rng(1)).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    second = NETWORKS[kind]((1, 16, 16), 3, rng=_rng(1)).state_dict()
    torch.set_rng_state(before)
    other = NETWORKS[kind]((1, 16, 16), 3, rng=_rng(2)).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    assert all(weight.isfinite().all() for weight in first.values())


@pytest.mark.parametrize("shape", [(1, 7, 28), (1, 28, 7), (1, 129, 28), (3, 8, 1000), (2, 28, 28), (4, 28, 28)])
@pytest.mark.parametrize("kind", NETWORKS)
def test_other_sizes_are_refused_and_the_message_says_what_to_do(kind: str, shape: tuple[int, int, int]) -> None:
    said = rf"{shape[0]} channels and {shape[1]}x{shape[2]} pixels.*sides from 8 to 128: resize the images first"
    with pytest.raises(ValueError, match=said):
        NETWORKS[kind](shape, 2)


def test_an_unknown_network_is_refused_with_the_choices() -> None:
    with pytest.raises(
        ValueError, match=r"'transformer'; choose one of dense, conv, shallow, edges, pca_plus, coordinates"
    ):
        Run("digits", Vanilla(latent=2), network="transformer")


@pytest.mark.parametrize(("flavor", "components"), [(Vanilla, 16), (Denoising, 16), (Contractive, 16), (Sparse, 8)])
def test_a_network_on_components_begins_where_pca_ends(flavor: type[Flavor], components: int) -> None:
    digits = load_dataset("digits")
    images, pca = digits.test.images, linear(digits)
    limit = np.square(pca.rebuild(images, components).clip(0, 1) - to_floats(images)).mean()
    run = Run("digits", flavor(latent=16), "pca_plus", width=64, epochs=8, batch_size=32)
    first, *_, last = train(run, digits)
    errors = [np.square(each.reconstruct(images) - to_floats(images)).mean() for each in (first, last)]
    assert errors[0] == pytest.approx(limit, rel=0.03)
    assert errors[1] < 0.95 * limit


def test_where_codes_have_a_prior_components_begin_with_its_variance() -> None:
    digits = load_dataset("digits")
    first = next(train(Run("digits", VAE(latent=6), "pca_plus", width=64), digits))
    means, deviations = first.posterior(digits.train.images)
    np.testing.assert_allclose(means.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(means.std(axis=0), 1, atol=0.02)
    np.testing.assert_allclose(deviations, math.exp(-2), rtol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_fewer_images_than_units_are_components_too(count: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, 1, 8, 8), np.uint8)
    first = next(
        train(Run("few", Vanilla(latent=16), "pca_plus", width=32), Dataset("few", Split(images), Split(images)))
    )
    assert np.square(first.reconstruct(images) - images / 255).max() < 1e-4


@pytest.mark.parametrize(("shape", "size"), [((1, 9, 8), (16, 8)), ((3, 28, 31), (32, 32)), ((1, 8, 8), (8, 8))])
def test_borders_are_black_even_and_go_away_again(shape: tuple[int, int, int], size: tuple[int, int]) -> None:
    x = torch.rand(2, *shape, generator=_rng()) + 1
    padded = Pad(shape, size)(x)
    assert padded.shape == (2, shape[0], *size)
    assert padded.sum() == pytest.approx(x.sum().item(), rel=1e-5)
    assert torch.equal(Crop(shape)(padded), x)
    for axis in (2, 3):
        lines = padded.amax(dim=[0, 1, 5 - axis]).nonzero()
        assert abs(lines.min() - (padded.shape[axis] - 1 - lines.max())) <= 1


def test_the_patterns_are_those_of_the_discrete_cosine_transform() -> None:
    patterns = cosines(6, 4)
    assert patterns.shape == (14, 1, 6, 6)
    pairs = [(row, column) for row in range(6) for column in range(6) if 0 < row + column <= 4]
    for pattern, (row, column) in zip(patterns, pairs, strict=True):
        spectrum = torch.zeros(6, 6)
        spectrum[row, column] = 1
        assert torch.allclose(pattern[0], torch.tensor(idctn(spectrum.numpy(), norm="ortho")), atol=1e-6)


@torch.no_grad()
def test_a_network_on_coordinates_draws_every_row_and_column_from_what_it_knows_about_it() -> None:
    network, code = NETWORKS["coordinates"]((3, 20, 13), 4), torch.randn(5, 4, generator=_rng())
    before, (lines,) = network.decode(code), (layer.lines for layer in network.decoder if isinstance(layer, Spread))
    assert torch.linalg.matrix_rank(before).max() <= network.PATTERNS < 13
    rows, columns = torch.randperm(20, generator=_rng(1)), torch.randperm(13, generator=_rng(2))
    lines[:] = lines[:, torch.cat([rows, 20 + columns])]
    torch.testing.assert_close(network.decode(code), before[:, :, rows][..., columns])


def test_edges_are_what_one_counts_by_hand() -> None:
    x = torch.rand(1, 1, 10, 12, generator=_rng(), dtype=torch.float64).float()
    padded = torch.nn.functional.pad(x, (2, 2, 2, 2))[0, 0]
    seen = torch.zeros(29, 9, 11)
    for row in range(9):
        for column in range(11):
            patch = padded[row : row + 6, column : column + 6]
            answers = [
                (patch * pattern[0]).sum() / (6 * math.sqrt(patch.var(correction=0) + 0.01))
                for pattern in cosines(6, 4)
            ]
            seen[:, row, column] = torch.stack(
                [patch.mean(), *(a.relu() for a in answers), *((-a).relu() for a in answers)]
            )
    first = 10 * (seen[:, :2, :3].mean(dim=(1, 2)) + 1e-3).sqrt()  # the cell in the upper left corner
    found = Edges((1, 10, 12))(x).view(29, 5, 5)
    assert torch.allclose(found[:, 0, 0], first, atol=1e-4)


def test_edges_see_shapes_under_another_light() -> None:
    """A quarter of the light changes pixels by much and edges by little."""
    x = torch.zeros(1, 1, 28, 28)
    x[..., 8:20, 8:20] = 1
    see, other = Edges((1, 28, 28)), torch.zeros_like(x)
    other[..., 12:24, 4:16] = 1
    same, moved = ((see(x) - see(image)).square().mean() for image in (x / 4, other))
    assert same < moved / 4


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 17, 33), (1, 64, 70)])
def test_edges_of_an_image_do_not_depend_on_the_images_beside_it(shape: tuple[int, int, int]) -> None:
    edges, x = Edges(shape), torch.rand(300, *shape, generator=_rng(1))
    alone = edges(x)
    for seed, count in enumerate((1, 7, 64, 299)):
        rows = torch.randperm(300, generator=_rng(seed))[:count]
        assert torch.equal(edges(x[rows]), alone[rows])


def test_an_edges_network_learns_nothing_before_its_code_and_starts_from_the_average() -> None:
    x = torch.rand(50, 3, 9, 14, generator=_rng())
    network = NETWORKS["edges"]((3, 9, 14), 4)
    assert not list(network.encoder[0].parameters())
    network.calibrate(x)
    assert network.encoder[0](x).mean(dim=0).abs().max() < 1e-4
    network.calibrate(x)
    assert network.encoder[0](x).mean(dim=0).abs().max() < 1e-4
    again = NETWORKS["edges"]((3, 9, 14), 4, rng=_rng(5))
    again.load_state_dict(network.state_dict())
    assert torch.equal(again.encode(x), network.encode(x))


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_miss_is_the_distance_of_the_image_and_for_edges_that_of_the_edges_too(kind: str) -> None:
    x = torch.rand(5, 1, 12, 12, generator=_rng())
    network = NETWORKS[kind]((1, 12, 12), 4)
    code = network.encode(x)
    for distance in DISTANCES.values():
        miss, plain = network.reconstruction_loss(code, x, distance), distance(network.decode(code), x)
        more = (network.decoder[0](code) - network.encoder[0](x)).square().mean() if kind == "edges" else 0.0
        assert torch.allclose(miss, plain + 0.3 * more)
        assert (kind == "edges") == bool(miss > plain)


@pytest.mark.parametrize("clip", [True, False], ids=["clipped", "not clipped"])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("kind", NETWORKS)
def test_every_network_answers_finitely_to_every_noise(kind: str, noise: str, clip: bool) -> None:
    """Noise that is not clipped goes below zero, where a root has no answer."""
    digits = load_dataset("digits")
    run = Run("digits", Vanilla(latent=4), network=kind, width=32)
    checkpoint = Checkpoint(run, run.build(digits.shape).eval())
    for level in np.linspace(0.05, 1, 20):
        noisy = corrupt(digits.test.images[:4], noise, float(level), 0, clip)
        assert np.isfinite(checkpoint.reconstruct(noisy)).all(), level


@pytest.mark.parametrize("flavor", [Vanilla(latent=4), VAE(latent=4)], ids=lambda flavor: flavor.name)
@pytest.mark.parametrize("kind", NETWORKS)
def test_the_largest_floats_stay_finite(kind: str, flavor: Vanilla | VAE) -> None:
    digits = load_dataset("digits")
    run = Run("digits", flavor, network=kind, width=32)
    checkpoint = Checkpoint(run, run.build(digits.shape).eval())
    for number in (np.finfo(np.float32).max, np.finfo(np.float32).min):
        images = np.full((2, *digits.shape), number, np.float32)
        images[1, :, ::2] *= -1
        assert np.isfinite(checkpoint.encode(images)).all()
        assert np.isfinite(checkpoint.reconstruct(images)).all()
        assert np.isfinite(checkpoint.decode(np.full((1, 4), number, np.float32))).all()
