"""What runs and filters make of corrupted images: over many images, over and over, and for whole sets of files."""

import zipfile
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import PurePosixPath
from typing import IO

import numpy as np

from aecore.data import Dataset
from aecore.data.pictures import InputRejected, Picture
from aecore.measure.filters import filters
from aecore.measure.metrics import psnr
from aecore.noise import corrupt
from aecore.pixels import png
from aecore.runs import Checkpoint, Run

COUNT = 300
NOTHING = "doing nothing"
LEVELS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)

Score = dict[str, float]
"""mean: PSNR in dB over the images; error: half of the interval that holds the mean with 95%."""


def repaired_by_run(
    checkpoint: Checkpoint, dataset: Dataset, kind: str, level: float, clip: bool = True, seed: int = 0
) -> Score:
    """PSNR of a run's repairs of the first 300 test images."""
    clean, noisy = _corrupted(dataset, kind, level, clip, seed)
    return _score(clean, checkpoint.reconstruct(noisy))


def repaired_by_filters(
    dataset: Dataset, kind: str, level: float, clip: bool = True, seed: int = 0
) -> dict[str, Score]:
    """The same of what needs no network, by name, doing nothing included."""
    clean, noisy = _corrupted(dataset, kind, level, clip, seed)
    found = {NOTHING: noisy} | filters(noisy, dataset, kind, level, clip)
    return {name: _score(clean, restored) for name, restored in found.items()}


def _corrupted(dataset: Dataset, kind: str, level: float, clip: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    clean = dataset.test.images[:COUNT]
    return clean, corrupt(clean, kind, level, seed, clip)


def _score(clean: np.ndarray, restored: np.ndarray) -> Score:
    each = psnr(clean, restored)
    return {"mean": float(each.mean()), "error": float(1.96 * each.std() / np.sqrt(len(each)))}


def trained_on(run: Run) -> tuple[str, float] | None:
    """Kind and highest level of the noise that a run was trained to remove; None when that was not its task."""
    settings = run.to_dict()["model"]
    return (settings["noise"], settings["level"]) if "noise" in settings else None


def again(checkpoint: Checkpoint, image: np.ndarray, times: int) -> tuple[np.ndarray, np.ndarray]:
    """Apply a run to an image (c, h, w) over and over -> (images (times + 1, c, h, w), step lengths (times,)).

    The first image is the one given; a step's length is the root of its mean square over the pixels.
    """
    images = [image[None]]
    for _ in range(times):
        images.append(checkpoint.reconstruct(images[-1]))
    walk = np.concatenate(images)
    return walk, np.sqrt(np.square(walk[1:] - walk[:-1]).mean(axis=(1, 2, 3)))


def repair_all(
    pictures: Iterable[tuple[str, Picture | InputRejected]], checkpoint: Checkpoint, out: IO[bytes], batch: int = 64
) -> Iterator[tuple[str, str | None]]:
    """Repair named pictures, as `pictures.unpack` gives them, into a zip of PNG files; one batch at a time in memory.

    Yields (name, None) for a picture that was taken and (name, the reason) for one that was not.
    """
    waiting: list[tuple[str, Picture]] = []
    taken: set[str] = set()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:

        def write() -> None:
            restored = checkpoint.reconstruct(np.stack([picture.pixels for _, picture in waiting]))
            for (name, _), image in zip(waiting, restored, strict=True):
                archive.writestr(name, png(image))
            waiting.clear()

        for name, picture in pictures:
            if isinstance(picture, InputRejected):
                yield name, str(picture)
                continue
            waiting.append((_free_name(name, taken), picture))
            if len(waiting) == batch:
                write()
            yield name, None
        if waiting:
            write()


def _free_name(name: str, taken: set[str]) -> str:
    """The name as a PNG's, with a number where another picture has it already; adds it to those that are taken."""
    path = PurePosixPath(name.replace("\\", "/")).with_suffix("")
    target = next(
        target for number in count(1) if (target := f"{path}{'' if number == 1 else f' ({number})'}.png") not in taken
    )
    taken.add(target)
    return target
