"""Networks in the browser: how long an image or a code takes there, and how far what comes out is from torch's.

For each run that comes with the app, and for every flavor and kind of network after one epoch of Fashion-MNIST, where
that is here. Run from the top of the checkout: python tests/benchmarks/alive.py
"""

import base64
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2]))

import aecore
from aecore import models, networks, portable
from aecore.data import is_here
from aecore.folders import SHIPPED

COMPONENTS = Path(__file__).parents[2] / "pages" / "components"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
COUNT = 200
LINE = "{:<24}{:>6}  {:>8}{:>7}{:>7}  {:>8}{:>7}{:>7}  {:>8}{:>10}"
RUN = """([bytes, rows]) => {
  const network = new Network(unpack(Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0))));
  rows.slice(0, 20).forEach((row) => network.run(row));
  const times = [];
  const found = rows.map((row) => {
    const start = performance.now();
    const out = network.run(row);
    times.push(performance.now() - start);
    return Array.from(out);
  });
  return [found, times];
}"""


def main() -> None:
    """Print one line for every run that the browser can run."""
    print(
        LINE.format(*("run", "units"), *("encoder", "ms", "worst"), *("decoder", "ms", "worst"), "decoded", "rebuilt")
    )
    print(LINE.format("", "", *("MB", "", "") * 2, "off, of", "255"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        for script in (COMPONENTS / "latent_map" / "bytes.js", COMPONENTS / "network.js"):
            page.add_script_tag(content=script.read_text(encoding="utf-8"))
        for name, checkpoint in checkpoints():
            measure(page, name, checkpoint)
        browser.close()


def checkpoints() -> Iterator[tuple[str, aecore.Checkpoint]]:
    """What is measured, by name."""
    for name, recipe in aecore.RECIPES.items():
        if is_here(recipe.run.dataset):
            yield name, aecore.Store(SHIPPED).load(recipe.run.id)
    if is_here("fashion_mnist"):
        for network in networks.NETWORKS:
            for name, flavor in models.FLAVORS.items():
                run = aecore.Run("fashion_mnist", flavor(latent=32), network, width=512, loss="kl", epochs=1)
                yield f"{network}, {name}", list(aecore.train(run))[-1]


def measure(page: Page, name: str, checkpoint: aecore.Checkpoint) -> None:
    """Print the line of one run, on its first test images and on random codes."""
    latent, rng = checkpoint.run.model.latent, torch.Generator().manual_seed(0)
    images = aecore.load_dataset(checkpoint.run.dataset).test.images[:COUNT]
    codes = torch.randn(COUNT, latent, generator=rng).numpy()
    halves = portable.encoder("encoder", checkpoint), portable.decoder("decoder", checkpoint)
    if not all(halves):
        print(f"{name:<24}stays on the server")
        return

    def ran(half: bytes, rows: np.ndarray) -> tuple[np.ndarray, list[str]]:
        out, times = page.evaluate(RUN, [base64.b64encode(half).decode(), rows.reshape(len(rows), -1).tolist()])
        return np.array(out), [f"{len(half) / 1e6:.2f}", f"{np.mean(times):.2f}", f"{max(times):.2f}"]

    def off(found: np.ndarray, right: np.ndarray) -> str:
        return f"{255 * np.abs(found - right.reshape(len(right), -1)).max():.3f}"

    coded, there = ran(halves[0], images / 255)
    decoded, back = ran(halves[1], codes)
    rebuilt, _ = ran(halves[1], coded)
    errors = off(decoded, checkpoint.decode(codes)), off(rebuilt, checkpoint.reconstruct(images))
    print(LINE.format(name, latent, *there, *back, *errors), flush=True)


if __name__ == "__main__":
    main()
