"""Measure the latent map in headless Chromium: CPU until 80,000 points are ready, payload, hover, click, reopening.

python tests/benchmarks/map.py
"""

import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import psutil  # noqa: E402
from conftest import CHROMIUM, FLAGS, Server  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

import aecore  # noqa: E402

# Two bare pages with the same 80,000 points: one with st.plotly_chart, one with the component of the Manifold page.
RUN = aecore.RECIPES["blocks-map"].run.id
PLOTLY = """
import numpy as np, plotly.graph_objects as go, streamlit as st, aecore
st.set_page_config(layout="wide")
codes = aecore.showcase().load("{run}").encode(aecore.load_dataset("blocks").train.images)
height = aecore.load_dataset("blocks").train.factors["height"]
figure = go.Figure(go.Scattergl(x=codes[:, 0], y=codes[:, 1], mode="markers", customdata=np.arange(len(codes)),
    marker=dict(color=height, colorscale="Cividis", size=3)))
st.plotly_chart(figure, on_select="rerun", key="map", height=500)
"""


MAP = """
import sys
sys.path.insert(0, "{root}")
import streamlit as st
from pages import _cached
from pages.acts import map as _map
st.set_page_config(layout="wide")
_map.draw(_cached.newest("{run}").at("train", "codes"), "height", "points", 28, 0, {{}})
"""
SERVED = """
import sys
sys.path.insert(0, "{root}")
import streamlit as st
from app import Route, plotly
app = st.App("{script}", routes=[Route("/assets/plotly.min.js", plotly)])
"""


def browser_seconds() -> float:
    """CPU seconds of Chromium and its children so far."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            if "chrom" in process.name():
                times = process.cpu_times()
                total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total


def settled(page: Page, selector: str) -> None:
    """Until what is looked for is there, the script has ended and Chromium has come to rest."""
    page.wait_for_selector(selector, timeout=120_000)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=120_000)
    before = -1.0
    while browser_seconds() - before > 0.05:
        before = browser_seconds()
        time.sleep(0.5)


def opened(browser: Browser, url: str, selector: str) -> tuple[Page, float, int]:
    """A page in a context of its own: CPU seconds until it is at rest, bytes over its WebSocket."""
    received = [0]
    page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: received.append(len(data))))
    before = browser_seconds()
    page.goto(url)
    settled(page, selector)
    return page, browser_seconds() - before, sum(received)


def sizes() -> dict[str, int]:
    """Bytes of every part of the map of 80,000 points."""
    from pages import _cached

    view = _cached.newest(RUN).at("train", "codes")
    return {
        "points": len(_cached.points_part(view, "id")),
        "colors": len(_cached.colors_part(view, "height", "id")),
        "lattice": len(_cached.lattice_part(view, "id")),
        "pictures": len(_cached.pictures_part("blocks", "train", "id")),
        "reconstructions": len(_cached.rebuilt_part(view, "id")),
    }


def reopened() -> float:
    """Seconds that the server takes to run the page again with everything in its caches."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "pages" / "_router.py"), default_timeout=120)
    app.query_params["run"] = RUN
    app.run()
    app.switch_page(str(ROOT / "pages" / "manifold.py"))
    app.run()
    seconds = []
    for _ in range(5):
        before = time.perf_counter()
        app.run()
        seconds.append(time.perf_counter() - before)
    return sorted(seconds)[2]


def hover_and_click(page: Page) -> tuple[float, float]:
    """Median seconds from a move of the pointer to its card, and from a click to the picked image on the page."""
    box = page.locator(".latent-map .nsewdrag").bounding_box()
    spots = [(box["x"] + box["width"] * (0.4 + 0.02 * k), box["y"] + box["height"] * 0.5) for k in range(10)]
    measure = """([x, y]) => {
        const target = document.querySelector(".latent-map .nsewdrag")
        const card = document.querySelector(".latent-map-card")
        const before = performance.now()
        target.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y, bubbles: true }))
        return [performance.now() - before, card.dataset.shown]
    }"""
    page.mouse.move(*spots[0])
    hovers = [page.evaluate(measure, list(spot)) for spot in spots]
    assert all(shown for _, shown in hovers)
    clicks = []
    for spot in spots:
        page.mouse.move(*spot)
        row = page.locator(".latent-map-card").get_attribute("data-shown")
        before = time.perf_counter()
        page.mouse.click(*spot)
        page.wait_for_function("row => document.querySelector('.st-key-row input').value === row", arg=row, polling=10)
        clicks.append(time.perf_counter() - before)
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    return sorted(seconds for seconds, _ in hovers)[5] / 1000, sorted(clicks)[5]


def main() -> None:
    os.chdir(ROOT)
    folder = Path(tempfile.mkdtemp())
    os.environ["AECORE_HOME"] = str(folder / "home")
    print("\n".join(f"{name:>16} {size / 1e6:6.2f} MB" for name, size in sizes().items()))
    print(f"{'reopen':>16} {reopened() * 1000:6.0f} ms of the server")
    (folder / "plain.py").write_text(PLOTLY.format(run=RUN))
    (folder / "map.py").write_text(MAP.format(run=RUN, root=ROOT))
    (folder / "served.py").write_text(SERVED.format(root=ROOT, script=folder / "map.py"))
    servers = {}
    for name, script in (("page", "app.py"), ("map", folder / "served.py"), ("plain", folder / "plain.py")):
        servers[name] = Server(folder / name)
        servers[name].start(str(script))
    visits = {
        "st.plotly_chart": (servers["plain"].url, ".js-plotly-plot .nsewdrag"),
        "component": (servers["map"].url, ".latent-map[data-ready]"),
        "whole page": (f"{servers['page'].url}/manifold?run={RUN}&mode=points&color=height", ".latent-map[data-ready]"),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        print("CPU seconds of the browser until it is at rest, and what came over the WebSocket:")
        for warm in (False, True, True, True):  # the first visit fills the servers' caches
            found = {}
            for name, (address, selector) in visits.items():
                page, seconds, received = opened(browser, address, selector)
                found[name] = f"{name} {seconds:.2f} s, {received / 1e6:.2f} MB"
                if name == "st.plotly_chart":
                    baseline = seconds
                elif name == "component":
                    found[name] += f" ({seconds / baseline:.2f} of st.plotly_chart)"
                if name != "whole page" or not warm:
                    page.context.close()
            if warm:
                print(f"{'ready':>16} " + " · ".join(found.values()))
        hover, click = hover_and_click(page)
        print(f"{'hover':>16} {hover * 1000:6.1f} ms\n{'click':>16} {click:6.2f} s")
        browser.close()
    for server in servers.values():
        server.stop()


if __name__ == "__main__":
    main()
