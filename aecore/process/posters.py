"""Posters that a page asks for, drawn outside the server.

The browser on this machine sees what the visitor who asks sees, no more: it comes with their secret, and says that it
is not the owner's. What is asked waits in a folder that only this account can read, and is gone once it was read.
"""

import json
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from aecore.files import home, remove, saving, write_file
from aecore.poster import poster
from aecore.process.tasks import Progress, Task, task

AS_VISITOR = "aecore-poster"
"""The cookie of a browser that draws for somebody who is not the owner, and is not taken for the owner's."""
KEPT = 86_400.0
"""Seconds after which what was asked and never begun is forgotten."""
_ASKED = "poster.json"


@saving()
def order(address: str, form: str, dark: bool, cookies: dict[str, str]) -> Task:
    """The task of drawing a page of the server on this machine; see `aecore.poster.poster` for the arguments."""
    for folder in _root().iterdir() if _root().is_dir() else ():
        with suppress(OSError):
            if folder.is_dir() and time.time() - folder.stat().st_mtime > KEPT:
                remove(folder)
    key = secrets.token_hex(16)
    _root().mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = _root() / key
    folder.mkdir(mode=0o700)
    asked = {"address": address, "form": form, "dark": dark, "cookies": cookies}
    write_file(folder / _ASKED, json.dumps(asked).encode(), durable=False)
    return drawn_poster(key)


@task(1, queued=False)
def drawn_poster(key: str, progress: Progress) -> list[np.ndarray]:
    """The file that was asked for under this key, its bytes as an array (n,) uint8.

    It has a queue of its own: a page that is drawn may wait for other tasks.
    """
    asked = _taken(key)
    with filelock.FileLock(_root() / "turn.lock"):  # one browser at a time: each takes some hundred megabytes
        content = poster(asked["address"], asked["form"], asked["dark"], asked["cookies"], progress)
    return [np.frombuffer(content, np.uint8)]


def _taken(key: str) -> dict[str, Any]:
    if not re.fullmatch(r"[0-9a-f]{32}", key):
        raise ValueError(f"there is no poster {key[:40]!r}")
    try:
        asked = json.loads((_root() / key / _ASKED).read_bytes())
    except FileNotFoundError:
        raise ValueError("this poster was asked for long ago; ask again") from None
    remove(_root() / key)
    return asked


def _root() -> Path:
    return home() / "posters"
