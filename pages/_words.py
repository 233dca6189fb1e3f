"""Words on screen: numbers with their nouns, and names from anywhere as plain text."""

import re


def counted(count: int, noun: str, nouns: str = "") -> str:
    """A number with its noun: 1 file, 2 files; nouns: a plural that is not made by an s."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def lasting(seconds: float) -> str:
    """A duration as people say it: 40 s, 3 min, 2 h."""
    if seconds < 90:
        return f"{max(1, round(seconds / 5) * 5 if seconds > 10 else round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{round(seconds / 3600)} h"


def erring(mse: float) -> str:
    """A mean squared error; what rounds to nothing is not nothing."""
    return f"MSE {mse:.4f}" if mse >= 5e-5 else "MSE below 0.0001"


def sentence(problem: Exception | str) -> str:
    """What went wrong, as a sentence."""
    text = str(problem).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+.!|<>~:$^-])", r"\\\1", text)
