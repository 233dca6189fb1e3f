"""Print how fast networks train here: this project beside a bare loop of torch, its DataLoader, and other libraries.

python -m tests.benchmarks.training [--images N] [--times N]

The second epoch on random images of 28x28, images per second; every row trains the same layers with Adam. The rounds of
all rows alternate, so that what else happens on the machine hits all alike; printed are medians and ratios to the bare
loop. A peer that is not installed gets a line that says so; tests/benchmarks/peers.txt names them. Before that, in
several processes: images per second with torchrun's way of training, beside one process with as many threads.
"""

import argparse
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from benchmarks.peers import keras_models, pythae_model  # noqa: E402

from aecore.data import Dataset, Split  # noqa: E402
from aecore.models import Vanilla  # noqa: E402
from aecore.parallel import joined  # noqa: E402
from aecore.runs import Run  # noqa: E402
from aecore.training import follow, train  # noqa: E402

LATENT, WIDTH = 128, 512


def random_set(count: int) -> Dataset:
    """Nothing to learn in it, which costs as much."""
    images = np.random.default_rng(0).integers(0, 256, (count + 500, 1, 28, 28), np.uint8)
    return Dataset("random", Split(images[:-500]), Split(images[-500:]))


def settings(batch: int, network: str = "dense", epochs: int = 2) -> Run:
    return Run("random", Vanilla(latent=LATENT), network, width=WIDTH, epochs=epochs, batch_size=batch)


def ours(data: Dataset, batch: int, network: str = "dense") -> float:
    """Images per second of the second epoch, as a page or a command trains: with its checkpoints and history."""
    run = settings(batch, network)
    steps, begun, first = 0, 0.0, 0
    for checkpoint in train(run, data, pulse=0.5):
        if checkpoint.epoch >= 1 and not begun:
            begun, first = time.perf_counter(), checkpoint.step
        steps = checkpoint.step
    return (steps - first) * batch / (time.perf_counter() - begun)


def bare(data: Dataset, batch: int) -> float:
    """The least that a loop can do: no history, no checkpoints, nothing that goes on bit for bit."""
    network = settings(batch).build((1, 28, 28))
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    images, order = data.train.images, np.arange(len(data.train))
    for epoch in range(2):
        np.random.default_rng(epoch).shuffle(order)
        begun = time.perf_counter()
        for start in range(0, len(order), batch):
            x = torch.from_numpy(images[order[start : start + batch]]).float().div_(255)
            loss = (network.decode(network.encode(x)).sigmoid() - x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return len(order) / (time.perf_counter() - begun)


def loader(data: Dataset, batch: int) -> float:
    """The loop of torch's own tutorials, with a DataLoader over tensors."""
    from torch.utils.data import DataLoader, TensorDataset

    network = settings(batch).build((1, 28, 28))
    optimizer = torch.optim.Adam(network.parameters())
    images = torch.from_numpy(np.asarray(data.train.images)).float().div_(255)
    for _ in range(2):
        begun = time.perf_counter()
        for (x,) in DataLoader(TensorDataset(images), batch, shuffle=True):
            loss = (network.decode(network.encode(x)).sigmoid() - x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return len(images) / (time.perf_counter() - begun)


def pythae(data: Dataset, batch: int) -> float:
    """Pythae's trainer with its defaults."""
    import tempfile

    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    model, times = pythae_model(settings(batch).build((1, 28, 28))), []

    class Watch(TrainingCallback):
        def on_epoch_begin(self, *_: object, **__: object) -> None:
            times.append(time.perf_counter())

        def on_epoch_end(self, *_: object, **__: object) -> None:
            times.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(folder, num_epochs=2, per_device_train_batch_size=batch, no_cuda=True)
        TrainingPipeline(model, config)(
            torch.from_numpy(np.asarray(data.train.images)).float().div_(255), callbacks=[Watch()]
        )
    return len(data.train) / (times[3] - times[2])


def keras(data: Dataset, batch: int) -> float:
    """Keras's fit, on torch."""
    model, _ = keras_models(LATENT, WIDTH)
    images = np.asarray(data.train.images).reshape(len(data.train), -1).astype(np.float32) / 255
    model.fit(images, images, batch, epochs=1, verbose=0)
    begun = time.perf_counter()
    model.fit(images, images, batch, epochs=1, verbose=0)
    return len(images) / (time.perf_counter() - begun)


ROWS: dict[str, Callable[[Dataset, int], float]] = {
    "bare torch loop": bare, "torch DataLoader": loader, "this project": ours, "pythae": pythae, "Keras on torch": keras
}  # fmt: skip


def table(data: Dataset, batch: int, times: int) -> None:
    """Every row so many times, in turns."""
    found: dict[str, list[float]] = {name: [] for name in ROWS}
    for _ in range(times):
        for name, row in ROWS.items():
            try:
                found[name].append(row(data, batch))
            except ImportError as error:
                if not _:
                    print(f"{name}: not installed ({error.name})")
    base = statistics.median(found["bare torch loop"])
    for name, speeds in found.items():
        if speeds:
            middle = statistics.median(speeds)
            print(f"batch {batch:>3}  {name:<18} {middle:>8,.0f} images/s  {middle / base:.2f} of the bare loop")


def fixed(data: Dataset) -> None:
    """An `edges` network: what never learns is computed in the first epoch and kept."""
    print(f"batch 128  this project, edges, second epoch: {ours(data, 128, 'edges'):,.0f} images/s")


def together(count: int, processes: int) -> None:
    """The same training in one process with so many threads, and in so many processes with one each."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    about = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for size in (1, processes):
        threads = str(processes // size)
        started = [
            subprocess.Popen(
                [sys.executable, __file__, "--images", str(count), "--member", f"{size} of {threads} threads each"],
                env=os.environ | about | {"WORLD_SIZE": str(size), "RANK": str(rank), "OMP_NUM_THREADS": threads},
            )
            for rank in range(size)
        ]
        for process in started:
            process.wait()


def member(count: int, title: str) -> None:
    """One of the processes of a training."""
    data = random_set(count)
    with joined() as group:
        if not group.first:
            return follow(group, data)
        for batch in (128, 512):
            begun, first, step = 0.0, 0, 0
            for checkpoint in train(settings(batch), data, group=group):
                if checkpoint.epoch >= 1 and not begun:
                    begun, first = time.perf_counter(), checkpoint.step
                step = checkpoint.step
            speed = (step - first) * batch / (time.perf_counter() - begun)
            print(f"batch {batch}  processes: {title}  {speed:,.0f} images/s", flush=True)
        if group.size > 1:
            group.tell()
    return None


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--images", type=int, default=20_000)
    options.add_argument("--times", type=int, default=5)
    options.add_argument("--member")
    chosen = options.parse_args()
    if chosen.member:
        return member(chosen.images, chosen.member)
    name = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "")
    print(f"{name or platform.processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    together(chosen.images, max(2, torch.get_num_threads()))  # first: threads that peers leave behind would slow it
    data = random_set(chosen.images)
    for batch in (128, 512):
        table(data, batch, chosen.times)
    fixed(data)
    return None


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    main()
