"""The queue of trainings: a folder of tickets beside the runs, where each run waits for its turn."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import filelock

from aecore.folders import LOCK, MEASURING, QUEUE, run_folders
from aecore.process.jobs import LIVE, Job
from aecore.process.limits import jobs


class Place:
    """The place in the queue of the run in this folder; its process takes it and gives it back."""

    def __init__(self, folder: Path) -> None:
        self.id, self.root, self.queue = folder.name, folder.parent, folder.parent / QUEUE
        self._its_turn = False

    def turns(self) -> Iterator[int]:
        """Yield how many runs are ahead of this one until it is its turn."""
        if self._its_turn:
            return
        places = max(1, jobs())
        self.queue.mkdir(exist_ok=True)
        self.leave()
        with filelock.FileLock(self.queue / LOCK):
            ticket = self.queue / f"{1 + max([came for came, _ in _tickets(self.root)], default=0)}-{self.id}"
            ticket.touch()
        while True:
            with filelock.FileLock(self.queue / LOCK):
                before = tickets(self.root)
                before = before[: before.index(self.id)]
                ahead = sum(Job(self.root / id).alive for id in dict.fromkeys(before))
                if ahead < places:
                    ticket.rename(self.queue / f"0-{self.id}")  # from now on nobody gets before it
                    self._its_turn = True
                    return
            yield ahead - places + 1
            time.sleep(0.25)

    def leave(self) -> None:
        """Give the place back."""
        self._its_turn = False
        for ticket in self.queue.glob(f"*-{self.id}"):
            ticket.unlink(missing_ok=True)


def measuring_turn(root: Path) -> filelock.FileLock:
    """The lock that a background evaluation holds while it works: one runs at a time."""
    (root / QUEUE).mkdir(exist_ok=True)
    return filelock.FileLock(root / QUEUE / MEASURING)


def active(root: Path) -> list[Job]:
    """The jobs in root that have a process, in queue order; those that wait for their turn come last."""
    jobs = [Job(folder) for folder in run_folders(root)]
    states = {job: state for job in jobs if (state := job.state) in LIVE}
    places = {id: place for place, id in enumerate(tickets(root))}
    return sorted(states, key=lambda job: (states[job] == "waiting", places.get(job.id, len(places))))


def tickets(root: Path) -> list[str]:
    """Ids of the runs in the queue, in order: those already in training, then first come, first served.

    Each visitor's first run goes before anyone's second. A run that was killed may have left its ticket behind.
    """
    owners: Counter[str] = Counter()
    ranked = []
    for came, id in sorted(_tickets(root)):
        owner = Job(root / id).owner
        ranked.append((came > 0, owners[owner] if owner else 0, came, id))
        owners[owner] += 1
    return [id for *_, id in sorted(ranked)]


def _tickets(root: Path) -> list[tuple[int, str]]:
    """The number and the run of every ticket; 0 for a run in training. Numbers, not times: a clock can be set back."""
    names = (path.name.partition("-") for path in (root / QUEUE).glob("[0-9]*"))
    return [(int(came), id) for came, _, id in names if id and came.isdecimal()]
