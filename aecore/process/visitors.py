"""What the visitors of a server may start, and how much of it is kept."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from aecore.data import Unavailable, own_names, shape_of
from aecore.data.own import owner_of
from aecore.devices import check_precision
from aecore.files import remove
from aecore.folders import run_folders
from aecore.parcels import unpack
from aecore.process.jobs import LIVE, Job, fingerprint
from aecore.process.limits import check, jobs, limit
from aecore.process.memory import SCARCE, free
from aecore.runs import Run
from aecore.store import Store
from aecore.training import memory

IDLE = 3600.0
"""Seconds after which a run that nobody watches makes room for the run of another visitor."""

PATIENCE = 5.0
"""Seconds in which a training that is cancelled has to end; what takes longer keeps its folder."""


class Crowded(ValueError):
    """A training needs more memory than is free here; `missing` megabytes more."""

    def __init__(self, said: str, missing: float) -> None:
        super().__init__(said)
        self.missing = missing


def start(run: Run, store: Store, token: str = "") -> Job:
    """Start or continue the training of a run, for the visitor with this secret token; without one, for the owner.

    A run with these settings that belongs to somebody else is left alone: ask the job whom it belongs to. Raises
    ValueError when the visitor asks for more than LIMITS allow.
    """
    return start_all([run], store, token)[0]


def start_all(runs: Sequence[Run], store: Store, token: str = "") -> list[Job]:
    """The same for several runs, such as those of a sweep: either all are allowed, or none of them begins.

    Raises ValueError when the visitor asks for more than LIMITS allow, and of these Crowded where memory is short.
    What is trained already, or is somebody else's, is left as it is and takes no room.
    """
    known = {path.name for path in run_folders(store.folder)}
    states = {run.id: Job(store.path(run.id)).state for run in runs if run.id in known}
    fewer = "train fewer at a time, or " if len(runs) > 1 else ""
    if token:
        for run in runs:
            check("AECORE_MAX_EPOCHS", run.epochs)
            _see(run.dataset, token)
    wanted = [run for run in runs if states.get(run.id) != "done"]
    weights = {run.id: _check_memory(run, token) for run in wanted if states.get(run.id) not in LIVE}
    new = [run.id for run in wanted if run.id not in known]
    for run in wanted:
        if run.id in new:
            check_precision(run.precision)
    if token:
        live = [id for id in known if (job := Job(store.path(id))).owner and job.state in LIVE]
        check("AECORE_MAX_TRAININGS", len({*live, *(run.id for run in wanted)}), fewer)
    if new and token:
        _make_room(store.folder, token, 3 * sum(weights[id] for id in new), len(new), fewer)
    jobs = []
    for run in runs:
        jobs.append(job := Job(store.create(run)))
        if run.id in new and token:
            job.claim(token)
        if run in wanted and (not token or job.belongs_to(token)):
            job.start()
    return jobs


def cancel(jobs: Iterable[Job], store: Store) -> None:
    """End trainings; those that have begun are saved, and of those that only waited nothing stays."""
    live = [job for job in jobs if job.state in LIVE]
    waiting = [job for job in live if job.state == "waiting"]
    for some in (waiting, [job for job in live if job not in waiting]):  # else, one that waits would come to its turn
        for job in some:
            job.stop()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and any(job.state in LIVE or job.alive for job in some):
            time.sleep(0.05)
    for job in live:
        if job.id not in store.ids() and not job.alive:
            remove(job.folder)


def _check_memory(run: Run, token: str) -> float:
    """The megabytes of a run's weights. Raises ValueError where its training is too large, Crowded where it is now."""
    if not jobs():
        raise ValueError("this server trains no networks (AECORE_JOBS=0); run the app on your own machine to train")
    try:
        shape = shape_of(run.dataset)
    except Unavailable:
        return 0.0  # its process will say so
    weights, need = memory(run, shape)
    if token:
        check("AECORE_MAX_TRAINING_MB", need)
    if (missing := need + SCARCE - (there := free())) > 0:
        said = (
            f"this training needs about {need:,.0f} MB of memory, and {max(0, there - SCARCE):,.0f} MB are free here: "
            "choose a smaller width or batch size, or try again later"
        )
        raise Crowded(said, missing)
    return weights


def bring(parcel: bytes, store: Store, token: str = "") -> Run:
    """Put the run in a parcel into the store; it belongs to the visitor with this token. Raises ValueError."""
    run = unpack(parcel, store)
    if token:
        job = Job(store.path(run.id))
        try:
            _see(run.dataset, token)
            _make_room(store.folder, token)  # only for what is sound; it belongs to nobody yet
        except ValueError:
            remove(job.folder)
            raise
        job.claim(token)
    return run


def _see(dataset: str, token: str) -> None:
    """Raise ValueError for images of somebody else: to this visitor they are not there."""
    if dataset in own_names() and owner_of(dataset) != fingerprint(token):
        raise ValueError(f"there are no images {dataset!r} here; choose others, or bring your own")


def _make_room(root: Path, token: str, more: float = 0.0, count: int = 1, advice: str = "") -> None:
    """See that more runs of a visitor fit, `more` megabytes; else, runs of others that nobody watches go."""
    every = [job for job in map(Job, run_folders(root)) if job.owner]
    mine = [job for job in every if job.belongs_to(token)]
    check("AECORE_MAX_RUNS", len(mine) + count, advice)
    check("AECORE_MAX_MB", _megabytes(mine) + more, advice)
    for job in sorted(every, key=_seen):
        if len(every) + count <= limit("AECORE_MAX_ALL_RUNS") and _megabytes(every) <= limit("AECORE_MAX_ALL_MB"):
            return
        if job not in mine and job.state not in LIVE and time.time() - _seen(job) > IDLE:
            remove(job.folder)
            every.remove(job)
    check("AECORE_MAX_ALL_RUNS", len(every) + count, advice)
    check("AECORE_MAX_ALL_MB", _megabytes(every))


def _megabytes(jobs: Iterable[Job]) -> float:
    return sum(about.st_size for job in jobs for about in _stats(job)) / 1e6


def _seen(job: Job) -> float:
    """When somebody last watched a run, or it was saved."""
    return max((about.st_mtime for about in _stats(job)), default=0.0)


def _stats(job: Job) -> Iterator[os.stat_result]:
    """What the system knows of every file of a run; a training may replace some meanwhile."""
    for folder, _, names in os.walk(job.folder):
        for name in names:
            with suppress(OSError):
                yield os.stat(os.path.join(folder, name))
