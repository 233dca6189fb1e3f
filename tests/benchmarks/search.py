"""Print how long a search takes: one query of the index, how that grows, and a click in the browser.

python tests/benchmarks/search.py
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from conftest import CHROMIUM, FLAGS, Server, settle  # noqa: E402

import aecore  # noqa: E402
from aecore.search import all_nearest, nearest_images  # noqa: E402


def timed(act: Callable[[], object], times: int = 15) -> str:
    act()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - start)
    return f"median {statistics.median(seconds) * 1000:.1f} ms, best {min(seconds) * 1000:.1f} ms"


def queries() -> None:
    rng = np.random.default_rng(0)
    for count in (60_000, 120_000, 240_000, 480_000):
        codes = rng.standard_normal((count, 128), np.float32)
        index = aecore.Index(codes)
        print(f"one query over {count:,} x 128, cosine, exact: {timed(lambda i=index, c=codes: i.nearest(c[7], 4))}")
    images = rng.integers(0, 256, (60_000, 1, 28, 28), np.uint8)
    for metric in ("cosine", "euclidean"):
        print(
            f"raw pixels of 60,000 x 784, {metric}: {timed(lambda m=metric: nearest_images(images, images[7], 4, m))}"
        )
    codes = rng.standard_normal((60_000, 128), np.float32)
    start = time.perf_counter()
    all_nearest(codes)
    print(f"the four nearest of all 60,000: {time.perf_counter() - start:.1f} s")


def clicks(page: Page, run: str, times: int = 10) -> None:
    page.goto(f"/search?run={run}")
    settle(page)
    page.wait_for_timeout(1000)
    hits, answered, settled = page.locator(".st-key-hits button.tile"), [], []
    for click in range(times + 2):
        before, start = hits.first.inner_text(), time.perf_counter()
        hits.nth(1).click()
        while hits.first.inner_text() == before:
            page.wait_for_timeout(5)
        seen = time.perf_counter() - start
        settle(page)
        if click >= 2:
            answered.append(seen)
            settled.append(time.perf_counter() - start)
        page.wait_for_timeout(500)
    print(
        f"a click on a hit of {run}: new hits after {statistics.median(answered):.2f} s (worst {max(answered):.2f} s), "
        f"the whole page after {statistics.median(settled):.2f} s"
    )


def main() -> None:
    queries()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder))
        server.start()
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_context(viewport={"width": 1366, "height": 768}, base_url=server.url).new_page()
            for recipe in ("fashion-search", "digits-map"):
                clicks(page, aecore.RECIPES[recipe].run.id)
            browser.close()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
