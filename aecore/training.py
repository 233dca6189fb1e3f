"""The training loop: a generator of checkpoints."""

import copy
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from aecore.data import Dataset, load_dataset
from aecore.devices import check_precision, computing, device
from aecore.history import CLIPPED
from aecore.models import DISTANCES
from aecore.moments import moment_steps
from aecore.networks import NETWORKS, Autoencoder, Shape
from aecore.parallel import Group, Parted, Stopped
from aecore.runs import Checkpoint, Run

HELD_OUT = 500
"""Test images behind the curves during training; the pages measure a finished run on all test images."""


MOST_TERMS = 16
"""Terms that the objective of a training in several processes may have."""
KEPT = 1e9
"""Bytes up to which is kept what the part of a network that never learns makes of the training images."""


class Diverged(ArithmeticError):
    """The objective or a gradient became NaN or infinite; the last checkpoint yielded is the last good state."""


def train(
    run: Run,
    dataset: Dataset | None = None,
    resume: Checkpoint | None = None,
    pulse: float | None = None,
    keep: float = KEPT,
    group: Group = Group(),  # noqa: B008 - frozen
) -> Iterator[Checkpoint]:
    """Train a run, yielding checkpoints: the untrained one, ten in the first epoch, then one per epoch.

    Each of these adds a row to the history; between them come the twenty moments worth keeping. `dataset` replaces the
    one that the run names; `resume` continues from a checkpoint loaded with its training state, bit for bit as if never
    interrupted. `pulse` yields more often, every `pulse` seconds; 0 means after each batch. What never learns in an
    `edges` network is computed once if that fits into `keep` bytes: faster, and equal to the last bit. In a `group` of
    processes, each calls this with the same run and images, the others through `follow`; only the first yields.

    Computes on `devices.device()`; checkpoints are on the processor, and so is all that is drawn at random, so that
    every device gets the same batches. Raises Diverged when a term or a gradient becomes NaN or infinite, ValueError
    for a dataset without images and for a new run in a precision that this machine does not have, Parted when a process
    of the group is gone.
    """
    dataset = dataset or load_dataset(run.dataset)
    images = dataset.train.images
    for split, use in ((dataset.train, "to train on"), (dataset.test, "to measure with")):
        if not len(split):
            raise ValueError(f"dataset {dataset.name!r} has no images {use}; add some, or choose another")
    place = device()
    held_out = _batch(dataset.test.images, np.arange(min(HELD_OUT, len(dataset.test))), place)
    distance = DISTANCES[run.loss]
    per_epoch = math.ceil(len(images) / run.batch_size)
    steps = run.epochs * per_epoch
    rows, moments = _row_steps(per_epoch, run.epochs), moment_steps(steps)

    network = run.build(tuple(images.shape[1:]))
    if resume is not None:
        network.load_state_dict(resume.network.state_dict())
    elif group.first:
        check_precision(run.precision)
        sample = np.arange(0, len(images), math.ceil(len(images) / network.calibrated_on(network.shape)))
        network.calibrate(_batch(images, sample, torch.device("cpu")))
    network.to(place)
    weights = dict(network.named_parameters())
    optimizer, clip = _Adam(weights), _Clip()
    rng = torch.Generator().manual_seed(run.seed)
    history: list[dict[str, Any]] = []
    sums: dict[str, float] = {}
    step = 0

    def checkpoint() -> Checkpoint:
        network.known = None
        state = _pack(optimizer, clip, rng, sums) | {"processes": torch.tensor(group.size)}
        return Checkpoint(run, copy.deepcopy(network).cpu(), tuple(history), step, steps, state)

    if resume is not None:
        history, step = list(resume.history), resume.step
        sums = _unpack(optimizer, clip, rng, resume.state)
    elif group.first:
        history.append({"epoch": 0.0, "test": _measure(run, network, held_out)})
        yield checkpoint()
    if group.size > 1:
        step, sums = _begin_together(group, run, network, optimizer, clip, rng, sums, step, len(images))

    order, shown, fixed = np.empty(0, int), time.monotonic(), _Fixed(network, len(images), keep)
    with _ending_together(group, weights, lambda: step < steps):
        while step < steps:
            epoch, batch = divmod(step, per_epoch)
            if batch == 0 or not len(order):
                shuffle = torch.Generator().manual_seed(run.seed * 100_003 + epoch)
                order = torch.randperm(len(images), generator=shuffle).numpy()
            drawn = order[batch * run.batch_size : (batch + 1) * run.batch_size]
            part, share = group.part(len(drawn))
            x = _batch(images, drawn[part], place)
            fixed.tell(x, drawn[part])

            with group.drawing(len(drawn), part), computing(run.precision, place):
                terms = run.model.terms(network, x, distance, rng)
            ramp = min(1.0, (step + 1) / (run.model.warmup * steps)) if run.model.warmup else 1.0
            objective = sum(term if name == "reconstruction" else ramp * term for name, term in terms.items())
            for weight in weights.values():
                weight.grad = None
            objective.backward()
            means = _add_up(group, weights, {name: term.item() for name, term in terms.items()}, share)
            gradients = _gradients(weights)
            norm = _norm(gradients)
            if problem := _not_finite(means, norm):
                if group.first:
                    yield checkpoint()
                raise Diverged(
                    f"{problem} became NaN or infinite at epoch {step / per_epoch:.2f}, step {step}; the last good "
                    f"state is kept. Lower the learning rate (now {run.lr:g}) or the weight of the penalty"
                )
            sums["clipped"] = sums.get("clipped", 0.0) + clip.clip(gradients, norm)
            optimizer.step(run.lr * _schedule(step, steps))
            step += 1

            sums["images"] = sums.get("images", 0.0) + len(drawn)
            for name, mean in means.items():
                sums[name] = sums.get(name, 0.0) + mean * len(drawn)
            if not group.first:
                continue
            if step in rows:
                count, clipped = sums.pop("images"), int(sums.pop("clipped"))
                row = {name: total / count for name, total in sums.items()}
                if clipped:
                    row[CLIPPED] = clipped
                history.append({"epoch": step / per_epoch, **row, "test": _measure(run, network, held_out)})
                sums = {}
            if step in rows or step in moments or (pulse is not None and time.monotonic() - shown >= pulse):
                yield checkpoint()
                shown = time.monotonic()


def follow(group: Group, dataset: Dataset | None = None) -> None:
    """Take part in the trainings that the first process of a group begins, until it says that there are no more.

    `dataset` replaces the ones that the runs name. Raises Diverged as the first process does, Parted when a process is
    gone, ValueError where the images are others.
    """
    while settings := group.tell():
        with suppress(Stopped):
            for _ in train(Run.from_file(json.loads(settings)), dataset, group=group):
                pass


def _begin_together(
    group: Group,
    run: Run,
    network: Autoencoder,
    optimizer: "_Adam",
    clip: "_Clip",
    rng: torch.Generator,
    sums: dict[str, float],
    step: int,
    count: int,
) -> tuple[int, dict[str, float]]:
    """Bring all processes to the state of the first; returns step and sums. Raises ValueError for other images."""
    if group.first:
        group.tell(json.dumps(run.to_dict()).encode())
    weights = {f"weight.{name}": value for name, value in network.state_dict().items()}
    state = _pack(optimizer, clip, rng, sums) | weights | {"at": torch.tensor([step, count])}
    told = safetensors.torch.load(group.tell(safetensors.torch.save(state) if group.first else None))
    step, expected = told.pop("at").tolist()
    if expected != count:
        raise ValueError(f"{run.dataset} has {count:,} training images here and {expected:,} with the first process")
    network.load_state_dict({name.removeprefix("weight."): told.pop(name) for name in weights})
    return step, _unpack(optimizer, clip, rng, told)


def duration(run: Run, dataset: Dataset, watch: float = 1.0) -> float:
    """Seconds that training a run would take on this machine as it is now, judged from `watch` seconds of training."""
    begun = time.monotonic()
    first = (0, begun)
    for checkpoint in train(run, dataset, pulse=watch / 4):
        now = time.monotonic()
        if checkpoint.done:
            return now - begun
        if checkpoint.step and not first[0]:
            first = checkpoint.step, now
        elif now - first[1] >= watch and first[0]:
            return (now - first[1]) / (checkpoint.step - first[0]) * checkpoint.steps
    raise AssertionError("a training ends with a checkpoint that is done")


def memory(run: Run, shape: tuple[int, int, int]) -> tuple[float, float]:
    """Megabytes of a run's weights, and of all that training it takes beside the images and the libraries; estimated.

    Weights, gradients and Adam's two means are there once, a checkpoint holds another three, and one is being written.
    Every layer's output is kept until its gradient is known. Measured: 78 MB where this says 112 (dense, width 1024,
    128 images at a time), 1,535 where it says 1,503 (4096, 4096), 405 where it says 444 (conv, contractive, 512).
    """
    weights, outputs = _planned(run.network, shape, run.model.latent, run.model.heads, run.width)
    kept = run.model.outputs_kept * outputs * max(run.batch_size, HELD_OUT)
    return 4 * weights / 1e6, 4 * (8 * weights + kept) / 1e6


@lru_cache(256)
def _planned(kind: str, shape: Shape, latent: int, heads: int, width: int) -> tuple[int, int]:
    """How many numbers a network of this kind has as weights, and as outputs of all layers for one image.

    Neither is made for it: all weights are one zero, seen many times. The device "meta" would import sympy: 67 MB.
    """
    outputs: list[int] = []
    with torch.device("meta"):
        both = nn.ModuleList(NETWORKS[kind].layers(shape, latent, heads, width))
    for module in both.modules():
        for name, weight in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(torch.zeros(()).expand(weight.shape), requires_grad=False))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, torch.zeros(()).expand(buffer.shape))
        if not [*module.children()]:
            module.register_forward_hook(lambda *passed: outputs.append(passed[2].numel()))
    both[1](torch.zeros(1, latent))
    both[0](torch.zeros(1, *shape))
    return sum(weight.numel() for weight in both.parameters()), sum(outputs)


def _batch(images: np.ndarray, rows: np.ndarray, place: torch.device) -> Tensor:
    return torch.from_numpy(images[rows]).to(place).float().div_(255)


def _row_steps(per_epoch: int, epochs: int) -> set[int]:
    """Steps after which the history gets a row."""
    early = {round(tenth * per_epoch / 10) for tenth in range(1, 11)}
    return (early - {0}) | {epoch * per_epoch for epoch in range(1, epochs + 1)}


def _schedule(step: int, steps: int) -> float:
    """Learning rate as a share of its highest: up over the first 2% of the steps, then down a cosine to zero."""
    rise = max(1, steps // 50)
    return min(1.0, (step + 1) / rise) * (1 + math.cos(math.pi * step / steps)) / 2


def _gradients(weights: Mapping[str, Tensor]) -> list[Tensor]:
    return [weight.grad for weight in weights.values() if weight.grad is not None]


def _norm(gradients: list[Tensor]) -> float:
    """Euclidean norm of all of them together; by products, in two thirds of the time of torch's norms."""
    return torch.stack([torch.dot(flat, flat) for flat in map(torch.flatten, gradients)]).sum().sqrt().item()


def _add_up(
    group: Group, weights: Mapping[str, Tensor], means: dict[str, float], share: float, going_on: bool = True
) -> dict[str, float]:
    """From gradients and means over a part of a batch, which is this share of it, to those over the batch."""
    if group.size == 1:
        return means
    gradients = _gradients(weights)
    flat = torch.cat([*(gradient.flatten() for gradient in gradients), gradients[0].new_zeros(MOST_TERMS)]).cpu()
    flat[len(flat) - MOST_TERMS :][: len(means)] = torch.tensor([*means.values()])
    *parts, last = group.add(flat * share, going_on).split([*map(torch.numel, gradients), MOST_TERMS])
    torch._foreach_copy_(gradients, [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)])
    return dict(zip(means, last.tolist(), strict=False))


@contextmanager
def _ending_together(group: Group, weights: Mapping[str, Tensor], going_on: Callable[[], bool]) -> Iterator[None]:
    """Where the first process ends a training before its time, the others end it, too; they have begun the next step.

    What ends all of them by itself is not told.
    """
    try:
        yield
    except (Stopped, Parted, Diverged):
        raise
    except BaseException:
        if group.size > 1 and group.first and going_on():
            with suppress(Stopped, Parted):
                _add_up(group, weights, {}, 0.0, going_on=False)
        raise


def _not_finite(means: dict[str, float], norm: float) -> str | None:
    """The name of what is NaN or infinite, looked at before the optimizer moves any weight."""
    for name, mean in means.items():
        if not math.isfinite(mean):
            return f"the {name} term"
    return None if math.isfinite(norm) else "a gradient"


def _measure(run: Run, network: Autoencoder, x: Tensor) -> dict[str, float]:
    """Every term and the MSE of the clean reconstruction on held-out images, with the same noise each time."""
    rng = torch.Generator().manual_seed(0)
    terms = run.model.terms(network, x, DISTANCES[run.loss], rng)
    with torch.inference_mode():
        rebuilt = network.decode(network.encode(x)).sigmoid()
        mse = (rebuilt - x).square().mean().item()
    return {name: term.item() for name, term in terms.items()} | {"mse": mse}


class _Fixed:
    """What the part of a network that never learns makes of the training images: computed once, as float16."""

    def __init__(self, network: Autoencoder, count: int, keep: float) -> None:
        self.network, outputs = network, network.fixed_outputs(network.shape)
        self.needed, self.here = outputs > 0, np.zeros(count, bool)
        self.kept = torch.empty(
            *(count if 2 * count * outputs <= keep else 0, outputs),
            dtype=torch.float16,
            device=next(network.parameters()).device,
        )

    def tell(self, x: Tensor, rows: np.ndarray) -> None:
        """Let the network know it for its next step, on x (b, c, h, w), the images in these rows."""
        if not self.needed:
            return
        if not len(self.kept):
            found = self.network.fixed(x).half()
        else:
            new = ~self.here[rows]
            if new.any():
                self.kept[rows[new]] = self.network.fixed(x[new]).half()
                self.here[rows] = True
            found = self.kept[rows]
        self.network.known = x, found.float()


class _Clip:
    """Clips a gradient that is far longer than those before it: one step along it could ruin the network.

    To a multiple of the median of the last WINDOW norms; after AutoClip, Seetharaman et al. 2020,
    https://arxiv.org/abs/2007.14469, which clips nine of ten.
    """

    WINDOW, TIMES = 100, 2.0

    def __init__(self) -> None:
        self.norms: list[float] = []

    def clip(self, gradients: list[Tensor], norm: float) -> bool:
        """Of gradients of this norm, all together; whether that was needed."""
        longest = self.TIMES * statistics.median(self.norms) if len(self.norms) >= 10 else math.inf
        self.norms = [*self.norms, norm][-self.WINDOW :]
        if norm <= longest:
            return False
        torch._foreach_mul_(gradients, longest / norm)
        return True


class _Adam:
    """Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, by torch's fused kernel.

    torch.optim.Adam calls the same kernel, and loads torch's compiler to do so: 1.7 s and 80 MB for every training.
    """

    KEYS = ("step", "exp_avg", "exp_avg_sq")

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.weights = weights
        self.state: dict[str, dict[str, Tensor]] = {}  # parameter -> key -> what is remembered of its gradients

    def step(self, lr: float) -> None:
        """Move every weight that has a gradient."""
        moved = [(name, weight) for name, weight in self.weights.items() if weight.grad is not None]
        for name, weight in moved:
            if name not in self.state:
                zeros = (torch.zeros((), device=weight.device), torch.zeros_like(weight), torch.zeros_like(weight))
                self.state[name] = dict(zip(self.KEYS, zeros, strict=True))
        weights = [weight for _, weight in moved]
        steps, means, squares = ([self.state[name][key] for name, _ in moved] for key in self.KEYS)
        with torch.no_grad():
            adam(
                *(weights, [weight.grad for weight in weights], means, squares, [], steps),
                **{"fused": True, "amsgrad": False, "maximize": False},
                **{"lr": lr, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
            )


def _pack(optimizer: _Adam, clip: _Clip, rng: torch.Generator, sums: dict[str, float]) -> dict[str, Tensor]:
    """Copies of all that the next step depends on besides the weights."""
    state = {"rng": rng.get_state(), "norms": torch.tensor(clip.norms, dtype=torch.float64)}
    for name in optimizer.weights:
        for key, value in optimizer.state.get(name, {}).items():
            state[f"adam.{key}.{name}"] = value.to("cpu", copy=True)
    return state | {f"sum.{name}": torch.tensor(value, dtype=torch.float64) for name, value in sums.items()}


def _unpack(optimizer: _Adam, clip: _Clip, rng: torch.Generator, state: Mapping[str, Tensor]) -> dict[str, float]:
    """Put back what `_pack` took; returns the unfinished means."""
    if "rng" not in state:
        raise ValueError("this checkpoint has no training state; load it with Store.load(id, training=True)")
    rng.set_state(state["rng"])
    clip.norms = state["norms"].tolist() if "norms" in state else []  # of an older run
    for name, weight in optimizer.weights.items():
        if f"adam.step.{name}" in state:
            kept = {key: state[f"adam.{key}.{name}"] for key in optimizer.KEYS}
            optimizer.state[name] = {key: value.to(weight.device, copy=True) for key, value in kept.items()}
    return {name.removeprefix("sum."): value.item() for name, value in state.items() if name.startswith("sum.")}
