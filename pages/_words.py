"""Words on screen: numbers with their nouns, and names from anywhere as plain text."""

import re


def counted(count: int, noun: str, nouns: str = "") -> str:
    """A number with its noun: 1 file, 2 files; nouns: a plural that is not made by an s."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+.!|<>~:$^-])", r"\\\1", text)
