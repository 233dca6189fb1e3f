"""A run (settings), a checkpoint (what training reached), and the store that keeps them as plain files."""

import dataclasses
import hashlib
import json
import lzma
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from aecore.files import find_run, home, remove, run_folders, write_file, write_folder
from aecore.models import DISTANCES, FLAVORS, Flavor, check_knobs, gaussian_kl, knob, posterior
from aecore.networks import NETWORKS, Autoencoder, Shape

SCHEMA = 1
LARGEST = 1e4
"""What goes into a network is held within this, so that no float, however large, becomes inf or nan on its way."""


@dataclass(frozen=True)
class Run:
    """All settings of one training. Equal settings have equal ids and, on one machine, give equal weights."""

    dataset: str
    model: Flavor
    network: str = knob(
        "dense",
        choices=tuple(NETWORKS),
        help="dense: all pixels at once; conv: the same small filters everywhere; shallow: one layer each way; "
        "edges: one layer on fixed edge filters, for codes by which to find and to classify.",
    )
    width: int = knob(1024, low=32, high=4096, help="Units of a hidden layer; 32 times the channels of a convolution.")
    loss: str = knob("mse", choices=tuple(DISTANCES), help="What reconstruction costs: squared error, or Bernoulli KL.")
    epochs: int = knob(10, low=1, high=1000, help="How often every training image is seen.")
    batch_size: int = knob(128, low=1, high=4096, help="Images per step.")
    lr: float = knob(1e-3, low=1e-6, high=1.0, log=True, help="Highest step size; it rises, then falls to zero.")
    seed: int = knob(0, low=0, high=2**31 - 1, help="Decides the first weights, the order and the noise.")

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]{1,64}", self.dataset):
            raise ValueError(f"dataset is {self.dataset!r}; a name has lower-case letters, digits and underscores")
        check_knobs(self)

    @property
    def id(self) -> str:
        """Readable and unique, such as "fashion_mnist-sparse-1f3a9c2e"."""
        return _id_of(self.to_dict())

    @property
    def title(self) -> str:
        """A short name for people, such as "Fashion mnist, sparse 128, seed 3, 1f3a"; its end tells namesakes apart."""
        words = [self.dataset.replace("_", " ").capitalize(), f"{self.model.name} {self.model.latent}"]
        words += [] if self.network == "dense" else [self.network]
        words += [f"seed {self.seed}"] if self.seed else []
        return ", ".join([*words, self.id[-4:]])

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain values, ready for JSON."""
        settings = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return settings | {"model": {"flavor": self.model.name, **dataclasses.asdict(self.model)}}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "Run":
        """The run that `to_dict` described. Raises ValueError for settings that cannot be."""
        knobs = dict(settings["model"])
        flavor = knobs.pop("flavor")
        if flavor not in FLAVORS:
            raise ValueError(f"flavor is {flavor!r}; choose one of {', '.join(FLAVORS)}")
        known = {item.name for item in dataclasses.fields(FLAVORS[flavor])}
        if strange := knobs.keys() - known:
            raise ValueError(f"{flavor} has no knob {sorted(strange)[0]!r}; it has {', '.join(sorted(known))}")
        return cls(**{**settings, "model": FLAVORS[flavor](**knobs)})

    def build(self, shape: Shape) -> Autoencoder:
        """The untrained network for images of this shape, the same for the same seed."""
        rng = torch.Generator().manual_seed(self.seed)
        model = self.model
        return NETWORKS[self.network](shape, model.latent, model.heads, model.rectify, self.width, rng)


def _id_of(settings: Mapping[str, Any]) -> str:
    """Of the settings as they were written: a setting that came later leaves the ids of older runs alone."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return f"{settings['dataset']}-{settings['model']['flavor']}-{digest[:8]}"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run at one moment of its training: numpy in, numpy out.

    history: rows {"epoch": 0.5, one mean per term since the row before, "test": {the same on held-out images, "mse"}}.
    step counts batches. state is what only the training needs to go on: optimizer, generator, unfinished means.
    """

    run: Run
    network: Autoencoder
    history: tuple[dict[str, Any], ...] = ()
    step: int = 0
    steps: int = 0
    state: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.network.eval().requires_grad_(False)

    def __repr__(self) -> str:
        mse = f", test MSE {self.history[-1]['test']['mse']:.4f}" if self.history else ""
        return f"<{self.run.id}: epoch {self.epoch:g} of {self.run.epochs}{mse}>"

    @property
    def done(self) -> bool:
        """Whether the training came to its end."""
        return self.step >= self.steps

    @property
    def epoch(self) -> float:
        """How often every training image has been seen, to two digits."""
        return round(self.run.epochs * self.step / max(self.steps, 1), 2)

    def encode(self, images: np.ndarray) -> np.ndarray:
        """images (n, c, h, w), uint8 or float in [0, 1] -> codes (n, latent) float32."""
        return self._batched(self.network.encode, self._checked(images), (self.run.model.latent,))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """codes (n, latent) -> images (n, c, h, w) float32 in [0, 1]."""
        codes = np.asarray(codes, np.float32)
        if codes.ndim != 2 or codes.shape[1] != self.run.model.latent:
            raise ValueError(f"codes have shape {codes.shape}; this run takes (n, {self.run.model.latent})")
        return self._batched(lambda code: self.network.decode(code).sigmoid(), codes, self.network.shape)

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """images (n, c, h, w), uint8 or float in [0, 1] -> float32 in [0, 1], through the code."""
        through = lambda x: self.network.decode(self.network.encode(x)).sigmoid()  # noqa: E731
        return self._batched(through, self._checked(images), self.network.shape)

    def posterior(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """images (n, c, h, w) -> mean and standard deviation of their codes, (n, latent) each.

        Raises ValueError for a flavor without a prior, as do `unit_kl` and `sample`.
        """
        self._need_prior("gives each image one code, without a spread")
        both = self._batched(
            lambda x: torch.stack(posterior(self.network.heads(x)), dim=1),
            self._checked(images),
            (2, self.run.model.latent),
        )
        return both[:, 0], np.exp(both[:, 1] / 2)

    def unit_kl(self, images: np.ndarray) -> np.ndarray:
        """images (n, c, h, w) -> (latent,): KL divergence of their codes from the prior, nats per unit, on average."""
        self._need_prior("has no prior")
        divergence = lambda x: gaussian_kl(*posterior(self.network.heads(x)))  # noqa: E731
        return self._batched(divergence, self._checked(images), (self.run.model.latent,)).mean(axis=0, dtype=np.float64)

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """New images (count, c, h, w) float32: decoded draws from the prior."""
        self._need_prior("has no prior to draw from")
        rng = torch.Generator().manual_seed(seed)
        return self.decode(self.run.model.prior(count, self.run.model.latent, rng).numpy())

    def _need_prior(self, problem: str) -> None:
        if self.run.model.prior is None:
            able = ", ".join(name for name, flavor in FLAVORS.items() if flavor.prior)
            raise ValueError(f"{self.run.model.name} {problem}; choose a flavor with a prior: {able}")

    def _checked(self, images: np.ndarray) -> np.ndarray:
        if images.ndim != 4 or images.shape[1:] != self.network.shape:
            raise ValueError(
                f"images have shape {images.shape}; this run takes (n, {', '.join(map(str, self.network.shape))})"
            )
        return images

    @torch.inference_mode()
    def _batched(self, function: Any, array: np.ndarray, shape: tuple[int, ...], size: int = 1024) -> np.ndarray:
        out = np.empty((len(array), *shape), np.float32)
        for start in range(0, len(array), size):
            batch = torch.tensor(array[start : start + size], dtype=torch.float32)
            if array.dtype == np.uint8:
                batch /= 255
            batch.clamp_(-LARGEST, LARGEST)
            out[start : start + size] = function(batch).numpy()
        return out


class DamagedRun(RuntimeError):
    """A run folder that does not hold what its manifest says."""


class Store:
    """A folder of runs, each a folder of plain files.

        fashion_mnist-vae-1f3a9c2e/run.json                      the settings
        fashion_mnist-vae-1f3a9c2e/snapshots/000000012-8c1f.../  weights.safetensors, training.safetensors,
                                                                 history.json, manifest.json with their SHA-256

    A snapshot appears whole or not at all: written aside, flushed to disk, renamed. Its name counts the saves and ends
    in the hash of its manifest, so everything in it is vouched for.
    """

    def __init__(self, folder: Path | str | None = None, read_only: bool = False) -> None:
        self.folder = Path(folder) if folder else home() / "runs"
        self.read_only = read_only

    def ids(self) -> list[str]:
        """Ids of the runs that have at least one snapshot, newest first."""
        saved = {path.name: _saved_at(path) for path in run_folders(self.folder) if _snapshots(path)}
        return sorted(saved, key=saved.__getitem__, reverse=True)

    def create(self, run: Run) -> Path:
        """The folder of a run, made with its settings in it when it is new."""
        self._check_writable()
        path = self.folder / run.id
        if not (path / "run.json").exists():
            path.mkdir(parents=True, exist_ok=True)
            write_file(path / "run.json", json.dumps(run.to_dict(), indent=2).encode())
        return path

    def run(self, id: str) -> Run:
        """The settings of a run. Raises KeyError for an unknown id, DamagedRun for a file that is not settings."""
        path = self.path(id)
        try:
            settings = json.loads((path / "run.json").read_bytes())
            if _id_of(settings) != id:
                raise ValueError(f"they belong to {_id_of(settings)}")
            return Run.from_dict(settings)
        except (ValueError, TypeError, LookupError, AttributeError, OSError, RecursionError) as error:
            raise DamagedRun(
                f"run {id!r} has unreadable settings ({error}); delete its folder or restore run.json"
            ) from error

    def path(self, id: str) -> Path:
        """The folder of a known run; ids are looked up in the listing, never joined into a path."""
        return find_run(self.folder, id)

    def save(self, checkpoint: Checkpoint, compact: bool = False) -> str:
        """Keep a checkpoint; returns its stamp. The snapshot before it stays until this one is safe on disk.

        `compact` keeps weights in 8 bits, in weights.xz, and no training state: a fifth of the size, to look at and not
        to go on with.
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
            write_folder(path / "snapshots" / f"{serial:09d}-{digest}", files)
            for old in found:
                remove(old)
        return _snapshots(path)[-1].name

    def stamp(self, id: str) -> str:
        """The name of a run's newest snapshot; it changes when the run's content does."""
        found = _snapshots(self.path(id))
        if not found:
            raise DamagedRun(f"run {id!r} has no snapshot yet; it appears a few seconds after its training starts")
        return found[-1].name

    def load(self, id: str, training: bool = False) -> Checkpoint:
        """The newest whole snapshot of a run; with `training`, also what is needed to go on training.

        Raises KeyError for an unknown id and DamagedRun when no snapshot is whole.
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
            raise DamagedRun(f"run {id!r} has no snapshot yet; it appears a few seconds after its training starts")
        raise DamagedRun(f"run {id!r} is damaged: {problem}; delete it and train again") from problem

    def delete(self, id: str) -> None:
        """Remove a run for good."""
        self._check_writable()
        remove(self.path(id))

    def _check_writable(self) -> None:
        if self.read_only:
            raise PermissionError(
                f"the runs in {self.folder.name} are there to look at; save into a Store() of your own"
            )


def showcase() -> Store:
    """The trained runs that come with the package, read-only."""
    return Store(Path(__file__).parent / "showcase", read_only=True)


def _snapshots(path: Path) -> list[Path]:
    folder = path / "snapshots"
    try:
        return sorted(entry for entry in folder.iterdir() if re.fullmatch(r"\d{9,}-[0-9a-f]{12}", entry.name))
    except FileNotFoundError:
        return []


def _saved_at(path: Path) -> int:
    try:
        return (path / "snapshots").stat().st_mtime_ns
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
            raise DamagedRun("manifest.json is not what was saved")
        manifest = json.loads(written)
        if manifest["schema"] > SCHEMA:
            raise DamagedRun(f"a newer version wrote it (schema {manifest['schema']}, this one reads {SCHEMA})")
        shape, step, steps = tuple(manifest["shape"]), int(manifest["step"]), int(manifest["steps"])
        content = {}
        if training and "training.safetensors" not in manifest["sha256"]:
            raise DamagedRun("it was kept without its training state; train it anew to go on")
        stored = "weights.xz" if "weights.xz" in manifest["sha256"] else "weights.safetensors"
        for name in (stored, "history.json", *(["training.safetensors"] if training else [])):
            content[name] = (snapshot / name).read_bytes()
            if hashlib.sha256(content[name]).hexdigest() != manifest["sha256"][name]:
                raise DamagedRun(f"{name} is not what was saved")
        history = tuple(json.loads(content["history.json"]))
        network = run.build(shape)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise DamagedRun(f"{snapshot.name} is unreadable ({error})") from error
    packed = content[stored]
    weights = _unpacked(read_tensors(_inflated(packed) if stored == "weights.xz" else packed))
    if _form(weights) != _form(network.state_dict()):
        raise DamagedRun("the weights do not fit the settings")
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise DamagedRun("the weights hold NaN or infinity")
    network.load_state_dict(weights)
    state = read_tensors(content["training.safetensors"]) if training else {}
    return Checkpoint(run, network, history, step, steps, state)


def _packed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices as 8-bit integers with one scale per output, the rest as it is."""
    packed = {}
    for name, weight in weights.items():
        if weight.ndim < 2:
            packed[name] = weight
            continue
        scale = weight.flatten(1).abs().amax(dim=1).clamp(min=1e-12) / 127
        packed[name] = (weight / _along(scale, weight)).round().to(torch.int8)
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
        elif tensor.dtype != torch.int8 or scale.shape != tensor.shape[:1]:
            raise DamagedRun(f"the scale of {name} does not fit")
        else:
            weights[name] = tensor * _along(scale, tensor)
    return {name: weight for name, weight in weights.items() if not name.endswith(".scale")}


def _along(scale: Tensor, weight: Tensor) -> Tensor:
    return scale.view(-1, *[1] * (weight.ndim - 1))


def _form(tensors: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}


def read_tensors(content: bytes) -> dict[str, Tensor]:
    """The tensors of a safetensors file; raises DamagedRun when the header is oversized or anything does not fit."""
    if int.from_bytes(content[:8], "little") > 2**20:
        raise DamagedRun("the header of the weights is larger than 1 MiB")
    try:
        return safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise DamagedRun(f"the weights are unreadable ({error})") from error
