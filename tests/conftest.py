"""What several test files share: an empty home, a trained run, the app."""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores: two threads of each would wait for one another
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import streamlit as st
from hostile import HOSTILE, hostile_set
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, Request, expect, sync_playwright
from streamlit.components.v2.manifest_scanner import scan_component_manifests
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import AppTest

import aecore
from aecore import models, store
from aecore.export import Cargo
from aecore.measure import filters, pca
from aecore.process import tasks, worker
from aecore.process.jobs import give_way
from aecore.process.nursery import close_nursery, open_nursery

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "pages"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
expect.set_options(timeout=120_000)  # a busy machine is not a wrong page
ANSWERS = Path(os.devnull)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync"]
VIEWPORT = {"width": 1366, "height": 768}


@pytest.fixture(scope="session", autouse=True)
def _answers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where answers are kept for all tests of a run, whichever process they run in."""
    global ANSWERS
    base = tmp_path_factory.getbasetemp()
    ANSWERS = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "answers"


def matrix(*axes: Iterable[Any], rounds: int = 1) -> list[Any]:
    """Every cell of a matrix, for `parametrize`: those that run always, and with `pytest -m matrix` all the others.

    Always runs a selection in which each value of each axis occurs at least `rounds` times. The keys of a dictionary
    name its values.
    """
    named = [
        tuple((axis if isinstance(axis, Mapping) else {str(each): each for each in axis}).items()) for axis in axes
    ]
    longest = max(map(len, named))
    always = {
        tuple(named[place][(turn + place * shift) % len(named[place])][0] for place in range(len(named)))
        for shift in range(rounds)
        for turn in range(longest)
    }
    cells = [tuple(zip(*cell, strict=True)) for cell in product(*named)]
    return [
        pytest.param(*values, id="-".join(names), marks=[] if names in always else pytest.mark.matrix)
        for names, values in cells
    ]


def rarely(*values: Any) -> Any:
    """A cell of a matrix, for `parametrize`, that runs with `pytest -m matrix` only."""
    return pytest.param(*values, marks=pytest.mark.matrix)


def pytest_configure(config: pytest.Config) -> None:
    """Workers take whole files, which share a server, in the order below: long ones first, so that none ends alone."""
    if config.getoption("numprocesses", 0):
        config.option.dist, config.option.loadscopereorder = "loadfile", False


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        slow = {item.path for item in items if "slow" in item.keywords}
        items.sort(key=lambda item: (not {"journeys", "process"} & {*item.path.parts}, item.path not in slow))
    for item in items:
        if {"fuzz", "ways", "matrix"} & {*item.keywords}:
            item.add_marker("slow")
        if {"journeys", "process"} & {*item.path.parts}:
            item.add_marker("journey")
    if "AECORE_FASHION_MNIST" not in os.environ:
        skip = pytest.mark.skip(reason="set AECORE_FASHION_MNIST to the folder with the four files of Fashion-MNIST")
        for item in items:
            if "fashion" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who visits without a browser sits at this machine."""
    monkeypatch.setattr("streamlit.runtime.context.ContextProxy.ip_address", None)


@pytest.fixture(scope="session", autouse=True)
def _known() -> Iterator[None]:
    """What never changes is found once, as a server does; each page without a browser would find it anew."""
    bytecode = cache(ScriptCache().get_bytecode)
    manifests = "streamlit.components.v2.manifest_scanner.scan_component_manifests"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifests, cache(scan_component_manifests))  # reads about every package that is installed
        patch.setattr(store, "_inflated", lru_cache(16)(store._inflated))  # ten runs that come with the app
        patch.setattr(ScriptCache, "get_bytecode", lambda self, path: bytecode(path))
        for name in ("_tv_weight", "_wiener"):
            patch.setattr(filters, name, _once(getattr(filters, name), lambda dataset: dataset.train.images))
        patch.setattr(pca, "principal", _once(pca.principal, lambda rows: rows))
        here = os.getpid()
        for module in (tasks, worker):  # what is tried in this process must not slow the tests after it
            patch.setattr(module, "give_way", lambda sooner: os.getpid() == here or give_way(sooner))
        yield


def _once(find: Callable[..., Any], images: Callable[[Any], np.ndarray]) -> Callable[..., Any]:
    """What is found about images stays found when another test reads the same images again."""
    found: dict[tuple[Any, ...], Any] = {}

    def known(about: Any, *rest: Any) -> Any:
        array = images(about)
        key = (hashlib.blake2b(np.ascontiguousarray(array)).digest(), array.shape, *rest)
        if key not in found:
            found[key] = find(about, *rest)
        return found[key]

    return known


@pytest.fixture(scope="session")
def warm() -> Iterator[None]:
    """A warm parent, so that what pages start has not to import everything anew."""
    open_nursery()
    yield
    close_nursery()


@pytest.fixture
def home(warm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty AECORE_HOME, but for answers; the pages forget it afterwards."""
    monkeypatch.setenv("AECORE_HOME", str(tmp_path / "home"))
    with knowing_answers(tmp_path / "home"):
        yield tmp_path / "home"
    st.cache_data.clear()
    st.cache_resource.clear()


@contextmanager
def knowing_answers(home: Path) -> Iterator[None]:
    """Lend a home what other tests found about the large sets that come with the app, and keep what it finds.

    A server has computed that before its first visitor comes; here it would be computed for every test.
    """
    _lend(ANSWERS, home / "cache")
    yield
    _lend(home / "cache", ANSWERS)


def _lend(source: Path, target: Path) -> None:
    """Link answers, each whole or not at all: other processes do the same."""
    for folder in source.glob("[!.]*") if source.is_dir() else ():
        large = "fashion_mnist" in folder.name or "blocks" in folder.name
        if large and not (target / folder.name).exists():
            aside = target / f".{folder.name}-{os.getpid()}-{time.monotonic_ns()}"
            with suppress(OSError):
                shutil.copytree(folder, aside, copy_function=os.link)
                aside.rename(target / folder.name)
            shutil.rmtree(aside, ignore_errors=True)


@pytest.fixture(scope="session")
def digits_runs() -> list[aecore.Checkpoint]:
    """Two short runs on digits: one with a plane of codes, one that was trained to denoise."""
    runs = [
        aecore.Run("digits", models.VAE(latent=2), loss="kl", epochs=2),
        aecore.Run("digits", models.Denoising(latent=16), epochs=2),
    ]
    return [list(aecore.train(run))[-1] for run in runs]


@pytest.fixture(scope="session")
def cargo(digits_runs: list[aecore.Checkpoint]) -> Cargo:
    """What an export takes along of the run on digits with a plane of codes, and the test images."""
    return Cargo(digits_runs[0], aecore.load_dataset("digits"))


@pytest.fixture(scope="session")
def hostile() -> Cargo:
    """The same of an untrained run on images with hostile names, which has a hostile title."""
    run = aecore.Run("digits", models.VAE(latent=3), "shallow", epochs=1)
    checkpoint = aecore.Checkpoint(run, run.build((3, 12, 9)))
    return Cargo(checkpoint, hostile_set(), "train", {}, "".join(HOSTILE[:3]))


@pytest.fixture
def home_with_runs(
    home: Path, digits_runs: list[aecore.Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """An AECORE_HOME with the runs on digits in it, and no other set here: pages open on digits, which is quick."""
    monkeypatch.delenv("AECORE_FASHION_MNIST", raising=False)
    monkeypatch.setenv("AECORE_CACHE", str(tmp_path / "downloads"))
    for checkpoint in digits_runs:
        aecore.Store(home / "runs").save(checkpoint)
    return home


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No downloaded set is here, and no mirror answers."""
    monkeypatch.setenv("AECORE_CACHE", str(tmp_path / "downloads"))
    for name, entry in list(aecore.DATASETS.items()):
        if entry.download:
            monkeypatch.delenv(entry.download.folder_variable, raising=False)
            download = replace(entry.download, mirrors=("http://127.0.0.1:9/",))
            monkeypatch.setitem(aecore.DATASETS, name, replace(entry, download=download))


def visit(page: str, **parameters: str) -> AppTest:
    """A page without a browser, opened from a link with these parameters."""
    app = AppTest.from_file(str(PAGES / "_router.py"), default_timeout=180)
    for name, value in parameters.items():
        app.query_params[name] = value
    if page != "home":
        app.switch_page(str(PAGES / f"{page}.py"))
    app.run()
    return finish(app)


def finish(app: AppTest) -> AppTest:
    """Draw a page again until it waits for no long computation any more, and was not left for another drawing."""
    deadline = time.monotonic() + 120
    while any(button.label == "Cancel" for button in app.button) or not (app.title or texts(app)):
        assert time.monotonic() < deadline, texts(app)
        time.sleep(0.05)
        app.run()
    assert not app.exception, [item.message for item in app.exception]
    return app


def tables(chart: Any) -> dict[str, list[dict[str, Any]]]:
    """The rows that a chart on a page draws, by the names that its specification has for them."""
    return {part.name: convert_arrow_bytes_to_pandas_df(part.data.data).to_dict("records") for part in chart.datasets}


def components(app: AppTest) -> list[Any]:
    """The parts of a page that are drawn by scripts, but for the invisible ones."""
    hidden = ("-history", "-sidebar", "-visitor-keeper", "-revealer-query", "-revealer-training")
    hidden += ("-presenting", "-keys-present", "-keys-lesson", "-keys-slides", "-progress")
    return [part.proto for part in app.get("bidi_component") if not part.proto.id.endswith(hidden)]


def texts(app: AppTest) -> str:
    """All that the page says in words, as one reads them: without the backslashes that keep Markdown from them."""
    said = [item.value for kind in (app.markdown, app.caption) for item in kind]
    plain = [item.value for kind in (app.text, app.error) for item in kind]
    return "\n".join([*(re.sub(r"\\(\W)", r"\1", words) for words in said), *plain])


class Server:
    """`streamlit run app.py` in a process of its own on a free port, with a home in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.home, self.log = folder / "home", folder / "log.txt"
        self.process: subprocess.Popen | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(
        self,
        script: str = "app.py",
        root: Path = ROOT,
        public: bool = True,
        options: Sequence[str] = (),
        through: Sequence[str] = (),
    ) -> None:
        """Serve the checkout at `root`, and return once it is healthy. public: nobody is the owner.

        through: a command that runs the one given to it.
        """
        from urllib.error import URLError
        from urllib.request import urlopen

        command = [*through, sys.executable, "-m", "streamlit", "run", script, "--server.headless=true"]
        command += [f"--server.port={self.port}", *options]
        with self.log.open("ab") as log:
            about = {
                "AECORE_PUBLIC": "1" if public else "0",
                "AECORE_MAX_EPOCHS": "inf",
                "AECORE_MAX_MINUTES": "inf",  # some trainings are stopped long before
                "PYTHONFAULTHANDLER": "1",
            }
            environment = {**os.environ, "AECORE_HOME": str(self.home), **about}
            self.process = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
        base = next((f"/{option.partition('=')[2]}" for option in options if "baseUrlPath" in option), "")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urlopen(f"{self.url}{base}/_stcore/health", timeout=2) as answer:
                    if answer.read() == b"ok":
                        return
            except (URLError, OSError):
                time.sleep(0.1)
        raise AssertionError(f"the server did not come up:\n{self.log.read_text()}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # it ends, and writes down what each thread was doing
            self.process.wait(60)
            raise AssertionError(f"the server did not stop:\n{self.log.read_text()[-20_000:]}") from None


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """The whole app, with an empty home in this folder."""
    server = Server(folder)
    with knowing_answers(server.home):
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The whole app, with no run at first."""
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Iterator[BrowserType]:
    if not os.path.exists(CHROMIUM):
        pytest.skip("Chromium is not installed; name it in CHROMIUM")
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="session")
def browser(chromium: BrowserType) -> Iterator[Browser]:
    """A browser whose contexts share nothing, for visitors who come at the same time."""
    with chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser:
        yield browser


@pytest.fixture(scope="session")
def profile(
    chromium: BrowserType, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """A browser that keeps the scripts which it loaded and compiled: that is most of what a first page costs."""
    folder = tmp_path_factory.mktemp("profile")
    with chromium.launch_persistent_context(
        folder, executable_path=CHROMIUM, args=FLAGS, viewport=VIEWPORT, base_url=server.url, reduced_motion="reduce"
    ) as context:
        yield context


@pytest.fixture
def page(profile: BrowserContext, server: Server) -> Iterator[Page]:
    """A new visitor; fails the test when anything is asked of another host.

    All come in the same tab, since a new one loads the app in half as much time again.
    """
    tab = profile.pages[0]
    try:
        yield from _visit(tab)
    finally:
        tab.unroute_all()
        tab.goto("about:blank")
        tab.set_viewport_size(VIEWPORT)
        tab.emulate_media(color_scheme="light")
        for other in profile.pages[1:]:
            other.close()
        visitor = {"origin": server.url, "storageTypes": "cookies,local_storage,indexeddb"}
        profile.new_cdp_session(tab).send("Storage.clearDataForOrigin", visitor)
        _lend(server.home / "cache", ANSWERS)  # the next server need not find it again


@pytest.fixture
def stranger(browser: Browser, server: Server) -> Iterator[Page]:
    """Another new visitor, in a browser of their own."""
    with browser.new_context(viewport=VIEWPORT, base_url=server.url) as context:
        yield from _visit(context.new_page())


def _visit(page: Page) -> Iterator[Page]:
    strangers: list[str] = []

    def note(request: Request) -> None:
        if urlparse(request.url).hostname not in ("127.0.0.1", None, ""):
            strangers.append(request.url)

    page.context.on("request", note)
    page.set_default_timeout(30_000)
    yield page
    page.context.remove_listener("request", note)
    assert not strangers


def settle(page: Page) -> None:
    """Wait until the page has been drawn to its end, without an exception on it."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=120_000)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def run_of(page: Page) -> str:
    return parse_qs(urlparse(page.url).query)["run"][0]
