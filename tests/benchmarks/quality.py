"""Print how long training takes to be as good as PCA: this project beside the trainers of other libraries.

python -m tests.benchmarks.quality [--most SECONDS]

Fashion-MNIST, 128 units, 60,000 training images. Seconds of training until the MSE of all test images is at most that
of PCA with 128 numbers, and until the codes find as many images of the same class as whitened PCA does (P@4, 2,000
queries). Looked at after every epoch, and in this project's first epoch ten times, while the clock stands still. The
peers train the same dense layers with their own defaults. One that is not installed gets a line that says so;
tests/benchmarks/peers.txt names them.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from benchmarks.peers import keras_models, pythae_model  # noqa: E402

from aecore.data import Dataset, load_dataset  # noqa: E402
from aecore.models import Vanilla  # noqa: E402
from aecore.recipes import RECIPES, opening_settings  # noqa: E402
from aecore.runs import Run  # noqa: E402
from aecore.search import Index  # noqa: E402
from aecore.training import train  # noqa: E402

MSE, PRECISION = 0.0063, 0.845
"""What PCA with 128 numbers reaches, and whitened PCA in the search."""
Coder = Callable[[np.ndarray], np.ndarray]
Look = tuple[Coder, Coder]
"""Images (n, 1, 28, 28) uint8 -> codes, and -> reconstructions in [0, 1]."""


def ours(run: Run) -> Callable[[Dataset], Iterator[Look]]:
    """A run of this project."""

    def trained(data: Dataset) -> Iterator[Look]:
        for checkpoint in train(run, data):
            yield checkpoint.encode, checkpoint.reconstruct

    return trained


def pythae(data: Dataset) -> Iterator[Look]:
    """Pythae's trainer, in a thread that waits at the end of every epoch."""
    import tempfile
    from queue import Queue
    from threading import Thread

    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    network = Run("fashion_mnist", Vanilla(latent=128), width=512).build((1, 28, 28))
    reached, going = Queue(), Queue()

    class Watch(TrainingCallback):
        def on_epoch_end(self, *_: object, **__: object) -> None:
            reached.put(None)
            going.get()

    model = pythae_model(network)
    images = torch.from_numpy(np.asarray(data.train.images)).float().div_(255)

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            TrainingPipeline(model, BaseTrainerConfig(folder, no_cuda=True))(images, callbacks=[Watch()])

    Thread(target=work, daemon=True).start()
    while True:
        reached.get()
        yield _coded(network.encoder), _coded(lambda x: network.decoder(network.encoder(x)).sigmoid())
        going.put(None)


def _coded(function: Callable[[torch.Tensor], torch.Tensor]) -> Coder:
    @torch.no_grad()
    def coded(images: np.ndarray) -> np.ndarray:
        parts = [images[start : start + 1000] for start in range(0, len(images), 1000)]
        return np.concatenate([function(torch.from_numpy(part).float() / 255).numpy() for part in parts])

    return coded


def keras(data: Dataset) -> Iterator[Look]:
    """Keras's fit, on torch, an epoch at a time."""
    model, encoder = keras_models(128, 512)
    flat = lambda images: images.reshape(len(images), -1).astype(np.float32) / 255  # noqa: E731
    images = flat(np.asarray(data.train.images))
    while True:
        model.fit(images, images, epochs=1, verbose=0)
        yield (
            lambda x: encoder.predict(flat(x), 1000, verbose=0),
            lambda x: model.predict(flat(x), 1000, verbose=0).reshape(x.shape),
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--most", type=float, default=150.0)
    most, data = options.parse_args().most, load_dataset("fashion_mnist")
    usual = Run("fashion_mnist", Vanilla(latent=128), **opening_settings(len(data.train), Vanilla))
    rows: dict[str, Callable[[Dataset], Iterator[Look]]] = {
        "this project, dense, as Train opens": ours(usual),
        "this project, pca_plus": ours(Run.from_dict(usual.to_dict() | {"network": "pca_plus"})),
        "this project, edges, the search recipe": ours(RECIPES["fashion-search"].run),
        "pythae": pythae,
        "Keras on torch": keras,
    }
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; at most {most:g} s each")
    for name, row in rows.items():
        try:
            print(f"{name:<40} {_reached(row(data), data, most)}", flush=True)
        except ImportError as error:
            print(f"{name}: not installed ({error.name})")


def _reached(looks: Iterator[Look], data: Dataset, most: float) -> str:
    """After how many seconds of training each aim is reached."""
    train_images, test, spent, found = data.train.images, data.test, 0.0, {}
    asked = test.images[:2000]
    error = precision = 0.0
    while len(found) < 2 and spent < most:
        begun = time.perf_counter()
        try:
            encode, rebuild = next(looks)
        except StopIteration:
            break
        spent += time.perf_counter() - begun
        if "MSE" not in found:
            error = float(np.square(rebuild(test.images) - test.images / np.float32(255)).mean())
            if error <= MSE:
                found["MSE"] = spent
        if "P@4" not in found:
            _, rows = Index(encode(train_images)).nearest(encode(asked), 4)
            precision = float((data.train.labels[rows] == test.labels[:2000, None]).mean())
            if precision >= PRECISION:
                found["P@4"] = spent
    last = {"MSE": f"{error:.4f}", "P@4": f"{precision:.3f}"}
    return ", ".join(
        f"{name} after {found[name]:.1f} s" if name in found else f"{name} {last[name]} after {spent:.0f} s"
        for name in last
    )


if __name__ == "__main__":
    main()
