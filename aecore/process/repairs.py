"""Whole sets of noisy pictures that visitors bring, repaired by a run outside the server."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from aecore.data.pictures import InputRejected, Picture, Reader
from aecore.data.sources import Bounds, Source, as_picture, opened
from aecore.files import remove
from aecore.process.arrivals import MEMORY, about_of, bounds_of, folder_of
from aecore.process.jobs import shown_folder
from aecore.process.tasks import Progress, task

_RESULT = "repaired.zip"


@task(1, memory=MEMORY)
def repaired(key: str, run: str, stamp: str, invert: bool, progress: Progress) -> list[np.ndarray]:
    """Repair what arrived under this key with a run; see `told` and `result`. What arrived is gone afterwards."""
    from aecore.measure.repair import repair_all
    from aecore.store import store_at

    folder, about = folder_of(key), about_of(key)
    checkpoint = store_at(shown_folder(run)).load(run)
    entries = []
    bounds, path = bounds_of(about["owner"]), Path(about["path"])
    with (
        opened(path, bounds) as source,
        Reader(checkpoint.network.shape, invert) as reader,
        (folder / _RESULT).open("wb") as out,
    ):
        for entry in repair_all(_read(source, reader, bounds), checkpoint, out):
            entries.append(entry)
            progress(len(entries), source.count or len(entries) + 1)
    if path.is_relative_to(folder):
        remove(path)
    return [np.frombuffer(json.dumps(entries).encode(), np.uint8)]


def told(answer: list[np.ndarray]) -> list[tuple[str, str | None]]:
    """(name, None) for every picture that was repaired and (name, the reason) for every one that was not."""
    return [(name, reason) for name, reason in json.loads(answer[0].tobytes())]


def result(key: str) -> bytes:
    """The repaired pictures as a zip of PNG files. Raises InputRejected when they are not kept any more."""
    try:
        return (folder_of(key) / _RESULT).read_bytes()
    except FileNotFoundError as error:
        raise InputRejected("These pictures are no longer here; upload them again.") from error


def _read(source: Source, reader: Reader, bounds: Bounds) -> Iterator[tuple[str, Picture | InputRejected]]:
    pixels = 0
    for item in source.items():
        try:
            if item.problem:
                raise InputRejected(item.problem)
            picture = reader.read(as_picture(item))
        except InputRejected as error:
            yield item.id, error
            continue
        pixels += picture.width * picture.height
        bounds.check_pixels(pixels)
        yield item.id, picture
