"""A training as a process of its own, and the queue of them.

A page starts `python -m aecore train`; from then on they speak through small files in the run's folder. The process
holds the run's lock file while it lives, and the system releases it when the process dies: nothing goes stale.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from aecore.files import run_folders, write_file

START = 30.0
"""Seconds that a started process gets to take its lock before it counts as failed."""


@dataclass(frozen=True)
class Job:
    """The training of the run in this folder, seen from any process."""

    folder: Path

    @property
    def id(self) -> str:
        """The run's id."""
        return self.folder.name

    @property
    def progress(self) -> dict[str, Any]:
        """What the process reported last: state, epoch, images_per_second, seconds_left, history, error and more."""
        try:
            progress = json.loads((self.folder / "progress.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return progress if isinstance(progress, dict) else {}

    @property
    def alive(self) -> bool:
        """Whether a process holds the lock of this run."""
        if not (self.folder / "lock").exists():  # asking for a lock would make the file, and its folder
            return False
        lock = filelock.FileLock(self.folder / "lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return True
        lock.release()
        return False

    @property
    def state(self) -> str:
        """waiting, running, done, stopped, failed, interrupted (the process died), or idle (never trained here)."""
        state = self.progress.get("state", "idle")
        if state not in ("waiting", "running") or self.alive:
            return state
        progress = self.progress  # it may have ended between the two looks
        if progress["state"] not in ("waiting", "running"):
            return progress["state"]
        young = time.time() - progress["time"] < START
        return "waiting" if progress.get("pid") is None and young else "interrupted"

    @property
    def error(self) -> str | None:
        """Why the training failed, in a sentence."""
        return self.progress.get("error")

    def start(self) -> None:
        """Train, or go on training, in a process of its own that outlives this one; waits its turn in the queue."""
        if self.state in ("waiting", "running"):
            return
        (self.folder / "control.json").unlink(missing_ok=True)
        _tell(self.folder, self.progress | {"state": "waiting", "error": None, "pid": None})
        package = Path(__file__).parent
        with (self.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", package.name, "train", "--background", "--resume", self.id],
                cwd=package.parent,
                env={**os.environ, "AECORE_HOME": str(self.folder.parent.parent.absolute())},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        threading.Thread(target=process.wait, daemon=True).start()  # reaps it when it ends

    resume = start

    def stop(self) -> None:
        """Ask the process to save and end; it looks several times a second."""
        write_file(self.folder / "control.json", json.dumps({"ask": "stop"}).encode())


def active(root: Path) -> list[Job]:
    """The jobs below root that run or wait, the running ones first, then by their place in the queue."""
    jobs = [Job(folder) for folder in run_folders(root)]
    states = {job: state for job in jobs if (state := job.state) in ("running", "waiting")}
    tickets = {name.partition("-")[2]: place for place, name in enumerate(_tickets(root))}
    return sorted(states, key=lambda job: (states[job] != "running", tickets.get(job.id, len(tickets))))


class Busy(RuntimeError):
    """Another process trains this run already."""


class Work:
    """The process's side of a job: reports, takes orders, waits its turn. Made by `working`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._last: dict[str, Any] = Job(folder).progress

    def report(self, **changes: Any) -> None:
        """Tell everybody who looks."""
        self._last |= changes | {"pid": os.getpid()}
        _tell(self.folder, self._last)

    @property
    def stop_asked(self) -> bool:
        """Whether somebody wants the training to save and end."""
        return (self.folder / "control.json").exists()

    def turns(self, places: int) -> Iterator[int]:
        """Yield how many jobs are before this one, until it is among the first `places`."""
        queue = self.folder.parent / ".queue"
        queue.mkdir(exist_ok=True)
        with filelock.FileLock(queue / "lock"):
            self._ticket = queue / f"{time.time_ns()}-{self.folder.name}"
            self._ticket.touch()
        while (ahead := self._ahead()) >= places:
            yield ahead - places + 1
            time.sleep(0.25)

    def _ahead(self) -> int:
        root = self.folder.parent
        before = _tickets(root)
        before = before[: before.index(self._ticket.name)]
        others = {name.partition("-")[2] for name in before} - {self.folder.name}
        return sum(Job(root / id).alive for id in others)


@contextmanager
def working(folder: Path, fresh: bool) -> Iterator[Work]:
    """Hold the lock of the run in this folder. `fresh` forgets orders given before. Raises Busy."""
    lock = filelock.FileLock(folder / "lock")
    try:
        lock.acquire(timeout=5)  # somebody who only looks holds it for an instant
    except filelock.Timeout:
        raise Busy(f"run {folder.name!r} is being trained by another process; stop that one first") from None
    try:
        if fresh:
            (folder / "control.json").unlink(missing_ok=True)
        yield Work(folder)
    finally:
        for ticket in (folder.parent / ".queue").glob(f"*-{folder.name}"):
            ticket.unlink(missing_ok=True)
        lock.release()


def _tickets(root: Path) -> list[str]:
    """Names of the tickets in the queue, first come first; a run may have left one behind when it was killed."""
    try:
        names = [path.name for path in (root / ".queue").iterdir() if path.name[0].isdigit()]
    except FileNotFoundError:
        return []
    return sorted(names, key=lambda name: int(name.partition("-")[0]))


def _tell(folder: Path, progress: dict[str, Any]) -> None:
    write_file(folder / "progress.json", json.dumps(progress | {"time": time.time()}).encode(), durable=False)
