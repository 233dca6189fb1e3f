"""Limits of a public server, from the environment; what is not set is not limited."""

import math
import os


def limit(name: str, default: float = math.inf) -> float:
    """The limit with this name, or the default if it is not set. Raises ValueError unless it is a positive number."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value > 0:
        raise ValueError(f"{name} is {text[:40]!r}; set it to a number above 0, or unset it")
    return value


def check(epochs: int = 0, runs: int = 0, images: int = 0) -> None:
    """Raise ValueError for a training beyond the limits of this server; `runs` counts saved runs and this one."""
    for name, value, what, advice in (
        ("AECORE_MAX_EPOCHS", epochs, "epochs requested", "choose fewer"),
        ("AECORE_MAX_RUNS", runs, "runs, including this one", "delete one of yours first"),
        ("AECORE_MAX_IMAGES", images, "training images in this dataset", "choose a smaller one"),
    ):
        if value > limit(name):
            raise ValueError(
                f"{value:,} {what}; this server allows {limit(name):,.0f} ({name}): {advice}, or run the app on your "
                "own machine, where there are no limits."
            )
