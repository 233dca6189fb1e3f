"""A run's folder: where it is, and which of its files is what. No other module knows a name of them."""

from pathlib import Path

from aecore.files import home, remove

SETTINGS = "run.json"
SNAPSHOTS = "snapshots"
"""Folders, each a trained state."""
EVALUATION = "evaluation.json"
MOMENTS, NEWEST = "moments", "live.safetensors"
"""What a training looked like, for good, and at this time."""
PROGRESS, INBOX, LOG = "progress.json", "orders.txt", "log.txt"
"""What its process reports, what it is told, and what it prints."""
LOCK, MEASURING, MEASURER = "lock", "measuring", "measuring.pid"
"""Locks that a training and an evaluation hold, and the process of the latter."""
OWNER, WATCHED = "owner", "watched"
"""Whose run it is, and when somebody looked at it last."""
QUEUE = ".queue"
"""A folder beside the runs, with a ticket for each that waits or trains."""

SHIPPED = Path(__file__).parent / "showcase"
"""The folder of the runs that come with the package."""

_LASTING = {SETTINGS, OWNER, LOCK, MEASURING, MEASURER, LOG, INBOX, PROGRESS}


class UnknownRun(KeyError):
    """No run has this id."""

    def __str__(self) -> str:
        return str(self.args[0])


def own_runs() -> Path:
    """The folder of the runs that are trained here."""
    return home() / "runs"


def run_folders(root: Path) -> list[Path]:
    """The folders below root that hold a run's settings."""
    if not root.is_dir():
        return []
    return [path for path in sorted(root.iterdir()) if path.name[0] != "." and (path / SETTINGS).is_file()]


def find_run(root: Path, id: str) -> Path:
    """The folder of a run. Ids are compared with the listing, never joined into a path. Raises UnknownRun."""
    for path in run_folders(root):
        if path.name == id:
            return path
    raise UnknownRun(f"there is no run {str(id)[:80]!r}; `python -m aecore runs` lists what is there")


def folder_of(id: str) -> Path:
    """The folder of a run that is trained here, else of one that comes with the package. Raises UnknownRun."""
    try:
        return find_run(own_runs(), id)
    except UnknownRun:
        return find_run(SHIPPED, id)


def forget(folder: Path) -> None:
    """Take from a run's folder all that training and evaluation put there; its settings and its owner stay."""
    for path in folder.iterdir():
        if path.is_dir():
            remove(path)
        elif path.name not in _LASTING:
            path.unlink(missing_ok=True)
