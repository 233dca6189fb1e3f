"""Decoders in the browser: how long one picture takes there, and how far it is from torch's.

Run from the top of the checkout: python tests/benchmarks/alive.py
"""

import base64
import os
import sys
from pathlib import Path

import numpy as np
import torch
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2]))

import aecore
from aecore import portable
from aecore.folders import SHIPPED

COMPONENTS = Path(__file__).parents[2] / "pages" / "components"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CODES = 200
LINE = "{:<18}{:>8}{:>9}{:>14}{:>14}{:>14}"
RUN = """([bytes, codes]) => {
  const network = new Network(unpack(Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0))));
  codes.slice(0, 20).forEach((code) => network.run(code));
  const times = [];
  const pictures = codes.map((code) => {
    const start = performance.now();
    const picture = network.run(code);
    times.push(performance.now() - start);
    return Array.from(picture);
  });
  return [pictures, times];
}"""


def main() -> None:
    """Print one line for every shipped run that the browser can run."""
    print(LINE.format("run", "units", "MB sent", "ms, mean", "ms, worst", "off, of 255"))
    scripts = [COMPONENTS / "latent_map" / "bytes.js", COMPONENTS / "network.js"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        for script in scripts:
            page.add_script_tag(content=script.read_text(encoding="utf-8"))
        for name, recipe in aecore.RECIPES.items():
            checkpoint = aecore.Store(SHIPPED).load(recipe.run.id)
            latent, rng = checkpoint.run.model.latent, torch.Generator().manual_seed(0)
            codes = torch.randn(CODES, latent, generator=rng).numpy()
            if payload := portable.decoder(name, checkpoint):
                pictures, times = page.evaluate(RUN, [base64.b64encode(payload).decode(), codes.tolist()])
                off = np.abs(np.array(pictures).reshape(CODES, -1) - checkpoint.decode(codes).reshape(CODES, -1)).max()
                figures = [f"{np.mean(times):.2f}", f"{max(times):.2f}", f"{255 * off:.2f}"]
                print(LINE.format(name, latent, f"{len(payload) / 1e6:.2f}", *figures))
        browser.close()


if __name__ == "__main__":
    main()
