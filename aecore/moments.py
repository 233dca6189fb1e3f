"""Moments: what a network had learned at about twenty points of its training, small enough to save and replay."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.numpy

from aecore.files import write_file
from aecore.folders import MOMENTS, NEWEST
from aecore.manifold import bounds, plane
from aecore.pixels import to_bytes

if TYPE_CHECKING:
    from aecore.data import Dataset, Split
    from aecore.runs import Checkpoint

COUNT = 20
PROBES = 400
"""Number of test images saved with their places on the map."""
SHOWN = 8
"""Number of test images saved with their reconstructions."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What a network in training makes of the first test images.

    places (p, 2) float32: where the first 400 lie, by their code or its two principal components.
    rebuilt (8, c, h, w) uint8: the reconstructions of the first 8.
    """

    step: int
    epoch: float
    places: np.ndarray
    rebuilt: np.ndarray


def moment_steps(steps: int) -> set[int]:
    """About twenty of the steps 0 to `steps`, both ends included, further and further apart: most is learned early."""
    spread = np.geomspace(1, max(steps, 1), COUNT - 1).round().astype(int)
    return {0, steps, *(step for step in spread.tolist() if step <= steps)}


def moment_of(checkpoint: "Checkpoint", split: "Split") -> Moment:
    """What a checkpoint makes of the first images of a split."""
    codes = checkpoint.encode(split.images[:PROBES])
    rebuilt = to_bytes(checkpoint.decode(codes[:SHOWN]))
    return Moment(checkpoint.step, checkpoint.epoch, plane(codes).astype(np.float32), rebuilt)


def show(folder: Path, moment: Moment) -> None:
    """Write a run's newest moment into its folder, replacing the previous one."""
    write_file(folder / NEWEST, _content(moment), durable=False)


def keep(folder: Path, moment: Moment) -> None:
    """Write a moment of a run into its folder, permanently."""
    (folder / MOMENTS).mkdir(exist_ok=True)
    write_file(folder / MOMENTS / f"{moment.step:09d}.safetensors", _content(moment))


def kept(folder: Path) -> list[Moment]:
    """All moments of a run in order, the newest included; unreadable ones are left out."""
    paths = [*sorted((folder / MOMENTS).glob("[0-9]*.safetensors")), folder / NEWEST]
    found = {moment.step: moment for path in paths if (moment := _read(path))}
    return [found[step] for step in sorted(found)]


def replay(folder: Path, until: int) -> list[Moment]:
    """The kept moments of a run up to the step `until`, each map turned to fit the next."""
    moments = [moment for moment in kept(folder) if moment.step <= until]
    maps = aligned([moment.places for moment in moments])
    return [replace(moment, places=places) for moment, places in zip(moments, maps, strict=True)]


def groups(dataset: "Dataset", count: int) -> tuple[str, list[Any]]:
    """What colors the map of the first test images, and its value for each: the class, else the first factor."""
    if dataset.classes:
        return "class", [dataset.classes[label] for label in dataset.test.labels[:count]]
    for factor, values in dataset.test.factors.items():
        return factor, values[:count].tolist()
    return "image", ["image"] * count


def film(moments: Sequence[Moment], dataset: "Dataset") -> bytes:
    """The moments of a training as an animated GIF."""
    from aecore import figures

    maps, images = [moment.places for moment in moments], dataset.test.images
    strips = [figures.pair(images[: len(moment.rebuilt)], moment.rebuilt) for moment in moments]
    captions = [f"epoch {moment.epoch:g}, batch {moment.step:,}" for moment in moments]
    return figures.film(maps, bounds(np.concatenate(maps)), groups(dataset, len(maps[0]))[1], strips, captions)


def newest(folder: Path) -> Moment | None:
    """The newest moment of a training, or None."""
    return _read(folder / NEWEST)


def aligned(maps: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Maps (p, 2) of the same images, each centered and scaled to spread 1, then turned and flipped to fit the next.

    What still moves from map to map is learning. The last map keeps its orientation. Orthogonal Procrustes;
    Schoenemann 1966, https://doi.org/10.1007/BF02289451
    """
    centered = [places - places.mean(axis=0) for places in maps]
    centered = [places / max(np.sqrt(np.square(places).sum(axis=1).mean()), 1e-12) for places in centered]
    for place in range(len(centered) - 2, -1, -1):
        left, _, right = np.linalg.svd(centered[place].T @ centered[place + 1])
        centered[place] = centered[place] @ (left @ right)
    return centered


def _content(moment: Moment) -> bytes:
    when = np.array([moment.step, moment.epoch], np.float64)
    return safetensors.numpy.save({"when": when, "places": moment.places, "rebuilt": moment.rebuilt})


def _read(path: Path) -> Moment | None:
    try:
        arrays = safetensors.numpy.load(path.read_bytes())
        step, epoch = arrays["when"].tolist()
        moment = Moment(int(step), epoch, arrays["places"], arrays["rebuilt"])
    except (OSError, ValueError, KeyError, AttributeError, safetensors.SafetensorError):
        return None
    fits = moment.places.shape[1:] == (2,) and moment.rebuilt.ndim == 4 and moment.rebuilt.dtype == np.uint8
    return moment if fits and np.isfinite(moment.places).all() else None
