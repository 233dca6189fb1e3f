"""Seconds until the first useful picture of every page: cold, after a restart, and warm.

    AECORE_FASHION_MNIST=... python tests/benchmarks/pages.py [another checkout to compare with]

Cold: a server with an empty home, and its very first visit. After a restart: the same home, a new server. Warm: a
second visitor. Every figure has a server of its own, so that no page profits from another; both checkouts take turns.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from conftest import CHROMIUM, FLAGS, Server  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

PICTURES = {
    "": "[data-testid=stMain] [data-testid=stImage] img[alt^=Decoded], [data-testid=stMain] [data-testid=stImage] img",
    "train": "[data-testid=stMain] [data-testid=stImage] img",
    "manifold": ".latent-map[data-ready]",
    "denoise": ".st-key-repairs .tile",
    "search": ".st-key-hits .tile",
    "classify": "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg",
}


def seconds(browser: Browser, server: Server, page: str) -> float:
    """From the request to the picture."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, base_url=server.url)
    tab = context.new_page()
    begun = time.monotonic()
    tab.goto(f"/{page}")
    tab.wait_for_selector(PICTURES[page], timeout=180_000)
    took = time.monotonic() - begun
    tab.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=180_000)
    context.close()
    return took


def measure(browser: Browser, root: Path, page: str) -> list[float]:
    """Cold, after a restart, warm."""
    with tempfile.TemporaryDirectory() as folder:
        server, took = Server(Path(folder)), []
        for visits in (1, 2):
            server.start(root=root)
            time.sleep(8)  # what the server does by itself after its start, a host has done before a visitor comes
            took += [seconds(browser, server, page) for _ in range(visits)]
            server.stop()
    return took


def main() -> None:
    """Print a table."""
    os.environ.setdefault("AECORE_FASHION_MNIST", "")
    roots = [ROOT, *map(Path, sys.argv[1:])]
    print(f"{'page':<10}{'checkout':<24}{'cold':>8}{'restart':>9}{'warm':>8}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for page in PICTURES:
            for root in roots:
                cold, restart, warm = measure(browser, root, page)
                print(f"{page or 'home':<10}{root.name:<24}{cold:8.1f}{restart:9.1f}{warm:8.1f}", flush=True)


if __name__ == "__main__":
    main()
