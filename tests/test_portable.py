"""The halves of a network as bytes, run in a browser: what they make of images and codes is what torch makes."""

import base64
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from conftest import ROOT
from playwright.sync_api import Browser, Page

import aecore
from aecore import models, networks, portable
from aecore.folders import SHIPPED
from aecore.runs import Checkpoint

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SCRIPTS = [ROOT / "pages" / "components" / name for name in ("latent_map/bytes.js", "network.js")]
RUN = """([bytes, rows]) => {
  const network = new Network(unpack(Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0))));
  return rows.map((row) => Array.from(network.run(row)));
}"""


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Iterator[Page]:
    """A page with nothing but the scripts that run networks."""
    page = browser.new_page()
    for script in SCRIPTS:
        page.add_script_tag(content=script.read_text(encoding="utf-8"))
    yield page
    page.close()


def ran(page: Page, payload: bytes, rows: np.ndarray) -> np.ndarray:
    """What the browser makes of rows (n, ...) with a half, (n, numbers)."""
    return np.array(page.evaluate(RUN, [base64.b64encode(payload).decode(), rows.reshape(len(rows), -1).tolist()]))


def agrees(page: Page, checkpoint: Checkpoint, images: np.ndarray, codes: np.ndarray, bits: int = 16) -> None:
    """Both halves, one by one and together: no pixel is a gray level away from torch's."""
    there, back = portable.encoder("a", checkpoint), portable.decoder("b", checkpoint)
    coded, drawn = ran(page, there, images), ran(page, back, codes)
    right = checkpoint.encode(images)
    assert np.abs(coded - right).max() < 1e-3 * max(1, np.abs(right).max())
    assert np.abs(drawn - checkpoint.decode(codes).reshape(drawn.shape)).max() < 1 / 255
    rebuilt = ran(page, back, coded)
    assert np.abs(rebuilt - checkpoint.reconstruct(images).reshape(rebuilt.shape)).max() < 1 / 255
    assert np.ptp(coded, axis=0).max() > 1e-3, "images have different codes"
    for half, payload in ((checkpoint.network.encoder, there), (checkpoint.network.decoder, back)):
        assert len(payload) < bits / 8 * 1.05 * sum(weight.numel() for weight in half.parameters()) + 20_000


@pytest.mark.parametrize("recipe", list(aecore.RECIPES))
def test_what_is_sent_of_a_shipped_run_does_what_torch_does(blank: Page, recipe: str) -> None:
    checkpoint = aecore.Store(SHIPPED).load(aecore.RECIPES[recipe].run.id)
    rng = torch.Generator().manual_seed(0)
    codes = torch.randn(40, checkpoint.run.model.latent, generator=rng).numpy()
    agrees(blank, checkpoint, torch.rand(20, *checkpoint.network.shape, generator=rng).numpy(), codes, bits=10)


@pytest.mark.parametrize("network", networks.NETWORKS)
@pytest.mark.parametrize(
    ("flavor", "shape"),
    [*((flavor, (3, 19, 30)) for flavor in models.FLAVORS), ("vae", (1, 8, 8)), ("sparse", (1, 61, 57))],
)
def test_a_network_of_every_kind_and_flavor_can_be_sent(
    blank: Page, network: str, flavor: str, shape: tuple[int, int, int]
) -> None:
    rng = torch.Generator().manual_seed(0)
    run = aecore.Run("digits", models.FLAVORS[flavor](latent=4), network=network, width=64)
    checkpoint = Checkpoint(run, run.build(shape))
    images = torch.rand(6, *shape, generator=rng)
    checkpoint.network.calibrate(images)
    for weight in checkpoint.network.parameters():
        weight += 0.05 * torch.randn(weight.shape, generator=rng)
    agrees(blank, checkpoint, images.numpy(), torch.randn(6, 4, generator=rng).numpy())


class Cubed(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x**3


@pytest.mark.parametrize(
    "layer",
    [
        Cubed(),
        torch.nn.Conv2d(1, 1, (3, 5)),
        torch.nn.Conv2d(2, 2, 3, groups=2),
        torch.nn.Conv2d(1, 1, 3, padding="same"),
        torch.nn.ConvTranspose2d(1, 1, 3, stride=2, output_padding=1),
        torch.nn.Linear(2, 2, bias=False),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_the_browser_does_not_know_stays_on_the_server(layer: torch.nn.Module) -> None:
    known = torch.nn.Linear(2, 2)
    assert portable.half("a", (1, 1, 2), (2, 1, 1), ["chain", known])
    assert portable.half("a", (1, 1, 2), (2, 1, 1), ["chain", known, torch.nn.Sequential(layer)]) is None


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_a_half_that_is_too_large_to_be_sent_stays_on_the_server(monkeypatch: pytest.MonkeyPatch, half: str) -> None:
    run = aecore.Run("digits", models.Vanilla(latent=2), width=32)
    checkpoint = Checkpoint(run, run.build((1, 8, 8)))
    count = sum(weight.numel() for weight in getattr(checkpoint.network, half).parameters())
    monkeypatch.setattr(portable, "MOST", count)
    assert getattr(portable, half)("a", checkpoint)
    monkeypatch.setattr(portable, "MOST", count - 1)
    assert getattr(portable, half)("a", checkpoint) is None
