"""What the visitors of a server may start, and how much of it is kept."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from aecore.data import own_names
from aecore.data.own import owner_of
from aecore.files import remove
from aecore.folders import run_folders
from aecore.parcels import unpack
from aecore.process.jobs import LIVE, Job, fingerprint
from aecore.process.limits import check, limit
from aecore.runs import Run
from aecore.store import Store

IDLE = 3600.0
"""Seconds after which a run that nobody watches makes room for the run of another visitor."""


def start(run: Run, store: Store, token: str = "") -> Job:
    """Start or continue the training of a run, for the visitor with this secret token; without one, for the owner.

    A run with these settings that belongs to somebody else is left alone: ask the job whom it belongs to. Raises
    ValueError when the visitor asks for more than LIMITS allow.
    """
    known = [path.name for path in run_folders(store.folder)]
    if token:
        check("AECORE_MAX_EPOCHS", run.epochs)
        _see(run.dataset, token)
    if run.id not in known and token:
        _make_room(store.folder, token)
    job = Job(store.create(run))
    if run.id not in known and token:
        job.claim(token)
    if not token or job.belongs_to(token):
        job.start()
    return job


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


def _make_room(root: Path, token: str) -> None:
    """See that one more run of a visitor fits; where it does not, runs of others that nobody watches make room."""
    jobs = [job for job in map(Job, run_folders(root)) if job.owner]
    mine = [job for job in jobs if job.belongs_to(token)]
    check("AECORE_MAX_RUNS", len(mine) + 1)
    check("AECORE_MAX_MB", _megabytes(mine))
    for job in sorted(jobs, key=_seen):
        if len(jobs) < limit("AECORE_MAX_ALL_RUNS") and _megabytes(jobs) <= limit("AECORE_MAX_ALL_MB"):
            return
        if job not in mine and job.state not in LIVE and time.time() - _seen(job) > IDLE:
            remove(job.folder)
            jobs.remove(job)
    check("AECORE_MAX_ALL_RUNS", len(jobs) + 1)
    check("AECORE_MAX_ALL_MB", _megabytes(jobs))


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
