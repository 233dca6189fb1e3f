"""Text from anywhere, made fit for a file, a line, or a cell of a table."""

import re

LONGEST = 200
"""Characters of a line of text from outside."""
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def sound(text: object) -> str:
    """The same text, except that what no file can hold becomes a question mark: half characters and NUL."""
    return str(text).replace("\0", "?").encode("utf-8", "replace").decode("utf-8")


def one_line(text: object, most: int = LONGEST) -> str:
    """One line of at most `most` characters that can all be seen: no tab, no line break, no change of direction."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def cell(value: object) -> str:
    """A value as a cell of a CSV file: text that a spreadsheet would run as a formula gets an apostrophe before it.

    It is put before what begins with = + - @, their wide forms, a tab or a line break, unless it is a number.
    """
    text = sound(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
