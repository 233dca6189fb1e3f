"""How much memory is free here: on the machine, and in the container that this process may be in."""

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

SCARCE = 100.0
"""Megabytes below which nothing new is begun."""

_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def free() -> float:
    """Megabytes that programs may still take; infinity where the system does not say."""
    return min([math.inf, *_machine(), *_containers()]) / 2**20


def scarce() -> bool:
    """Whether so little is left that nothing new should be begun."""
    return free() < SCARCE


def _machine() -> Iterator[int]:
    with suppress(OSError, ValueError, IndexError):
        yield int((_PROC / "meminfo").read_text().split("MemAvailable:")[1].split()[0]) * 1024


def _containers() -> Iterator[int]:
    """Of the groups of processes that this one is in, each with a limit for all in it: by version 2 and version 1."""
    with suppress(OSError):
        for line in (_PROC / "self" / "cgroup").read_text().splitlines():
            number, kinds, path = line.split(":", 2)
            if number == "0":
                names, root = ("memory.max", "memory.current", "inactive_file"), _GROUPS
            elif "memory" in kinds.split(","):
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
                root = _GROUPS / "memory"
            else:
                continue
            for group in {root, root / path.strip("/")}:  # in a container, its own group is often the root
                with suppress(OSError, ValueError, IndexError):
                    limit, used = (int((group / name).read_text()) for name in names[:2])
                    files = int((group / "memory.stat").read_text().split(f"{names[2]} ")[1].split()[0])
                    yield limit - used + files
