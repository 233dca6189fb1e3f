"""Train, see and use autoencoders on real images.

Names load on first use, so `import aecore` alone costs almost nothing:

    >>> import aecore
    >>> from aecore import models
    >>> run = aecore.Run("digits", models.Sparse(latent=16), epochs=2)
    >>> for checkpoint in aecore.train(run):
    ...     pass
"""

import os
from importlib import import_module
from typing import Any

# torch reads this once, when it is imported. Its threads spin while they wait, and on two cores two trainings (or one
# and the dashboard) burn each other's time: 240 images/s each while spinning, 4,800 asleep. Alone it costs nothing
# where waking a thread is quick; where it is not, `devices.spare_threads` saves small batches from it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOME = {
    "AutoencoderTransformer": "transformer",
    "Checkpoint": "runs",
    "DATASETS": "data",
    "Dataset": "data",
    "FLAVORS": "models",
    "Flavor": "models",
    "Index": "search",
    "Job": "process.jobs",
    "RECIPES": "recipes",
    "Run": "runs",
    "Split": "data",
    "Store": "store",
    "knob": "models",
    "load_dataset": "data",
    "showcase": "store",
    "train": "training",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"aecore.{_HOME[name]}"), name)
    raise AttributeError(f"module 'aecore' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
