"""Posters: a page of the app as a picture or as one file, drawn by a browser without a window.

That browser is Chromium, driven by Playwright for Python; neither comes with the package.
"""

import base64
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

if TYPE_CHECKING:
    from playwright.sync_api import Page

FORMS = ("png", "html")
"""A picture, and one file that opens from a disk without a server."""
WIDTH, HEIGHT = 1920, 1080
"""Pixels of a picture."""
FLAGS = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
PATIENCE = 180
"""Seconds that a page may take to be drawn, with the long computations that it waits for."""
_SCRIPT = Path(__file__).with_suffix(".js")
_ROOM = (1.0, 1.25, 1.5)
"""How much wider and taller than the picture the page may be, to fit; if it never does, it is cut off below."""
_LETTERS = "html:root { font-size: 25px !important; }"
_LOOK = """
.st-key-stage-bar { display: none !important; }
*, *::before, *::after { animation: none !important; transition: none !important; caret-color: transparent !important; }
"""


class NoBrowser(ValueError):
    """No browser can be started here; the message says what to install."""


def browser() -> str:
    """The executable of Chromium: CHROMIUM, or the first that is on the PATH. Raises NoBrowser."""
    if find_spec("playwright") is None:
        raise NoBrowser("a poster needs Playwright: pip install playwright")
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), "")
    if not os.path.exists(found):
        raise NoBrowser(
            "a poster needs Chromium: install it (apt-get install chromium), or name its executable in CHROMIUM"
        )
    return found


def poster(
    address: str,
    form: str = "png",
    dark: bool = False,
    cookies: Mapping[str, str] | None = None,
    progress: Callable[[float, float], Any] = lambda done, of: None,
) -> bytes:
    """A page of a running app, as it is presented: a PNG file of WIDTH x HEIGHT pixels, or an HTML file.

    Nothing but the server of this address is asked for anything. cookies: those of the visitor who looks. Raises
    NoBrowser, and ValueError for an address that is none, or of a page that is not drawn to its end.
    """
    if form not in FORMS:
        raise ValueError(f"form is {form!r}; choose one of {', '.join(FORMS)}")
    with _looking(address, dark, cookies or {}, sharp=form == "html") as page:
        progress(1, 4)
        _open(page, address)
        progress(3, 4)
        return _file(page, address) if form == "html" else _picture(page)


def film(addresses: list[str], dark: bool, progress: Callable[[float, float], Any]) -> list[bytes]:
    """The same pages one after another, each as a PNG file."""
    found = []
    with _looking(addresses[0], dark, {}) as page:
        for number, address in enumerate(addresses):
            progress(number, len(addresses))
            _open(page, address)
            found.append(_picture(page))
    return found


def app() -> Path:
    """The script of the app. Raises ValueError where only the package is installed."""
    for root in (Path(__file__).parents[1], Path.cwd()):
        if (root / "app.py").is_file():
            return root / "app.py"
    raise ValueError("app.py is not here; run this in the folder of the app, or give the address of a server")


@contextmanager
def serving() -> Iterator[str]:
    """The address of the app, served on a free port until the block ends. Raises ValueError where there is no app."""
    script = app()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless=true"]
    command += ["--server.address=127.0.0.1", f"--server.port={port}", "--server.baseUrlPath="]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=script.parent, stdout=log, stderr=log)
        try:
            _wait_for(process, f"http://127.0.0.1:{port}", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(process: subprocess.Popen, server: str, log: Any) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with suppress(URLError, OSError), urlopen(f"{server}/_stcore/health", timeout=2) as answer:
            if answer.read() == b"ok":
                return
        time.sleep(0.1)
    log.seek(0)
    lines = log.read().decode(errors="replace").split("\n")
    raise ValueError(f"the app did not start: {' '.join(lines[-5:]).strip()[-400:]}")


@contextmanager
def _looking(address: str, dark: bool, cookies: Mapping[str, str], sharp: bool = False) -> Iterator["Page"]:
    """A page of a browser that talks to the server of this address alone."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{address[:200]!r} is not the address of a page; one looks like http://localhost:8501/search")
    executable = browser()
    from playwright.sync_api import Error, sync_playwright

    flags = [*FLAGS, "--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [*FLAGS]
    server = f"{parts.scheme}://{parts.netloc}/"
    try:
        with (
            sync_playwright() as playwright,
            playwright.chromium.launch(executable_path=executable, args=flags) as chromium,
        ):
            context = chromium.new_context(
                viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark" if dark else "light",
                reduced_motion="reduce", ignore_https_errors=parts.hostname == "127.0.0.1",
                service_workers="block", device_scale_factor=2 if sharp else 1,
            )  # fmt: skip
            context.add_cookies([{"name": key, "value": word, "url": server} for key, word in cookies.items()])
            context.route(lambda url: not url.startswith(server), lambda route: route.abort())
            context.add_init_script(path=_SCRIPT)
            yield context.new_page()
    except Error as error:
        raise ValueError(f"the browser could not draw this: {str(error).splitlines()[0]}") from error


def _open(page: "Page", address: str) -> None:
    """See a page drawn to its end, without what only people need who stand before it."""
    page.goto(_presented(address), timeout=60_000)
    page.add_style_tag(content=_LOOK)
    _settle(page)
    if problem := page.evaluate("aecorePoster.problem()"):
        raise ValueError(f"the page says: {problem}")


def _settle(page: "Page") -> None:
    if why := page.evaluate("seconds => aecorePoster.drawn(seconds)", PATIENCE):
        raise ValueError(f"after {PATIENCE} seconds the page was not drawn to its end: {why}")


def _presented(address: str) -> str:
    parts = urlsplit(address)
    query = "&".join([*filter(None, [parts.query]), "present=1"])
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _picture(page: "Page") -> bytes:
    page.add_style_tag(content=_LETTERS)
    session = page.context.new_cdp_session(page)
    try:
        for room in (*_ROOM, _ROOM[0]):
            size = {"width": round(WIDTH * room), "height": round(HEIGHT * room), "deviceScaleFactor": 1 / room}
            session.send("Emulation.setDeviceMetricsOverride", {**size, "mobile": False})
            _settle(page)
            if page.evaluate("aecorePoster.fits()"):
                break
        return base64.b64decode(session.send("Page.captureScreenshot", {"format": "png"})["data"])
    finally:
        session.detach()


def _file(page: "Page", address: str) -> bytes:
    stages = page.locator(".latent-map-stage").all()
    maps = [f"data:image/png;base64,{base64.b64encode(stage.screenshot()).decode()}" for stage in stages]
    place = urlunsplit(("", "", *urlsplit(address)[2:]))
    return page.evaluate("([place, maps]) => aecorePoster.file(place, maps)", [place, maps]).encode()
