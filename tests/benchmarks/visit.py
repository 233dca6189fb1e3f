"""CPU seconds that one visitor costs the server: a visit of Home, Manifold and Denoise in Chromium, with a busy hand.

python tests/benchmarks/visit.py [--root PATH] [--visits 3] [--let-go]

Home: 20 codes. Manifold: 200 moves of the pointer over the map, 25 places along a path, 25 values of a unit. Denoise:
all 21 levels of the noise. The hand keeps a slider as long as the page follows it; where it does not, the slider has to
be let go at each value, and the line says how often. With --let-go it always is. The server's processes are counted
all together, after one visitor has come and left; the median of all visits is printed. --root measures another checkout
of the project before this one.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from conftest import CHROMIUM, FLAGS, ROOT, VIEWPORT, Server
from playwright.sync_api import Browser, Page, sync_playwright

from aecore import RECIPES

RACK = RECIPES["fashion-search"].run.id
SEEN = "[...document.querySelectorAll('[data-testid=stMain] img')].map((image) => image.src).join()"
LINE = "{:<24}{:<12}{:>8}{:>10}"


class Hand:
    """A visitor's hand on one page, which drags sliders and counts how often it lets them go."""

    def __init__(self, page: Page, server: Server, let_go: bool) -> None:
        self.page, self.server, self.always = page, server, let_go
        self.let_go = 0

    def open(self, address: str, sign: str) -> None:
        """Until what is looked for is there, and the server rests."""
        self.page.goto(address)
        self.page.wait_for_selector(sign, timeout=180_000)
        self.rest()

    def rest(self) -> None:
        """Until the page is drawn and the server does nothing more."""
        before = -1.0
        while spent(self.server) - before > 0.03:
            before = spent(self.server)
            self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=180_000)
            self.page.wait_for_timeout(1000)

    def slide(self, key: str, shares: list[float]) -> None:
        """Bring the slider with this key to these shares of its length, and see the picture of each."""
        mouse, held = self.page.mouse, False
        handle = self.page.locator(f".st-key-{key} [data-testid=stSliderThumbValue]").locator("xpath=..").first
        handle.scroll_into_view_if_needed()
        line = handle.locator("xpath=..").bounding_box()
        for share in shares:
            before = self.page.evaluate(SEEN)
            if not held:
                box = handle.bounding_box()
                mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
                mouse.down()
                held = True
            mouse.move(line["x"] + share * line["width"], line["y"] + line["height"] / 2, steps=3)
            self.page.wait_for_timeout(250)
            if self.always or self.page.evaluate(SEEN) == before:
                self.release()
                held = False
        if held:
            self.release()

    def release(self) -> None:
        """Let go, and see what the server draws."""
        self.page.mouse.up()
        self.let_go += 1
        self.page.wait_for_timeout(300)
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=180_000)


def home(hand: Hand) -> None:
    """Twenty codes of the decoder on Home: on its square, or by its two sliders."""
    hand.open("/", ".plane .handle, .st-key-unit-1 input")
    square, mouse = hand.page.locator(".plane .field"), hand.page.mouse
    shares = [0.04 + 0.1 * step for step in range(10)]
    if not square.count():
        hand.slide("unit-1", shares)
        hand.slide("unit-2", shares)
        return
    box = square.bounding_box()
    for step, share in enumerate([*shares, *reversed(shares)]):
        mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] * (0.3 if step < 10 else 0.7))
        mouse.down()
        hand.page.wait_for_timeout(250)
        if hand.always:
            hand.release()
    if not hand.always:
        hand.release()


def manifold(hand: Hand) -> None:
    """The pointer over the map, a path between two of its images, and the units of a code."""
    hand.open("/manifold?mode=decoder&tool=path", ".latent-map[data-ready]")
    box = hand.page.locator(".latent-map .nsewdrag").bounding_box()
    for step in range(200):
        across, down = (step * 7) % 100 / 100, step / 200
        hand.page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        hand.page.wait_for_timeout(20)
    shares = [0.04 + 0.038 * step for step in range(25)]
    hand.slide("frame", shares)
    hand.open(f"/manifold?mode=decoder&run={RACK}", ".stSlider [id]")
    unit = hand.page.locator("[class*=st-key-unit-]").first.get_attribute("class").partition("st-key-")[2].split()[0]
    hand.slide(unit, shares)


def denoise(hand: Hand) -> None:
    """One sweep of the level of the noise."""
    hand.open("/denoise", ".tile")
    hand.slide("level", [step / 20 for step in range(21)])


PAGES: dict[str, Callable[[Hand], None]] = {"home": home, "manifold": manifold, "denoise": denoise}


def spent(server: Server) -> float:
    """CPU seconds of the server and its descendants so far, also of those that have ended."""
    total, own = 0.0, psutil.Process(server.process.pid)
    for process in [own, *own.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


def visit(browser: Browser, server: Server, let_go: bool) -> dict[str, tuple[float, int]]:
    """What each page cost, and how often a slider was let go there."""
    found = {}
    for name, walk in PAGES.items():
        with browser.new_context(viewport=VIEWPORT, base_url=server.url) as context:
            hand, before = Hand(context.new_page(), server, let_go), spent(server)
            walk(hand)
            hand.rest()
            found[name] = spent(server) - before, hand.let_go
    return found


def measure(browser: Browser, root: Path, visits: int, let_go: bool) -> float:
    """Print what a visit of a checkout costs; returns all its pages together."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder))
        server.start(root=root.absolute())
        try:
            visit(browser, server, let_go)
            seen = [visit(browser, server, let_go) for _ in range(visits)]
        finally:
            server.stop()
    costs = {name: statistics.median(each[name][0] for each in seen) for name in PAGES}
    for name, cost in costs.items():
        print(LINE.format(root.absolute().name, name, f"{cost:.2f}", seen[-1][name][1]), flush=True)
    print(LINE.format("", "all", f"{sum(costs.values()):.2f}", ""), flush=True)
    return sum(costs.values())


def main() -> None:
    """Measure one or two checkouts, and print how they compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, help="another checkout to measure, and to compare with this one")
    parser.add_argument("--visits", type=int, default=3, help="of each checkout, after the first (default 3)")
    parser.add_argument("--let-go", action="store_true", help="let each slider go at every value")
    options = parser.parse_args()
    print(LINE.format("checkout", "page", "CPU s", "let go"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        roots = [*([options.root] if options.root else []), ROOT]
        costs = [measure(browser, root, options.visits, options.let_go) for root in roots]
    if len(costs) == 2:
        print(f"this checkout to the other: {costs[1] / costs[0]:.2f}")


if __name__ == "__main__":
    main()
