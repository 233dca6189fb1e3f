"""Text from anywhere (ids, class names, titles) made fit for where it goes: a line, a cell, a file name."""

import re
import unicodedata
from collections.abc import Sequence

from aecore.text import one_line

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def markdown(text: object) -> str:
    """One line that Markdown shows as it is: neither a link, nor HTML, nor a list, nor the end of a cell."""
    line = re.sub(r"([\\`*_{}\[\]<>#|!~&:@$])", r"\\\1", one_line(text))
    return re.sub(r"^(\d*)([-+=.)])(?=\s|$)|(?<=www)(\.)", r"\1\\\2\3", line, flags=re.IGNORECASE)


def file_names(texts: Sequence[object]) -> list[str]:
    """A name for a file or folder for each text: safe on any system, at most 80 characters, all different.

    Letters, digits, spaces and -_. stay; the rest becomes an underscore. Names that differ in case alone get numbers.
    """
    found, taken, next_number = [], set(), {}
    for text in texts:
        name = _file_name(text)
        stem, number = name, next_number.get(name.casefold(), 1)
        while name.casefold() in taken:
            number += 1
            name = f"{stem[:70]}-{number}"
        next_number[stem.casefold()] = number
        taken.add(name.casefold())
        found.append(name)
    return found


def _file_name(text: object) -> str:
    letters = unicodedata.normalize("NFC", str(text)[:1000])
    name = "".join(letter if letter.isalnum() or letter in " -_." else "_" for letter in letters)
    name = name.encode("utf-8")[:80].decode("utf-8", "ignore").strip(" .")
    return f"_{name}" if not name or name[0] == "-" or _RESERVED.fullmatch(name) else name
