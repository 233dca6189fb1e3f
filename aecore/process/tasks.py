"""Long computations as processes of their own: the same question is asked once, however many wait for the answer.

A task is a registered function and its arguments. Its answer lies on disk under a name made of both, so whoever asks
again has it at once, also after a restart. Tasks wait in a queue of their own beside that of the trainings, and one
works at a time: an usher, a process that is there as long as there are tasks, begins one after another, so that what
waits takes no memory. A task that nobody waits for any more ends.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import numpy as np

from aecore.files import home, remove, saving, write_file
from aecore.folders import LOCK, LOG, PROGRESS
from aecore.kept import find, kept
from aecore.process.jobs import give_way, held, lives
from aecore.process.memory import scarce
from aecore.process.nursery import start

Arguments = tuple[str | int | float | bool, ...]
Progress = Callable[[float, float], None]
"""What is done, and of how much."""

ASKED, WAITING, WORKING = "asked.json", "waiting", "working"
"""What a task is asked, a folder with a file for everybody who waits for its answer, and a note that it has begun."""

SERVER = "server"
"""Who asks before anybody does, so that the opening views are known."""

PATIENCE = 60.0
"""Seconds after which somebody who does not say so any more does not wait any more."""
START = 30.0
"""Seconds that a process gets to take its lock before it counts as failed."""
MOST = 24
"""Tasks that may wait at the same time."""
LINGER, PULSE = 5.0, 0.25
"""Seconds that the usher stays after the last task, and between two looks of it."""
ENDED = "its process ended, perhaps because memory ran out"


class Busy(RuntimeError):
    """Too many tasks are waiting."""


@dataclass(frozen=True)
class Task:
    """A long computation: the name of a function in TASKS and its arguments, numbers and short words."""

    function: str
    arguments: Arguments

    @property
    def name(self) -> str:
        """Under which its answer is kept; letters, digits, hyphens and underscores."""
        words = (self.function, TASKS[self.function].version, *self.arguments)
        return "-".join(str(word).replace(".", "_") for word in words)

    @property
    def folder(self) -> Path:
        """Where its process reports."""
        return home() / "tasks" / self.name

    def answer(self) -> list[np.ndarray] | None:
        """What came out, read-only; None while that is not known."""
        return find(self.name)

    def compute(self, progress: Progress = lambda done, of: None) -> list[np.ndarray]:
        """Find the answer here and now, and keep it."""
        return kept(self.name, lambda: self.find(progress))

    def find(self, progress: Progress = lambda done, of: None) -> list[np.ndarray]:
        """The same, and forget it."""
        return TASKS[self.function].find(*self.arguments, progress)

    @saving()
    def ask(self, who: str) -> None:
        """Note that somebody waits for the answer, and start a process for it if there is none. Raises Busy."""
        if not self.alive and scarce():
            raise Busy("this server is short of memory; try again in a few minutes")
        if not self.alive and _ushered() and len(queue(self.folder.parent)) >= MOST:
            raise Busy("too many long computations are waiting on this server; try again in a few minutes")
        with suppress(
            FileNotFoundError
        ):  # a process that ends in this moment takes the folder along: it has the answer
            waiting = self.folder / WAITING
            waiting.mkdir(parents=True, exist_ok=True)
            (waiting / who).touch()
            if not self.alive:
                asked = {"function": self.function, "arguments": self.arguments, "who": who, "came": time.monotonic()}
                (self.folder / WORKING).unlink(missing_ok=True)
                write_file(self.folder / ASKED, json.dumps(asked).encode(), durable=False)
                _tell(self.folder, {})
                if not TASKS[self.function].queued:
                    start(["task", self.name], home().absolute(), self.folder / LOG)
                else:
                    _call_usher()

    def wait(self, who: str) -> None:
        """Note that somebody still waits; should the usher be gone, there is a new one."""
        with suppress(OSError):
            (self.folder / WAITING / who).touch()
            if self.name in queue(self.folder.parent) and not self.alive:
                _tell(self.folder, {})
                _call_usher()

    def leave(self, who: str) -> None:
        """Note that somebody does not wait any more; the process ends when nobody does."""
        (self.folder / WAITING / who).unlink(missing_ok=True)

    def waits(self, who: str) -> bool:
        """Whether this visitor has asked, and has not left."""
        return (self.folder / WAITING / who).exists()

    @property
    def alive(self) -> bool:
        """Whether a process works on it, or will."""
        if held(self.folder / LOCK):
            return True
        report = self.report
        if "pid" not in report or "error" in report:
            return False
        waits = (self.folder / ASKED).exists() and not (self.folder / WORKING).exists() and _ushered()
        return waits or 0 <= time.time() - report.get("time", 0.0) < START

    @property
    def report(self) -> dict[str, Any]:
        """What its process said last: pid; ahead (in the queue), done and of, or error."""
        return _report(self.folder)


class Kind(NamedTuple):
    """How a task is done, and the version of that: an answer of another version is not known any more.

    queued: whether it waits for its turn; what takes few seconds does not. memory: bytes that its process may take
    beyond what it has when it begins, where it reads what comes from outside; 0 for no limit.
    """

    find: Callable[..., list[np.ndarray]]
    version: int
    queued: bool = True
    memory: int = 0


TASKS: dict[str, Kind] = {}


def task(
    version: int, queued: bool = True, memory: int = 0
) -> Callable[[Callable[..., list[np.ndarray]]], Callable[..., Task]]:
    """Register a long computation; calling it with arguments gives the Task. It gets its progress as last argument."""

    def register(function: Callable[..., list[np.ndarray]]) -> Callable[..., Task]:
        TASKS[function.__name__] = Kind(function, version, queued, memory)
        return wraps(function)(lambda *arguments: Task(function.__name__, arguments))

    return register


def work(name: str) -> int:
    """In a process of its own: compute, keep the answer; returns the exit code."""
    folder = _folder(name)
    try:
        asked = json.loads((folder / ASKED).read_bytes())
        task = Task(asked["function"], tuple(asked["arguments"]))
        TASKS[task.function]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"the task {name[:80]!r} cannot be read ({error})") from error
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=5)
    except filelock.Timeout:
        return 0  # another process is at it
    try:
        give_way(900)
        threading.Thread(target=_end_when_nobody_waits, args=(folder,), daemon=True).start()
        if TASKS[task.function].memory:
            _limit_memory(TASKS[task.function].memory)
        _tell(folder, {"done": 0, "of": 1})
        task.compute(_reporter(folder))
    except Exception as error:
        _tell(folder, {"error": str(error) or type(error).__name__})
        raise
    finally:
        lock.release()
    remove(folder)
    return 0


def _folder(name: str) -> Path:
    """The folder of a task that was asked; names are looked up, never joined into a path."""
    for folder in (home() / "tasks").iterdir():
        if folder.name == name:
            return folder
    raise ValueError(f"there is no task {name[:80]!r}")


def _reporter(folder: Path) -> Progress:
    """Write how far it is, at most twice a second."""
    last = -1.0

    def report(done: float, of: float) -> None:
        nonlocal last
        if time.monotonic() - last > 0.5:
            last = time.monotonic()
            _tell(folder, {"done": done, "of": of})

    return report


def _limit_memory(more: int) -> None:
    """Have this process refuse more memory rather than the whole machine run out of it, where the system knows how."""
    with suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        status = Path("/proc/self/status").read_text()
        now = int(status.split("VmData:")[1].split()[0]) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (now + more, resource.RLIM_INFINITY))


def usher() -> int:
    """In a process of its own: have the tasks done that wait, as long as there are any; returns the exit code."""
    root = home() / "tasks"
    while True:
        lock = filelock.FileLock(root / LOCK)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return 0  # there is one
        try:
            _attend(root)
        finally:
            lock.release()
        if not queue(root):  # none came in the moment before the lock was open
            return 0


def _ushered() -> bool:
    return held(home() / "tasks" / LOCK)


def _call_usher() -> None:
    if not _ushered():
        start(["task"], home().absolute(), home() / "tasks" / LOG)


def _attend(root: Path) -> None:
    """Begin the task whose turn it is, tell the others how many are ahead, and clear away what nobody wants."""
    begun: dict[str, int] = {}
    told: dict[str, int] = {}
    watches: dict[str, _Watch] = {}
    last = time.monotonic()
    while time.monotonic() - last < LINGER:
        for name in [name for name, process in begun.items() if not lives(process)]:
            del begun[name]
        for ahead, name in enumerate(queue(root)):
            last, folder = time.monotonic(), root / name
            if (folder / WORKING).exists():
                if name not in begun and not held(folder / LOCK):
                    _tell(folder, {"error": ENDED})
            elif not watches.setdefault(name, _Watch(folder)).anybody():
                remove(folder)
            elif not ahead:
                (folder / WORKING).touch()
                begun[name] = _begin(folder)
            elif told.get(name) != ahead:
                told[name] = ahead
                _tell(folder, {"ahead": ahead})
        time.sleep(PULSE)


def _begin(folder: Path) -> int:
    """Have a process do the task in this folder; its id. A child of the usher has imported what the usher has."""
    if sys.platform != "linux":
        return start(["task", folder.name], home().absolute(), folder / LOG)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps the children
    if process := os.fork():
        return process
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        code = work(folder.name)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def queue(root: Path) -> list[str]:
    """Names of the tasks in the order of their turns: those at work, everybody's newest, the others.

    What somebody asked before may not be wanted any more. What the server itself asks comes last, and nobody waits for
    it, even where it is at work.
    """
    found = []
    for folder in root.glob("[!.]*"):  # what is being removed begins with a dot
        with suppress(OSError, ValueError, LookupError, TypeError):
            asked = json.loads((folder / ASKED).read_bytes())
            if TASKS[asked["function"]].queued and "error" not in _report(folder):
                found.append((not (folder / WORKING).exists(), asked["came"], str(asked["who"]), folder.name))
    seen: Counter[str] = Counter()
    ranked = []
    for waits, came, who, name in sorted(found, key=lambda each: -each[1]):
        ranked.append((who == SERVER, waits, seen[who], came, name))
        seen[who] += 1
    return [name for *_, name in sorted(ranked)]


class _Watch:
    """Looks who still waits for the task in a folder: by the clock of this process, since the system's may be set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: dict[str, tuple[float, float]] = {}  # who -> the last note of theirs, and when it was first seen

    def anybody(self) -> bool:
        """Whether anybody has said in the last while that they wait, and has not left."""
        now, waiting = time.monotonic(), {}
        with suppress(OSError):
            waiting = {path.name: path.stat().st_mtime for path in (self.folder / WAITING).iterdir()}
        for who, touched in waiting.items():
            if who not in self.seen or self.seen[who][0] != touched:
                self.seen[who] = (touched, now)
        return any(now - self.seen[who][1] < PATIENCE for who in waiting)


def _end_when_nobody_waits(folder: Path) -> None:
    watch = _Watch(folder)
    while watch.anybody():
        time.sleep(0.5)
    remove(folder)
    os._exit(0)


def _report(folder: Path) -> dict[str, Any]:
    try:
        report = json.loads((folder / PROGRESS).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


def _tell(folder: Path, report: dict[str, Any]) -> None:
    with suppress(OSError):
        about = {"pid": os.getpid()} | report | {"time": time.time()}
        write_file(folder / PROGRESS, json.dumps(about).encode(), durable=False)
