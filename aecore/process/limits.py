"""What a public page allows, from the environment; without a setting there is no limit."""

import math
import os


def limit(name: str, default: float = math.inf) -> float:
    """The limit of this name, or the default when it is not set. Raises ValueError when it is no positive number."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value > 0:
        raise ValueError(f"{name} is {text[:40]!r}; set it to a number above 0, or leave it away")
    return value


def check(epochs: int = 0, runs: int = 0, images: int = 0) -> None:
    """Raise ValueError for a training beyond the limits of this place; `runs` counts it among those that are kept."""
    for name, value, what, advice in (
        ("AECORE_MAX_EPOCHS", epochs, "epochs", "choose fewer"),
        ("AECORE_MAX_RUNS", runs, "kept runs", "delete one of yours first"),
        ("AECORE_MAX_IMAGES", images, "training images", "choose a smaller dataset"),
    ):
        if value > limit(name):
            raise ValueError(
                f"That makes {value:,} {what}, and this place allows {limit(name):,.0f} ({name}): {advice}, or run the "
                "app on a machine of your own, where nothing is limited."
            )
