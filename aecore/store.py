"""The store: runs as folders of plain files."""

import hashlib
import json
import lzma
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from aecore.data import revision
from aecore.files import remove, saving, write_file, write_folder
from aecore.folders import SETTINGS, SHIPPED, SNAPSHOTS, find_run, own_runs, run_folders
from aecore.runs import Checkpoint, Run, id_of

SCHEMA = 1
INTEGERS = (torch.int8, torch.int16)
SMALL = 2**16
"""Weights of a matrix that are worth 16 bits where it has more inputs than outputs: many numbers pass through few. With
8 bits in such a matrix, of 512 x 128, the MSE of the map of clothes was .0258 instead of .0238.
"""


class DamagedRun(RuntimeError):
    """A run folder that does not match its manifest."""


class NewerRun(DamagedRun):
    """A run that a newer version wrote: sound, but not for this one."""


class Store:
    """A folder of runs, each a folder of plain files.

        fashion_mnist-vae-1f3a9c2e/run.json                      the settings
        fashion_mnist-vae-1f3a9c2e/snapshots/000000012-8c1f.../  weights.safetensors, training.safetensors,
                                                                 history.json, manifest.json with their SHA-256

    A snapshot appears whole or not at all: written aside, flushed to disk, renamed. Its name counts the saves and ends
    in the hash of its manifest, so everything in it can be verified.
    """

    def __init__(self, folder: Path | str | None = None, read_only: bool = False) -> None:
        self.folder = Path(folder) if folder else own_runs()
        self.read_only = read_only

    def ids(self) -> list[str]:
        """Ids of the runs that have at least one snapshot, newest first."""
        saved = {path.name: _saved_at(path) for path in run_folders(self.folder) if _snapshots(path)}
        return sorted(saved, key=saved.__getitem__, reverse=True)

    @saving()
    def create(self, run: Run) -> Path:
        """The folder of a run; a new one is created with the settings in it."""
        self._check_writable()
        path = self.folder / run.id
        if not (path / SETTINGS).exists():
            path.mkdir(parents=True, exist_ok=True)
            write_file(path / SETTINGS, json.dumps(run.to_dict(), indent=2).encode())
        return path

    def run(self, id: str) -> Run:
        """The settings of a run. Raises KeyError for an unknown id, DamagedRun for a file that is not settings."""
        path = self.path(id)
        try:
            settings = json.loads((path / SETTINGS).read_bytes())
            if id_of(settings) != id:
                raise ValueError(f"they belong to {id_of(settings)}")
            return _known(settings, id)
        except (ValueError, TypeError, LookupError, AttributeError, OSError, RecursionError) as error:
            raise DamagedRun(
                f"run {id!r} has unreadable settings ({error}); delete its folder or restore its run.json"
            ) from error

    def path(self, id: str) -> Path:
        """The folder of a known run; ids are looked up in the listing, never joined into a path."""
        return find_run(self.folder, id)

    def save(self, checkpoint: Checkpoint, compact: bool = False) -> str:
        """Save a checkpoint; returns its stamp. The previous snapshot stays until this one is safe on disk.

        `compact` saves weights as integers, in weights.xz, and no training state: a fifth of the size, for viewing
        only; training cannot continue from it.
        """
        path = self.create(checkpoint.run)
        weights = checkpoint.network.state_dict()
        files = {"history.json": json.dumps(checkpoint.history, indent=1).encode()}
        if compact:
            files["weights.xz"] = lzma.compress(safetensors.torch.save(_packed(weights)), preset=9)
        else:
            files["weights.safetensors"] = safetensors.torch.save(weights)
            files["training.safetensors"] = safetensors.torch.save(dict(checkpoint.state))
        manifest = {
            "schema": SCHEMA,
            "shape": list(checkpoint.network.shape),
            "step": checkpoint.step,
            "steps": checkpoint.steps,
            "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        }
        files["manifest.json"] = json.dumps(manifest, indent=1).encode()
        digest = hashlib.sha256(files["manifest.json"]).hexdigest()[:12]
        found = _snapshots(path)
        if not (found and found[-1].name.endswith(digest) and _holds(found[-1], files)):
            serial = int(found[-1].name.partition("-")[0]) + 1 if found else 1
            write_folder(path / SNAPSHOTS / f"{serial:09d}-{digest}", files)
            for old in found:
                remove(old)
        return _snapshots(path)[-1].name

    def stamp(self, id: str) -> str:
        """The name of a run's newest snapshot; it changes when the run's content does."""
        found = _snapshots(self.path(id))
        if not found:
            raise DamagedRun(f"run {id!r} has no snapshot yet; the first appears a few seconds after training starts")
        return found[-1].name

    def state(self, id: str) -> str:
        """The stamp, and the revision of the set: it changes when what a run makes of its images may."""
        if self.read_only:  # neither a run that comes with the package nor its set ever changes
            return _lasting_stamp(self.folder, id)
        number = revision(self.run(id).dataset)
        return self.stamp(id) if number == 1 else f"{self.stamp(id)}-{number}"

    def load(self, id: str, training: bool = False) -> Checkpoint:
        """The newest intact snapshot of a run; `training` also loads what is needed to continue training.

        Raises KeyError for an unknown id and DamagedRun when no snapshot is intact.
        """
        run, path = self.run(id), self.path(id)
        for _ in range(10):
            found = _snapshots(path)
            problem: Exception | None = None
            for snapshot in reversed(found):
                try:
                    return _read(snapshot, run, training)
                except (DamagedRun, OSError) as error:
                    problem = problem or error
            if _snapshots(path) == found:  # otherwise a training replaced the snapshot while it was read
                break
        if not found:
            raise DamagedRun(f"run {id!r} has no snapshot yet; the first appears a few seconds after training starts")
        if isinstance(problem, NewerRun):
            raise NewerRun(f"run {id!r} cannot be read: {problem}; update this app") from problem
        raise DamagedRun(f"run {id!r} is damaged: {problem}; delete it and train again") from problem

    def delete(self, id: str) -> None:
        """Delete a run permanently."""
        self._check_writable()
        remove(self.path(id))

    def _check_writable(self) -> None:
        if self.read_only:
            raise PermissionError(f"the runs in {self.folder.name} are read-only; save into a Store() of your own")


def showcase() -> Store:
    """The trained runs that come with the package, read-only."""
    return Store(SHIPPED, read_only=True)


def store_at(folder: Path) -> Store:
    """The store that the folder of a run belongs to; the shipped one is read-only."""
    return Store(folder.parent, read_only=folder.parent == SHIPPED)


@cache
def _lasting_stamp(folder: Path, id: str) -> str:
    return Store(folder).stamp(id)


def _known(settings: Mapping[str, Any], id: str) -> Run:
    """The run with these settings, which are those of its id; where they are impossible here, another version's."""
    try:
        return Run.from_file(settings)
    except (ValueError, TypeError, LookupError) as error:
        raise NewerRun(
            f"run {id!r} has settings that this version does not know ({error}); a newer one may have made it: update "
            "this app"
        ) from error


def _snapshots(path: Path) -> list[Path]:
    folder = path / SNAPSHOTS
    try:
        return sorted(entry for entry in folder.iterdir() if re.fullmatch(r"\d{9,}-[0-9a-f]{12}", entry.name))
    except FileNotFoundError:
        return []


def _saved_at(path: Path) -> int:
    try:
        return (path / SNAPSHOTS).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _holds(snapshot: Path, files: Mapping[str, bytes]) -> bool:
    try:
        return all((snapshot / name).read_bytes() == content for name, content in files.items())
    except OSError:
        return False


def _read(snapshot: Path, run: Run, training: bool) -> Checkpoint:
    try:
        written = (snapshot / "manifest.json").read_bytes()
        if not snapshot.name.endswith(hashlib.sha256(written).hexdigest()[:12]):
            raise DamagedRun("manifest.json does not match its checksum")
        manifest = json.loads(written)
        if manifest["schema"] > SCHEMA:
            raise NewerRun(f"a newer version wrote it (schema {manifest['schema']}; this version reads {SCHEMA})")
        shape, step, steps = tuple(manifest["shape"]), int(manifest["step"]), int(manifest["steps"])
        content = {}
        if training and "training.safetensors" not in manifest["sha256"]:
            raise DamagedRun("it was saved without its training state; train it again from the start")
        stored = "weights.xz" if "weights.xz" in manifest["sha256"] else "weights.safetensors"
        for name in (stored, "history.json", *(["training.safetensors"] if training else [])):
            content[name] = (snapshot / name).read_bytes()
            if hashlib.sha256(content[name]).hexdigest() != manifest["sha256"][name]:
                raise DamagedRun(f"{name} does not match its checksum")
        history = tuple(json.loads(content["history.json"]))
        network = run.build(shape)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise DamagedRun(f"{snapshot.name} is unreadable ({error})") from error
    packed = content[stored]
    weights = _unpacked(read_tensors(_inflated(packed) if stored == "weights.xz" else packed))
    if _form(weights) != _form(network.state_dict()):
        raise DamagedRun("the weights do not match the settings")
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise DamagedRun("the weights contain NaN or infinity")
    network.load_state_dict(weights)
    state = read_tensors(content["training.safetensors"]) if training else {}
    return Checkpoint(run, network, history, step, steps, state)


def _packed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices as integers with a scale per output, small ones that narrow of 16 bits, others of 8; the rest as is."""
    packed = {}
    for name, weight in weights.items():
        if weight.ndim < 2:
            packed[name] = weight
            continue
        narrowing = len(weight) < weight[0].numel()
        kind = torch.int16 if narrowing and weight.numel() <= SMALL else torch.int8
        scale = weight.flatten(1).abs().amax(dim=1).clamp(min=1e-12) / torch.iinfo(kind).max
        packed[name] = (weight / _along(scale, weight)).round().to(kind)
        packed[f"{name}.scale"] = scale
    return packed


def _inflated(content: bytes, most: int = 2**28) -> bytes:
    """What xz made smaller; raises DamagedRun for anything else and for more than `most` bytes."""
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=2**28)
    try:
        found = stream.decompress(content, most)
    except lzma.LZMAError as error:
        raise DamagedRun(f"the weights cannot be unpacked ({error})") from error
    if not stream.eof:
        raise DamagedRun(f"the weights are cut off or larger than {most // 2**20} MiB")
    return found


def _unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `_packed` made, as float32 again; other tensors as they are."""
    weights = {}
    for name, tensor in tensors.items():
        scale = tensors.get(f"{name}.scale")
        if scale is None:
            weights[name] = tensor
        elif tensor.dtype not in INTEGERS or scale.shape != tensor.shape[:1]:
            raise DamagedRun(f"the scale of {name} does not match")
        else:
            weights[name] = tensor * _along(scale, tensor)
    return {name: weight for name, weight in weights.items() if not name.endswith(".scale")}


def _along(scale: Tensor, weight: Tensor) -> Tensor:
    return scale.view(-1, *[1] * (weight.ndim - 1))


def _form(tensors: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}


def read_tensors(content: bytes) -> dict[str, Tensor]:
    """The tensors of a safetensors file; raises DamagedRun when the header is oversized or the file is invalid."""
    if int.from_bytes(content[:8], "little") > 2**20:
        raise DamagedRun("the header of the weights is larger than 1 MiB")
    try:
        return safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise DamagedRun(f"the weights are unreadable ({error})") from error
