"""Text from anywhere, made fit for a file or for a line."""

LONGEST = 200
"""Characters of a line of text from outside."""


def sound(text: object) -> str:
    """The same text, except that what no file can hold becomes a question mark: half characters and NUL."""
    return str(text).replace("\0", "?").encode("utf-8", "replace").decode("utf-8")


def one_line(text: object, most: int = LONGEST) -> str:
    """One line of at most `most` characters that can all be seen: no tab, no line break, no change of direction."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return line if len(line) <= most else line[: most - 1] + "…"
