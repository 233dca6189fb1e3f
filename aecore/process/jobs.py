"""A training as a separate process, as a page sees it.

A page has `python -m aecore train` run; from then on they communicate through small files in the run's folder:
orders.txt one way, progress.json the other. The process holds the run's lock file while it lives, and the system
releases the lock when the process dies: nothing goes stale. The other side, in the process, is `aecore.process.worker`.
"""

import hashlib
import json
import math
import os
import secrets
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from aecore.files import saving, write_file
from aecore.folders import (
    INBOX,
    LOCK,
    LOG,
    MEASURER,
    MEASURING,
    OWNER,
    PROGRESS,
    SHIPPED,
    WATCHED,
    UnknownRun,
    find_run,
    folder_of,
    forget,
)
from aecore.process.nursery import start

START = 30.0
"""Seconds that a started process gets to take its lock before it counts as failed."""

LIVE = ("waiting", "running", "paused")
"""The states in which a run has a process."""

ORDERS = ("go", "pause", "batch", "epoch", "stop", "restart")
"""Continue; pause; train one batch, or to the end of the epoch, then pause; save and end; start over."""


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
        """The latest report of the process: state, epoch, images_per_second, seconds_left, history, error and more.

        What is damaged, or was written otherwise by another version, is left out.
        """
        try:
            return _understood(json.loads((self.folder / PROGRESS).read_bytes()))
        except (OSError, ValueError, RecursionError):
            return {}

    @property
    def alive(self) -> bool:
        """Whether a process holds the lock of this run."""
        return held(self.folder / LOCK)

    @property
    def state(self) -> str:
        """waiting, running, paused, done, stopped, failed, interrupted (the process died), or idle (never started)."""
        state = self.progress.get("state", "idle")
        if state not in LIVE or self.alive:
            return state
        progress = self.progress  # it may have ended between the two looks
        if progress.get("state") not in LIVE:
            return progress.get("state", "idle")
        young = 0 <= time.time() - progress.get("time", 0) < START  # a clock set back makes nothing young
        return "waiting" if progress.get("pid") is None and young else "interrupted"

    @property
    def error(self) -> str | None:
        """Why the training failed, in a sentence."""
        return self.progress.get("error")

    @property
    def owner(self) -> str:
        """SHA-256 of the token of the visitor who started the run; empty for a run from a terminal."""
        try:
            return (self.folder / OWNER).read_text(encoding="ascii")
        except (OSError, ValueError):
            return ""

    @saving()
    def claim(self, token: str) -> None:
        """Make the holder of this secret token the owner, unless there is one."""
        with suppress(FileExistsError), (self.folder / OWNER).open("x", encoding="ascii") as file:
            file.write(fingerprint(token))

    def belongs_to(self, token: str) -> bool:
        """Whether this token's holder started the run."""
        return secrets.compare_digest(self.owner, fingerprint(token))

    @saving()
    def ask(self, order: str) -> None:
        """Give an order, one of ORDERS. The process checks several times a second; if there is none, one is started."""
        if order not in ORDERS:
            raise ValueError(f"order is {order!r}; choose one of {', '.join(ORDERS)}")
        if self.state not in LIVE:
            if order == "restart":
                forget(self.folder)
            if order not in ("pause", "stop"):
                self._start(order)
            return
        with (self.folder / INBOX).open("a") as orders:
            orders.write(f"{order}\n")

    def start(self) -> None:
        """Train, or continue training, in a separate process that outlives this one; it waits its turn in the queue."""
        self.ask("go")

    def stop(self) -> None:
        """Ask the process to save and end."""
        self.ask("stop")

    def watched(self) -> None:
        """Note that somebody is watching the training."""
        if self.folder.is_dir():
            with suppress(OSError):
                (self.folder / WATCHED).touch()

    @property
    def measuring(self) -> bool:
        """Whether a process is evaluating the run."""
        return held(self.folder / MEASURING)

    def measure(self) -> None:
        """Evaluate the run in a separate process; results appear in its evaluation.json part by part."""
        if self.measuring:
            return
        write_file(self.folder / MEASURER, b"", durable=False)  # on a full disk, say so before a process is started
        process, deadline = self._process("evaluate", "--background"), time.monotonic() + START
        while not self.measuring and lives(process) and time.monotonic() < deadline:
            time.sleep(0.05)

    def stop_measuring(self) -> None:
        """Stop the evaluation; the parts that are finished are kept."""
        with suppress(OSError, ValueError):
            pid = int((self.folder / MEASURER).read_text())
            if self.measuring:
                os.kill(pid, signal.SIGTERM)

    def _start(self, order: str) -> None:
        write_file(self.folder / INBOX, f"{order}\n".encode(), durable=False)
        before = {} if order == "restart" else self.progress
        tell(self.folder, before | {"state": "waiting", "error": None, "note": None, "pid": None})
        self._process("train", "--background", "--resume")

    def _process(self, *words: str) -> int:
        return start((*words, self.id), self.folder.parent.parent.absolute(), self.folder / LOG)


def shown_folder(id: str) -> Path:
    """The folder that a run is shown from: where it trains, or the shipped one until it has trained to its end here.

    Raises UnknownRun.
    """
    own = folder_of(id)
    if own.parent == SHIPPED or Job(own).state in ("done", "idle"):
        return own
    try:
        return find_run(SHIPPED, id)
    except UnknownRun:
        return own


STATES = (*LIVE, "done", "stopped", "failed")
_NUMBERS = (
    *("time", "epoch", "epochs", "step", "steps", "ahead", "pid", "saved"),
    *("images_per_second", "seconds_left"),
)
_TOGETHER = {"epoch", "epochs", "step", "steps"}


def _understood(report: Any) -> dict[str, Any]:
    """The entries of a report that are what they should be."""
    if not isinstance(report, dict):
        return {}
    known = {name: report[name] for name in _NUMBERS if _is_number(report.get(name))}
    if not known.keys() >= _TOGETHER:
        known = {name: number for name, number in known.items() if name not in _TOGETHER}
    known |= {name: report[name] for name in ("error", "warning", "note") if isinstance(report.get(name), str)}
    rows = report.get("history")
    if isinstance(rows, list) and all(_is_row(row) and isinstance(row.get("test"), dict) for row in rows):
        known["history"] = rows
    return known | ({"state": report["state"]} if report.get("state") in STATES else {})


def _is_row(row: Any) -> bool:
    """Whether this is a row of a history: numbers by name, the same on held-out images under "test"."""
    return isinstance(row, dict) and all(
        _is_row(value) if name == "test" else _is_number(value) for name, value in row.items()
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def tell(folder: Path, progress: dict[str, Any]) -> None:
    """Write what a run's process reports."""
    write_file(folder / PROGRESS, json.dumps(progress | {"time": time.time()}).encode(), durable=False)


def give_way(sooner: int) -> None:
    """Have this process take what others leave of the processor and, where memory runs out, be ended before the server.

    Whoever waits for a task is told that it ended, and a training goes on from its last save; without the server, all
    would wait. sooner: what Linux adds to its score of whom to end, 0 to 1000.
    """
    with suppress(OSError):
        os.nice(19)
    with suppress(OSError):  # where Linux shares the processor among sessions first, niceness counts only within one
        Path("/proc/self/autogroup").write_text("19")
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(sooner))


def held(path: Path) -> bool:
    """Whether a process holds this lock; the system releases it when the process ends, however it ends."""
    if not path.exists():  # asking for a lock would make the file, and its folder
        return False
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    lock.release()
    return False


def lives(process: int) -> bool:
    """Whether there is a process with this id."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def fingerprint(token: str) -> str:
    """SHA-256 of a visitor's secret, by which files name them."""
    return hashlib.sha256(token.encode()).hexdigest()
