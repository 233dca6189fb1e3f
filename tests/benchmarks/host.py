"""What the whole app takes of a small host's memory, step by step: the server, a training, all that belongs to them.

python tests/benchmarks/host.py [--root PATH] [--limit MB]

Shared memory is counted once ("in all": the sum of the proportional set sizes). "Its own" leaves out what the system
can take back at any time because it lies in files as well. The peak is the highest of five looks a second. --root
measures another checkout of the project. --limit lets the server and all that belongs to it have so many megabytes and
no swap, as a container does, and says how many processes the system killed for want of memory; it needs to be root on
Linux.
"""

import argparse
import asyncio
import os
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

from aecore.process.jobs import Job

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


class Container:
    """A control group whose processes may take so many megabytes in all, and no swap."""

    def __init__(self, limit: float) -> None:
        self.second = Path("/sys/fs/cgroup/cgroup.controllers").exists()  # version 2 of control groups
        root = Path("/sys/fs/cgroup") if self.second else Path("/sys/fs/cgroup/memory")
        self.folder = root / f"aecore-{os.getpid()}"
        self.folder.mkdir()
        for name in ("memory.max",) if self.second else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
            with suppress(FileNotFoundError):  # where the system counts no swap
                (self.folder / name).write_text(str(round(limit * 1e6)))
        if self.second:
            (self.folder / "memory.swap.max").write_text("0")
        self.through = ["sh", "-c", f'echo $$ > "{self.folder}/cgroup.procs" && exec "$@"', "sh"]

    @property
    def killed(self) -> int:
        """Processes that the system killed because the limit was reached."""
        lines = (self.folder / ("memory.events" if self.second else "memory.oom_control")).read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))

    def close(self) -> None:
        deadline = time.monotonic() + 60
        while (self.folder / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        self.folder.rmdir()


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
        record.failures.update(visitor.errors)
        await visitor.think(20)
        meter.note("a training of Fashion-MNIST")
        await asyncio.gather(*(come(server, number, record, stroll) for number in range(3)))
        meter.note("the training, three visitors on every page", "690")
        for folder in (server.home / "runs").glob("[!.]*"):
            job = Job(folder)
            speed = job.progress.get("images_per_second", 0)
            print(f"The training is {job.state}, at {speed:,.0f} images a second. {job.error or ''}".rstrip())
            job.stop()
            if job.state != "running":
                record.failures["the training does not run"] += 1

    await come(server, 0, record, walk)
    await asyncio.gather(*(come(server, number, record, stroll) for number in range(3)))
    meter.note("three visitors on every page", "500")
    await come(server, 0, record, begin)


def main() -> int:
    """Serve, visit, print; returns 1 when something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to measure (default: this one)")
    parser.add_argument("--limit", type=float, help="megabytes that the server may take in all (default: no limit)")
    options, record = parser.parse_args(), Record()
    container = Container(options.limit) if options.limit else None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder))
        server.start(root=options.root.absolute(), through=container.through if container else ())
        try:
            asyncio.run(measure(server, record))
        finally:
            server.stop()
            if container:
                print(f"With {options.limit:g} MB, the system killed {container.killed} processes for want of memory.")
                record.failures.update({"a process was killed": container.killed} if container.killed else {})
                container.close()
    for what, count in record.failures.most_common():
        print(f"{count} x {what}")
    return 1 if record.failures else 0


if __name__ == "__main__":
    sys.exit(main())
