"""Limits for the visitors of a server, from the environment. The owner, on the machine itself, has none."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Limit:
    """What is limited, to how much unless the environment says otherwise, and what a visitor can do about it."""

    what: str
    default: float
    advice: str = "delete one of yours first"


LIMITS = {
    "AECORE_MAX_EPOCHS": Limit("epochs in one training", 200, "choose fewer"),
    "AECORE_MAX_MINUTES": Limit("minutes of one training", 15),
    "AECORE_MAX_IMAGES": Limit("training images", 100_000, "choose a smaller dataset"),
    "AECORE_MAX_TRAINING_MB": Limit(
        "megabytes of memory for one training", 250, "choose a smaller width or batch size"
    ),
    "AECORE_MAX_TRAININGS": Limit("runs of all visitors that are training or waiting", 12, "try again later"),
    "AECORE_MAX_RUNS": Limit("saved runs of one visitor", 6),
    "AECORE_MAX_ALL_RUNS": Limit("saved runs of all visitors", 60, "try again later"),
    "AECORE_MAX_MB": Limit("megabytes saved for one visitor", 500),
    "AECORE_MAX_ALL_MB": Limit("megabytes saved for all visitors", 4000, "try again later"),
    "AECORE_MAX_UPLOAD_MB": Limit("megabytes uploaded by one visitor at a time", 50, "bring fewer at a time"),
    "AECORE_MAX_ALL_UPLOAD_MB": Limit("megabytes uploaded by all visitors at a time", 150, "try again later"),
    "AECORE_MAX_MEGAPIXELS": Limit("megapixels in all pictures of one upload", 4000, "bring fewer at a time"),
    "AECORE_MAX_SETS": Limit("datasets kept by one visitor", 3),
    "AECORE_UNWATCHED_MINUTES": Limit("minutes that a training continues unwatched", 10),
}


def limit(name: str) -> float:
    """The limit with this name, for visitors. Raises ValueError unless it is a positive number."""
    return number(name, LIMITS[name].default)


def number(name: str, default: float) -> float:
    """A positive number from the environment, or the default if it is not set. Raises ValueError for anything else."""
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


def jobs() -> int:
    """How many trainings may go on at the same time, from AECORE_JOBS; 0 where nobody may train."""
    return 0 if os.environ.get("AECORE_JOBS", "").strip() == "0" else max(1, int(number("AECORE_JOBS", 1)))


def check(name: str, value: float, advice: str = "") -> None:
    """Raise ValueError if a visitor may not have so much; advice: what else they can do about it."""
    if value > limit(name):
        about = LIMITS[name]
        raise ValueError(
            f"{value:,.0f} {about.what}; this server allows {limit(name):,.0f} ({name}): {advice}{about.advice}, "
            "or run the app on your own machine, where there are no limits."
        )


def public() -> bool:
    """Whether everybody is a visitor, the owner too: as AECORE_PUBLIC says, else on hosts that are made for the public.

    Known are Streamlit Community Cloud, by the folder that it puts apps into, and Hugging Face Spaces.
    """
    if wanted := os.environ.get("AECORE_PUBLIC", "").strip():
        return wanted != "0"
    return "SPACE_ID" in os.environ or Path(__file__).is_relative_to("/mount/src")
