"""Text from anywhere (ids, class names, titles) made fit for where it goes: a line, a cell, a file name."""

import re
import unicodedata
from collections.abc import Sequence

LONGEST = 200
"""Characters of a line of text from outside."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def sound(text: object) -> str:
    """The same text, except that what no file can hold becomes a question mark: half characters and NUL."""
    return str(text).replace("\0", "?").encode("utf-8", "replace").decode("utf-8")


def one_line(text: object, most: int = LONGEST) -> str:
    """One line of at most `most` characters that can all be seen: no tab, no line break, no change of direction."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in sound(text)).split())
    return line if len(line) <= most else line[: most - 1] + "…"


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
