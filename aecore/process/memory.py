"""How much memory is free here: on the machine, and in the container that this process may be in."""

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

SCARCE = 100.0
"""Megabytes below which nothing new is begun."""

SPARED = 250.0
"""Megabytes that what only saves time leaves free, for the pages that visitors will open."""

_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def free() -> float:
    """Megabytes that programs may still take; infinity where the system does not say."""
    return min([math.inf, *_machine(), *_containers()]) / 2**20


def to_spare() -> float:
    """Megabytes that one process may take for what only saves time."""
    return max(0.0, free() - SPARED) / 4


def scarce() -> bool:
    """Whether so little is left that nothing new should be begun."""
    return free() < SCARCE


def own() -> float:
    """Megabytes of this process that are not files, even if shared with others; 0 where the system does not say."""
    with suppress(OSError, ValueError, IndexError):
        return int((_PROC / "self" / "status").read_text().split("RssAnon:")[1].split()[0]) / 1024
    return 0.0


def _machine() -> Iterator[int]:
    with suppress(OSError, ValueError, IndexError):
        yield int((_PROC / "meminfo").read_text().split("MemAvailable:")[1].split()[0]) * 1024


def _containers() -> Iterator[int]:
    """Of the groups of processes that this one is in, each with a limit for all in it: by version 2 and version 1."""
    with suppress(OSError):
        for line in (_PROC / "self" / "cgroup").read_text().splitlines():
            number, kinds, path = line.split(":", 2)
            if number == "0":
                names, total, root = ("memory.max", "memory.current"), "", _GROUPS
            elif "memory" in kinds.split(","):
                names, total = ("memory.limit_in_bytes", "memory.usage_in_bytes"), "total_"
                root = _GROUPS / "memory"
            else:
                continue
            for group in {root, root / path.strip("/")}:  # in a container, its own group is often the root
                with suppress(OSError, ValueError, KeyError):
                    limit, used = (int((group / name).read_text()) for name in names)
                    stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
                    idle, busy = (int(stat[f"{total}{kind}_file"]) for kind in ("inactive", "active"))
                    yield limit - used + idle + busy // 2  # as the system reckons what is available
