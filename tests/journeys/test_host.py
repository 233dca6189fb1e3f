"""Where the app is served: on all addresses of a machine, behind proxies, below a path; and who may steer it there."""

import contextlib
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from conftest import Server, knowing_answers, settle
from PIL import Image
from playwright.sync_api import Browser, Page, Response, expect

import aecore

pytestmark = pytest.mark.browser


class Proxy(threading.Thread):
    """What stands before a server on many hosts: ends TLS, names in a header whom it asks for, hands on the rest."""

    def __init__(self, port: int, certificate: Path | None = None) -> None:
        super().__init__(daemon=True)
        self.target, self.door = port, socket.create_server(("127.0.0.1", 0))
        self.port, self.context = self.door.getsockname()[1], None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self.door.accept()[:1], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, self._decrypted(client) as client:
            head = b""
            while b"\r\n\r\n" not in head and (some := client.recv(65536)):
                head += some
            first, _, rest = head.partition(b"\r\n")
            about = b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n"
            if b"upgrade: websocket" in head.lower():
                about = about.replace(b"Connection: close\r\n", b"")
            with socket.create_connection(("127.0.0.1", self.target)) as server:
                server.sendall(first + b"\r\n" + about + rest)
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()

    def _decrypted(self, client: socket.socket) -> socket.socket:
        return self.context.wrap_socket(client, server_side=True) if self.context else client

    def stop(self) -> None:
        self.door.shutdown(socket.SHUT_RDWR)
        self.door.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while some := source.recv(65536):
            target.sendall(some)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory, digits_runs: list[aecore.Checkpoint]) -> Iterator[Server]:
    """The app as the README starts it, with runs from a terminal."""
    server = Server(tmp_path_factory.mktemp("laptop"))
    for checkpoint in digits_runs:
        aecore.Store(server.home / "runs").save(checkpoint)
    with knowing_answers(server.home):
        server.start(public=False, options=["--server.baseUrlPath=auto/encoders"])
        yield server
        server.stop()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield page
    context.close()


def _outer() -> str:
    """An address of this machine that others may know."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.1", 9))
        except OSError:
            pytest.skip("this machine has no address but its own")
        return probe.getsockname()[0]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    try:
        subprocess.run([*command, "-keyout", path, "-out", tmp_path / "crt"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    path.write_bytes(path.read_bytes() + (tmp_path / "crt").read_bytes())
    return path


def _steers(page: Page, address: str, run: str) -> bool:
    """Whether the page at this address offers to steer a run that was started in a terminal."""
    page.goto(f"{address}/auto/encoders/train?run={run}")
    settle(page)
    may = page.get_by_role("button", name="Train again")
    expect(may.or_(page.get_by_text("Somebody else started this training"))).to_be_visible()
    return may.is_visible()


def test_the_owner_sits_at_the_machine_and_all_others_are_visitors(
    visitor: Page, laptop: Server, digits_runs: list[aecore.Checkpoint]
) -> None:
    run = digits_runs[0].run.id
    assert _steers(visitor, laptop.url, run)
    assert _steers(visitor, f"http://localhost:{laptop.port}", run)
    assert not _steers(visitor, f"http://{_outer()}:{laptop.port}", run)
    proxy = Proxy(laptop.port)
    proxy.start()
    assert not _steers(visitor, f"http://127.0.0.1:{proxy.port}", run)
    proxy.stop()


def test_all_works_below_a_path_behind_a_proxy_that_ends_tls(
    visitor: Page, laptop: Server, digits_runs: list[aecore.Checkpoint], certificate: Path
) -> None:
    proxy = Proxy(laptop.port, certificate)
    proxy.start()
    address, run = f"https://127.0.0.1:{proxy.port}/auto/encoders", digits_runs[0].run.id
    scripts: list[str] = []

    def note(answer: Response) -> None:
        if "plotly.min" in answer.url:
            scripts.append(answer.headers.get("content-type", ""))

    visitor.on("response", note)
    visitor.goto(f"{address}/manifold?run={run}&of=test&row=9")
    settle(visitor)
    expect(visitor.locator(".js-plotly-plot")).to_be_visible()
    assert scripts
    assert all(kind.startswith("text/javascript") for kind in scripts)
    visitor.get_by_role("button", name="Find similar").click()
    visitor.wait_for_url(re.compile(rf"^{re.escape(address)}/search\?.*image=9"))
    settle(visitor)
    visitor.reload()
    settle(visitor)
    expect(visitor.get_by_label("Test image, of 360")).to_have_value("9")

    visitor.goto(f"{address}/search?run={run}&source=upload")
    settle(visitor)
    file = BytesIO()
    Image.fromarray(np.tile(np.arange(0, 240, 8, dtype=np.uint8), (30, 1))).save(file, "PNG")
    visitor.locator("input[type=file]").set_input_files(
        {"name": "ramp.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    settle(visitor)
    expect(visitor.get_by_text("ramp.png").first).to_be_visible()
    visitor.get_by_role("tab", name="Near-duplicates").click()
    settle(visitor)
    with visitor.expect_download() as download:  # a browser saves no file from a server with a self-made certificate
        visitor.get_by_role("button", name="Export as CSV").click()
    assert visitor.request.get(download.value.url).text().startswith("group,row,id")
    proxy.stop()
