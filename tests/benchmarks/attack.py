"""Attack a public start of the app, and print what it costs the server and another visitor.

python tests/benchmarks/attack.py [--root PATH]

One visitor presses "Train every flavor" sixteen times, then asks for the largest training that the controls know, then
sends twenty files of 19.5 MB that no control asked for. Another walks through the pages meanwhile. Shared memory is
counted once. --root attacks another checkout of the project.
"""

import argparse
import asyncio
import http.client
import re
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import psutil
from conftest import ROOT, Server
from host import PAGES, Meter
from load import Record, Visitor, come
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

LARGEST = {
    "dataset": "fashion_mnist", "network": "conv", "width": 4096, "latent": 1024, "batch_size": 4096, "epochs": 200
}  # fmt: skip


class Attacker(Visitor):
    """A visitor who knows the id of their session, and reads what the page says."""

    session = ""
    said: Counter[str]

    def _finished(self, message: ForwardMsg) -> bool:
        if message.WhichOneof("type") == "new_session":
            self.session = message.new_session.initialize.session_id
            self.said = Counter()
        return super()._finished(message)

    def _see(self, element: object, fragment: str) -> None:
        super()._see(element, fragment)
        for kind in ("alert", "text", "markdown"):
            if element.HasField(kind) and (words := re.search(r"[^.]*\(AECORE_\w+\)", getattr(element, kind).body)):
                self.said[words[0]] += 1


async def train_all(server: Server, record: Record) -> str:
    """Sixteen times, each time as somebody else."""
    refused: Counter[str] = Counter()

    async def press(visitor: Attacker, seed: int) -> None:
        await visitor.go("train", urlencode({"dataset": "fashion_mnist", "seed": seed, "epochs": 200}))
        await visitor.press("Train every flavor" if "Train every flavor" in visitor.buttons else "Train all five")
        refused.update(visitor.said)

    for seed in range(16):
        await _as_somebody(server, record, partial(press, seed=seed))
    return "; ".join(f"{words} ({count} x)" for words, count in refused.items()) or "nothing was refused"


async def train_the_largest(server: Server, record: Record) -> str:
    """One training as large as the controls go."""
    said: list[str] = []

    async def press(visitor: Attacker) -> None:
        await visitor.go("train", urlencode(LARGEST))
        await visitor.press("Train")
        said.extend(visitor.said)
        await visitor.think(20)

    await _as_somebody(server, record, press)
    return "; ".join(said) or "it was not refused"


async def send_files(server: Server, record: Record) -> str:
    """Twenty files by the way that uploads take, from a page without a control for it."""
    statuses: Counter[int] = Counter()

    async def send(visitor: Attacker) -> None:
        await visitor.go("home")
        statuses.update([await asyncio.to_thread(_put, server, visitor.session) for _ in range(20)])
        await visitor.think(5)

    await _as_somebody(server, record, send)
    return ", ".join(f"{count} x {status}" for status, count in statuses.items())


async def _as_somebody(server: Server, record: Record, act: Callable[[Attacker], Awaitable[None]]) -> None:
    async def walk(visitor: Visitor) -> None:
        await act(Attacker(visitor.socket, visitor.chance, visitor.record))

    await come(server, 3, record, walk)


def _put(server: Server, session: str) -> int:
    """Send 19.5 MB that nobody asked for; the status of the answer."""
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    line.request("GET", "/_stcore/health")
    answer = line.getresponse()
    answer.read()
    cookie = next(word for word in answer.getheader("Set-Cookie", "").split(";") if "xsrf" in word)
    body = b"--b\r\nContent-Disposition: form-data; name=file; filename=a.png\r\n\r\n"
    body += secrets.token_bytes(19_500_000) + b"\r\n--b--\r\n"
    about = {
        "Content-Type": "multipart/form-data; boundary=b", "Cookie": cookie.strip(),
        "X-Xsrftoken": cookie.partition("=")[2],
    }  # fmt: skip
    with suppress(OSError):
        line.request("PUT", f"/_stcore/upload_file/{session}/{secrets.token_hex(8)}", body, about)
        return line.getresponse().status
    return 0


async def walk(visitor: Visitor) -> None:
    """The other visitor, until nobody waits for them any more."""
    while True:
        for page in PAGES:
            await visitor.go(page)
            await visitor.think(1)


async def attacks(server: Server) -> int:
    """Print a row for each attack; the number of failures that the other visitor saw."""
    meter = Meter(server)
    meter.start()
    calm = Record()
    with suppress(TimeoutError):
        await asyncio.wait_for(come(server, 1, calm, walk), 60)
    failures = _row("nothing", meter, calm, "")
    attacks = {"train all, 16 times": train_all, "the largest training": train_the_largest, "20 x 19.5 MB": send_files}
    for name, attack in attacks.items():
        seen, mine = Record(), Record()
        other = asyncio.create_task(come(server, 2, seen, walk))
        said = await attack(server, mine)
        await asyncio.sleep(10)
        other.cancel()
        with suppress(asyncio.CancelledError):
            await other
        failures += _row(name, meter, seen, f"{said} {dict(mine.failures) or ''}")
    return failures


def _row(name: str, meter: Meter, seen: Record, said: str) -> int:
    all, own = meter.look()
    processes = sum(process.is_running() for process in meter.known)
    worst = max(seen.pages, key=lambda page: page[1], default=("", 0.0))
    wrong = dict(seen.failures) or ""
    print(
        f"{name:22} {processes:3} processes {all:6,.0f} MB in all, {own:6,.0f} its own, {meter.peak:6,.0f} peak; "
        f"worst page of another {worst[1]:5.1f} s ({worst[0]}, of {len(seen.pages)}) {wrong} {said}",
        flush=True,
    )
    meter.peak = 0.0
    return sum(seen.failures.values())


def main() -> int:
    """Start, attack, print, stop."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to attack")
    root = parser.parse_args().root
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start(root=root)
        time.sleep(20)
        try:
            return int(asyncio.run(attacks(server)) > 0)
        finally:
            for process in psutil.Process(server.process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    process.kill()
            server.stop()
            for process in psutil.process_iter(["environ"]):
                with suppress(psutil.Error):
                    if (process.info["environ"] or {}).get("AECORE_HOME", "").startswith(folder):
                        process.kill()


if __name__ == "__main__":
    sys.exit(main())
