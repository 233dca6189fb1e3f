"""The process's side of a job: waits for its turn, trains, saves, reports, and follows orders between batches."""

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from aecore.folders import INBOX, LOCK, MEASURER, MEASURING, WATCHED, forget
from aecore.process.jobs import ORDERS, Job, give_way, tell
from aecore.process.limits import check, limit
from aecore.process.memory import to_spare
from aecore.process.queue import Place, measuring_turn

if TYPE_CHECKING:
    from aecore.parallel import Group
    from aecore.runs import Checkpoint

PULSE = 0.5
"""Seconds between two checks for orders while training, and between two reports."""
SAVE_EVERY = 5.0
"""Seconds between two snapshots of a running training, and so the most that a crash can lose."""
FIRST_LOOK, HOPELESS = 10.0, 10
"""Seconds of training after which its time is foreseen; what would take so many times the time allowed ends then.

Not sooner, and not what would take only twice as long: others may be busy here for the moment.
"""
PATIENCE = 1800.0
"""Seconds that a paused training waits for an order before it saves and ends, to free its memory."""


class Busy(RuntimeError):
    """Another process is already training or evaluating this run."""


class Worker:
    """A process that holds the lock of a run. Made by `working`."""

    def __init__(self, folder: Path, background: bool) -> None:
        self.folder, self.background = folder, background
        self.limited = background and bool(Job(folder).owner)  # a visitor started it
        self.asked: list[int] = []  # signals that came in
        self.told: dict[str, Any] = Job(folder).progress
        self._read = 0
        self.place = Place(folder)

    def report(self, **changes: Any) -> None:
        """Publish changes. A full disk stops the report, not the training."""
        self.told |= changes | {"pid": os.getpid()}
        try:
            tell(self.folder, self.told)
        except OSError:
            self.told["time"] = time.time()

    def order(self) -> str | None:
        """The next unread order; a signal means stop."""
        if self.asked:
            return "stop"
        try:
            orders = (self.folder / INBOX).read_text().splitlines()
        except (OSError, ValueError):
            return None
        fresh, self._read = orders[self._read : self._read + 1], min(len(orders), self._read + 1)
        return fresh[0] if fresh and fresh[0] in ORDERS else None

    def turns(self) -> Iterator[int]:
        """Yield how many runs are ahead of this one until it is its turn; only background trainings queue."""
        if self.background:
            yield from self.place.turns()


@contextmanager
def working(folder: Path, background: bool = False) -> Iterator[Worker]:
    """Hold the lock of the run in this folder. Raises Busy. A training from a terminal discards older orders."""
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=5)  # somebody who only looks holds it for an instant
    except filelock.Timeout:
        raise Busy(f"run {folder.name!r} is being trained by another process; stop that process first") from None
    worker = Worker(folder, background)
    try:
        if not background:
            (folder / INBOX).unlink(missing_ok=True)
        yield worker
    finally:
        worker.place.leave()
        lock.release()


@contextmanager
def measuring(folder: Path, background: bool) -> Iterator[None]:
    """Be the only process that evaluates the run in this folder; in the background, take turns. Raises Busy."""
    lock = filelock.FileLock(folder / MEASURING)
    try:
        lock.acquire(timeout=5)
    except filelock.Timeout:
        raise Busy(f"run {folder.name!r} is being evaluated by another process; wait until it ends") from None
    try:
        (folder / MEASURER).write_text(str(os.getpid()))
        if background:
            give_way(900)
        with measuring_turn(folder.parent) if background else nullcontext():
            yield
    finally:
        lock.release()


def attend(worker: Worker, group: "Group | None" = None) -> Iterator["Checkpoint"]:
    """Train a run as ordered, from its newest snapshot on, and yield a checkpoint about twice a second.

    Everything that a page shows is written along the way: reports, moments, snapshots. A signal to end works like the
    order to stop. In a group of processes, this is the first.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, lambda received, _: worker.asked.append(received))
    try:
        yield from _attend(worker, group)
    except Exception as error:
        worker.report(state="failed", error=_sentence(error))
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _attend(worker: Worker, group: "Group | None") -> Iterator["Checkpoint"]:
    if worker.background:
        give_way(600)
    order = _turn(worker, worker.order() or "go")  # before torch makes the process large
    if order == "stop":
        worker.report(state="stopped")
        return

    from aecore.data import load_dataset
    from aecore.devices import spare_threads
    from aecore.parallel import Group
    from aecore.store import Store
    from aecore.training import KEPT, Diverged, train

    store = Store(worker.folder.parent)
    run = store.run(worker.folder.name)
    spare_threads(run.batch_size, worker.background)
    dataset = load_dataset(run.dataset)
    if worker.limited:
        check("AECORE_MAX_IMAGES", len(dataset.train))
    begun = run.id in store.ids()
    checkpoint = store.load(run.id, training=True) if begun else next(train(run, dataset))
    per_epoch = checkpoint.steps // run.epochs
    record = _Record(worker, store, dataset.test)
    record.begin(checkpoint)
    record.write(checkpoint, "running")
    yield checkpoint
    while not (checkpoint.done and order != "restart"):
        if order == "restart":
            forget(worker.folder)
            checkpoint, order = next(train(run, dataset)), "go"
            record.write(checkpoint, "running", everything=True)
        order = _turn(worker, order)
        record.begin(checkpoint)
        if order in ("go", "epoch", "batch"):
            pulse, keep = 0 if order == "batch" else PULSE, min(KEPT, to_spare() * 1e6)
            try:
                with closing(train(run, dataset, checkpoint, pulse, keep, group or Group())) as steps:
                    for checkpoint in steps:
                        reached = order == "batch" or (order == "epoch" and checkpoint.step % per_epoch == 0)
                        new = worker.order() or record.overdue(checkpoint) or ("pause" if reached else None)
                        record.write(checkpoint, "running")
                        yield checkpoint
                        if new:
                            order = new
                            break
            except Diverged:
                record.close(checkpoint)
                raise
        if order == "stop":
            break
        if order == "pause" and not checkpoint.done:
            worker.place.leave()
            record.write(checkpoint, "paused", everything=True)
            yield checkpoint
            order = _patient(worker)
    record.close(checkpoint)


def _turn(worker: Worker, order: str) -> str:
    """Wait until it is this run's turn, if the order needs one; the order to carry out then."""
    if order in ("go", "epoch"):
        for ahead in worker.turns():
            if new := worker.order():
                worker.place.leave()
                return _turn(worker, new)
            worker.report(state="waiting", ahead=ahead)
    return order


def _patient(worker: Worker) -> str:
    """Wait for an order."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if order := worker.order():
            return order
        time.sleep(0.05)
    worker.report(note=f"Saved and stopped after a pause of {PATIENCE / 60:.0f} minutes.")
    return "stop"


class _Record:
    """What is written while a training goes on: reports, moments and snapshots, each at its own pace."""

    def __init__(self, worker: Worker, store: Any, split: Any) -> None:
        self.worker, self.store, self.split = worker, store, split
        self.saved = -math.inf
        self.trained = 0.0  # seconds, by this process
        self.seen: tuple[float, float] | None = None  # the note that somebody watches, and when it was first read
        worker.report(note=None, warning=None)

    def begin(self, checkpoint: "Checkpoint") -> None:
        """Measure speed and time from here on, and report at the next chance."""
        self.started = self.looked = time.monotonic()
        self.told = -math.inf
        self.first = checkpoint.step

    def write(self, checkpoint: "Checkpoint", state: str, everything: bool = False) -> None:
        """Write what is due, or everything."""
        from aecore.moments import keep, moment_of, moment_steps, show

        telling = everything or checkpoint.done or time.monotonic() - self.told > 0.8 * PULSE
        keeping = checkpoint.step in moment_steps(checkpoint.steps)
        if telling or keeping:
            with suppress(OSError):  # a picture that a full disk does not take is not worth a training
                moment = moment_of(checkpoint, self.split)
                show(self.worker.folder, moment)
                if keeping:
                    keep(self.worker.folder, moment)
        if everything or time.monotonic() - self.saved > SAVE_EVERY:
            self._save(checkpoint)
        if telling:
            self.told = time.monotonic()
            self.worker.report(state=state, **self._figures(checkpoint))

    def close(self, checkpoint: "Checkpoint") -> None:
        """Save and report the end. Raises OSError if it cannot be saved."""
        self._save(checkpoint)
        if warning := self.worker.told.get("warning"):
            raise OSError(warning)
        self.write(checkpoint, "done" if checkpoint.done else "stopped", everything=True)

    def _save(self, checkpoint: "Checkpoint") -> None:
        """Save a snapshot; if the disk refuses, report it, continue, and try again later."""
        try:
            self.store.save(checkpoint)
        except (OSError, RuntimeError) as error:  # safetensors raises errors of its own for a full disk
            warning = f"the newest snapshot could not be saved: {error}. The previous one is kept; free some disk space"
            self.worker.report(warning=warning)
        else:
            self.worker.report(warning=None, saved=checkpoint.epoch)
        self.saved = time.monotonic()

    def overdue(self, checkpoint: "Checkpoint") -> str | None:
        """The order to stop: the time limit is reached, or will be long before the end, or nobody is watching."""
        if not self.worker.limited:
            return None
        now = time.monotonic()
        self.trained, self.looked = self.trained + now - self.looked, now
        note, minutes = None, limit("AECORE_MAX_MINUTES")
        foreseen = self.trained + (self._figures(checkpoint)["seconds_left"] or 0.0)
        if now - self.started >= FIRST_LOOK and foreseen > HOPELESS * 60 * minutes:
            note = (
                f"Saved and stopped: this training would take about {_time(foreseen)}, and this server allows "
                f"{minutes:g} min (AECORE_MAX_MINUTES): choose fewer epochs, a smaller width or fewer images."
            )
        elif self.trained > 60 * minutes:
            note = (
                f"Saved and stopped: training time on this server is limited to {minutes:g} min (AECORE_MAX_MINUTES)."
            )
        elif self._unwatched() > 60 * (minutes := limit("AECORE_UNWATCHED_MINUTES")):
            note = f"Saved and stopped: nobody watched for {minutes:g} min (AECORE_UNWATCHED_MINUTES)."
        if note:
            self.worker.report(note=note)
        return "stop" if note else None

    def _unwatched(self) -> float:
        """Seconds since a new note that somebody watches, by the clock of this process: the system's may be set."""
        watched, now = self.worker.folder / WATCHED, time.monotonic()
        note = watched.stat().st_mtime if watched.exists() else 0.0
        if self.seen is None or self.seen[0] != note:
            self.seen = (note, now)
        return now - self.seen[1]

    def _figures(self, checkpoint: "Checkpoint") -> dict[str, Any]:
        rate = (checkpoint.step - self.first) / max(time.monotonic() - self.started, 1e-6)
        return {
            "step": checkpoint.step,
            "steps": checkpoint.steps,
            "epoch": checkpoint.epoch,
            "epochs": checkpoint.run.epochs,
            "images_per_second": rate * checkpoint.run.batch_size,
            "seconds_left": (checkpoint.steps - checkpoint.step) / rate if rate else None,
            "history": checkpoint.history,
        }


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.0f} h" if seconds > 7200 else f"{seconds / 60:.0f} min"


def _sentence(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, MemoryError) or "allocate memory" in text:
        return "Not enough memory for this training; choose a smaller width or batch size"
    return text
