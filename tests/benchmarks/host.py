"""What the whole app takes of a small host's memory, step by step: the server, a training, all that belongs to them.

python tests/benchmarks/host.py [--root PATH]

Shared memory is counted once ("in all": the sum of the proportional set sizes). "Its own" leaves out what the system
can take back at any time because it lies in files as well. The peak is the highest of five looks a second. --root
measures another checkout of the project.
"""

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from conftest import ROOT, Server
from load import Record, Visitor, come

PAGES = ("home", "manifold", "denoise", "search", "classify", "train")
RECIPE = "fashion-search"


class Meter(threading.Thread):
    """Looks at the memory of the server and its descendants, also of those that outlive their parents."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server = psutil.Process(server.process.pid)
        self.known: set[psutil.Process] = {self.server}
        self.peak = 0.0

    def look(self) -> tuple[float, float]:
        """Megabytes in all, and of that its own."""
        for process in list(self.known):
            with suppress(psutil.Error):
                self.known.update(process.children(recursive=True))
        all, own = 0.0, 0.0
        for process in list(self.known):
            with suppress(OSError), open(f"/proc/{process.pid}/smaps_rollup") as file:
                kb = {line.split(":")[0]: int(line.split()[1]) for line in file if line.endswith("kB\n")}
                all, own = all + kb["Pss"] / 1024, own + (kb["Pss_Anon"] + kb["Pss_Shmem"]) / 1024
        self.peak = max(self.peak, all)
        return all, own

    def run(self) -> None:
        while self.server.is_running():
            self.look()
            time.sleep(0.2)

    def note(self, step: str, reach: str = "") -> None:
        """Print a row of the table, and begin a new peak."""
        all, own = self.look()
        print(f"{step:<44} {all:>6.0f} {own:>8.0f} {self.peak:>6.0f}   {reach}".rstrip(), flush=True)
        self.peak = 0.0


async def settled(meter: Meter) -> None:
    """Wait until the memory has not changed for three seconds: the server has imported what it wants."""
    before, since = 0.0, time.monotonic()
    while time.monotonic() - since < 3:
        now, _ = await asyncio.to_thread(meter.look)
        if abs(now - before) > 1:
            before, since = now, time.monotonic()
        await asyncio.sleep(0.3)


async def measure(server: Server, record: Record) -> None:
    """All steps, one after another."""
    meter = Meter(server)
    meter.start()
    print(f"{'MB':<44} {'in all':>6} {'its own':>8} {'peak':>6}   to reach")
    meter.note("healthy")
    await settled(meter)
    meter.note("warmed up")

    async def walk(visitor: Visitor) -> None:
        for page in PAGES:
            await visitor.go(page)
            await visitor.think(2)
            meter.note(f"one visitor on {page}")

    async def stroll(visitor: Visitor) -> None:
        for page in PAGES:
            await visitor.go(page)
            await visitor.think(1)
            await visitor.change()
            await visitor.think(1)

    async def begin(visitor: Visitor) -> None:
        await visitor.go("train", f"recipe={RECIPE}")
        await visitor.press("Train")
        await visitor.think(20)
        meter.note("a training of Fashion-MNIST")
        await asyncio.gather(*(come(server, number, record, stroll) for number in range(3)))
        meter.note("the training, three visitors on every page", "690")
        await visitor.press("Stop and keep")

    await come(server, 0, record, walk)
    await asyncio.gather(*(come(server, number, record, stroll) for number in range(3)))
    meter.note("three visitors on every page", "500")
    await come(server, 0, record, begin)


def main() -> int:
    """Serve, visit, print; returns 1 when something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to measure (default: this one)")
    options, record = parser.parse_args(), Record()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder))
        server.start(root=options.root.absolute())
        try:
            asyncio.run(measure(server, record))
        finally:
            server.stop()
    for what, count in record.failures.most_common():
        print(f"{count} x {what}")
    return 1 if record.failures else 0


if __name__ == "__main__":
    sys.exit(main())
