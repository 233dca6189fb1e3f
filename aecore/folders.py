"""A run's folder: where it is, and what each file in it is. No other module knows the names of these files."""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from aecore.files import home, remove, saving, write_file
from aecore.text import one_line

SETTINGS = "run.json"
SNAPSHOTS = "snapshots"
"""Folders, each a trained state."""
EVALUATION = "evaluation.json"
MOMENTS, NEWEST = "moments", "live.safetensors"
"""What a training looked like: saved moments, and the newest one."""
PROGRESS, INBOX, LOG = "progress.json", "orders.txt", "log.txt"
"""What its process reports, the orders it gets, and what it prints."""
LOCK, MEASURING, MEASURER = "lock", "measuring", "measuring.pid"
"""Locks held by a training and an evaluation, and the process id of the evaluation."""
OWNER, NAME, WATCHED = "owner", "name", "watched"
"""The owner of the run, what they call it, and the time when somebody last looked at it."""
QUEUE = ".queue"
"""A folder beside the runs, with a ticket for each run that waits or trains."""

SHIPPED = Path(__file__).parent / "showcase"
"""The folder of the runs that come with the package."""

_LASTING = {SETTINGS, OWNER, NAME, LOCK, MEASURING, MEASURER, LOG, INBOX, PROGRESS}


class UnknownRun(KeyError):
    """No run has this id."""

    def __str__(self) -> str:
        return str(self.args[0])


def own_runs() -> Path:
    """The folder of the runs trained on this machine."""
    return home() / "runs"


def run_folders(root: Path) -> list[Path]:
    """The folders in root that contain a run's settings."""
    if not root.is_dir():
        return []
    return [path for path in sorted(root.iterdir()) if path.name[0] != "." and (path / SETTINGS).is_file()]


def find_run(root: Path, id: str) -> Path:
    """The folder of a run. Ids are compared with the listing, never joined into a path. Raises UnknownRun."""
    if id in _shipped() if root == SHIPPED else _is_listed(root, id):
        return root / id
    raise UnknownRun(f"there is no run {str(id)[:80]!r}; `python -m aecore runs` lists all runs")


@cache
def _shipped() -> frozenset[str]:
    return frozenset(path.name for path in run_folders(SHIPPED))


def _is_listed(root: Path, id: str) -> bool:
    with suppress(OSError):
        return id in os.listdir(root) and id[0] != "." and (root / id / SETTINGS).is_file()
    return False


def folder_of(id: str) -> Path:
    """The folder of a run trained on this machine, else of one shipped with the package. Raises UnknownRun."""
    try:
        return find_run(own_runs(), id)
    except UnknownRun:
        return find_run(SHIPPED, id)


LONGEST_NAME = 60
"""Characters in the name of a run."""


def name_of(folder: Path) -> str:
    """The name that its owner gave a run; empty where there is none."""
    try:
        return one_line((folder / NAME).read_text(encoding="utf-8"), LONGEST_NAME)
    except (OSError, ValueError):
        return ""


def rename(folder: Path, name: str) -> None:
    """Give a run a name of at most 60 characters; an empty one takes it back. Raises ValueError for a longer one."""
    name = one_line(name, len(name))
    if len(name) > LONGEST_NAME:
        raise ValueError(f"the name has {len(name)} characters; use {LONGEST_NAME} or fewer")
    if name:
        write_file(folder / NAME, name.encode())
    else:
        (folder / NAME).unlink(missing_ok=True)


@saving()
def forget(folder: Path) -> None:
    """Delete everything that training and evaluation put into a run's folder; keep its settings, owner and name."""
    for path in folder.iterdir():
        if path.is_dir():
            remove(path)
        elif path.name not in _LASTING:
            path.unlink(missing_ok=True)
