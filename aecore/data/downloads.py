"""What a dataset downloads, and how: the exact bytes, from one mirror or the next, in bounded time."""

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ANSWER, SILENCE = 4.0, 20.0
"""Seconds that a mirror has to answer, and that it may be silent afterward."""
SECONDS, SLOWEST = 120.0, 220_000
"""Seconds that one file may take; a large file gets as many as it needs at the slowest speed, in bytes per second."""

Progress = Callable[[int, int], Any]
"""Called with the amount done and the total."""


class Unavailable(RuntimeError):
    """The images of a dataset are missing and cannot be downloaded; the message says what to do."""


@dataclass(frozen=True)
class RemoteFile:
    """A published file: its name, its exact size in bytes and its SHA-256 in hexadecimal."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Download:
    """The files of a dataset, cached in its folder once a mirror has provided their exact bytes.

    `folder_variable`: an environment variable that may name a folder with the files instead; there, a file x.gz may
    also be unpacked as x. `mirrors`: addresses, tried in turn, to which a file's name is appended.
    """

    folder_variable: str
    files: tuple[RemoteFile, ...]
    mirrors: tuple[str, ...]

    @property
    def size(self) -> str:
        """For people, such as "31 MB"; rounded up."""
        return f"{math.ceil(self._total / 1e6)} MB"

    @property
    def _total(self) -> int:
        return sum(file.bytes for file in self.files)

    def is_here(self, dataset: str) -> bool:
        """Whether the files of this dataset need no download."""
        if os.environ.get(self.folder_variable):
            return True
        folder = cache_folder(dataset)
        return all((folder / file.name).is_file() for file in self.files)

    def paths(self, dataset: str, progress: Progress | None = None) -> dict[str, Path]:
        """Paths of the files by name, downloaded if not cached; progress gets the bytes so far and the total.

        Raises Unavailable when a file is missing from the folder that the variable names, or no mirror provides it.
        """
        folder = os.environ.get(self.folder_variable)
        return self._found(dataset, Path(folder)) if folder else self._fetched(dataset, progress)

    def _found(self, dataset: str, folder: Path) -> dict[str, Path]:
        paths = {}
        for file in self.files:
            found = [path for path in (folder / file.name, folder / file.name.removesuffix(".gz")) if path.is_file()]
            if not found:
                raise Unavailable(
                    f"{self.folder_variable} is {str(folder)!r}, but that folder has no {file.name}: put the files of "
                    f"{dataset} there, or unset the variable to download them"
                )
            paths[file.name] = found[0]
        return paths

    def _fetched(self, dataset: str, progress: Progress | None) -> dict[str, Path]:
        folder, before, paths = cache_folder(dataset), 0, {}
        for file in self.files:
            tell = lambda done, start=before: progress and progress(start + done, self._total)  # noqa: E731
            if problems := self._ask_mirrors(file, folder, tell):
                raise Unavailable(
                    f"The images of {dataset} are missing and could not be downloaded. Connect to the internet and "
                    f"try again, or put their files ({', '.join(file.name for file in self.files)}) into a folder and "
                    f"set {self.folder_variable} to its path. (Tried {'; '.join(problems)}.)"
                )
            before += file.bytes
            paths[file.name] = folder / file.name
        return paths

    def _ask_mirrors(self, file: RemoteFile, folder: Path, tell: Callable[[int], Any]) -> list[str]:
        """Download a file, unless it is there to the exact byte; what every mirror did wrong, or nothing."""
        import pooch

        pooch.get_logger().setLevel("WARNING")
        problems = []
        for mirror in self.mirrors:
            url, known, limited = f"{mirror}{file.name}", f"sha256:{file.sha256}", _Limited(file.bytes, tell)
            try:
                pooch.retrieve(url, known, file.name, folder, downloader=limited)
            except Exception as error:  # whatever a mirror does wrong, the next one is tried
                problems.append(f"{mirror.split('/')[2]}: {type(error).__name__}")
            else:
                return []
        return problems


def cache_folder(dataset: str) -> Path:
    """Where the files of a dataset are cached: in AECORE_CACHE, or the system's cache folder."""
    import pooch

    return Path(os.environ.get("AECORE_CACHE") or pooch.os_cache("aecore")) / dataset


class _Limited:
    """A pooch downloader with limits on the time to answer, on silence, on the total time, and on bytes."""

    def __init__(self, size: int, progress: Callable[[int], Any]) -> None:
        self.size, self.progress = size, progress
        self.seconds = max(SECONDS, size / SLOWEST)

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        import requests

        deadline = time.monotonic() + self.seconds
        reply: list[requests.Response | Exception] = []

        def ask() -> None:
            try:
                plain = {"Accept-Encoding": "identity"}
                reply.append(requests.get(url, stream=True, timeout=(ANSWER, SILENCE), headers=plain))
            except Exception as error:
                reply.append(error)

        # Name look-up and several addresses each have waits of their own: only a thread can be left behind in time.
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(ANSWER)
        if not reply:
            raise TimeoutError(f"no answer within {ANSWER:g} s")
        if isinstance(reply[0], Exception):
            raise reply[0]
        done = 0
        with reply[0] as response, Path(output_file).open("wb") as file:
            response.raise_for_status()
            while chunk := response.raw.read1(2**16):  # what is there, so that a trickle meets the deadline
                done += len(chunk)
                if done > self.size or time.monotonic() > deadline:
                    raise OSError(f"{url} is too large or too slow")
                file.write(chunk)
                self.progress(done)
