"""Decks: a text file with one address of the app a line, which plays as slides.

Whatever comes before the path of an address is left out, so a deck plays on every server. Blank lines, and what follows
a # at the beginning of a line or after a space, are notes.
"""

import base64
import re
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from aecore.text import one_line, sound

Reader = Callable[[str], Any]
"""How the word of a key in an address is read; raises ValueError, KeyError or OverflowError where it cannot be."""
Known = Callable[[str, str], Reader | None]
"""Page, key -> how its word is read; None where the page has no such key."""

MOST, LONGEST = 100, 6000
"""Slides in a deck, and letters of a deck in an address."""
ENTRANCE = "home"
"""The page without a path."""
_OWN = ("present", "deck", "slide", "lesson")
"""Keys that say how a page is shown and from where it was opened; a deck says that itself."""
_TEXT = 200_000
"""Letters of a file that are read."""


class Slide(NamedTuple):
    """A page, and the words of its address by their keys."""

    page: str
    words: Mapping[str, str]

    @property
    def address(self) -> str:
        """Path and query, such as /lesson?name=bottleneck&step=2."""
        path = "/" if self.page == ENTRANCE else f"/{self.page}"
        return f"{path}?{urlencode(self.words)}" if self.words else path


class Problem(NamedTuple):
    """A line that is no slide, and why."""

    line: int
    words: str

    def __str__(self) -> str:
        return f"Line {self.line}: {self.words}."


@dataclass(frozen=True)
class Deck:
    """The slides of a file in their order, and what is wrong with its other lines."""

    slides: tuple[Slide, ...]
    problems: tuple[Problem, ...] = ()

    @cached_property
    def word(self) -> str:
        """The slides as one word of an address; `unpacked` reads it."""
        text = "\n".join(slide.address for slide in self.slides)
        return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def read_deck(text: str, pages: Collection[str], known: Known, base: str = "") -> Deck:
    """The deck that a text describes. base: the path below which the app is served, if any.

    Nothing is raised: each line that cannot be a slide is among the problems.
    """
    slides: list[Slide] = []
    problems = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", sound(text[:_TEXT]).lstrip("\ufeff")), start=1):
        line = re.sub(r"(^|\s+)#.*", "", line.strip())
        if not line:
            continue
        try:
            slide = read_slide(line, pages, known, base)
            if len(slides) == MOST:
                raise ValueError(f"a deck has at most {MOST} slides")
            if len(Deck((*slides, slide)).word) > LONGEST:
                raise ValueError("the slides up to here fill the longest address that travels safely; make two decks")
            slides.append(slide)
        except ValueError as error:
            problems.append(Problem(number, str(error)))
    return Deck(tuple(slides), tuple(problems))


def read_slide(address: str, pages: Collection[str], known: Known, base: str = "") -> Slide:
    """The page and the words of an address, whole or from its path on. Raises ValueError with the reason."""
    shown = one_line(address, 80)
    try:
        parts = urlsplit(re.sub(r"^[\w.-]+:\d+(?=/|$)", "", address))  # localhost:8501/lesson
        given = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=60))
    except ValueError:
        raise ValueError(f"{shown} is not an address") from None
    if parts.scheme not in ("", "http", "https"):
        raise ValueError(f"{shown} is not an address of this app; one looks like /lesson?name=bottleneck")
    path, below = parts.path.strip("/"), base.strip("/")
    page = path.removeprefix(below).strip("/") if path == below or path.startswith(f"{below}/") else path
    page = page or ENTRANCE
    if page not in pages:
        raise ValueError(f"this app has no page {one_line(page, 80)!r}; it has {', '.join(sorted(pages))}")
    words = {key: word for key, word in given.items() if key not in _OWN}
    for key, word in words.items():
        read = known(page, key)
        if read is None:
            raise ValueError(f"the page {page} has no {one_line(key, 40)!r}")
        try:
            read(word)
        except (ValueError, KeyError, OverflowError):
            raise ValueError(f"{key} cannot be {one_line(word, 80)!r} on the page {page}") from None
    return Slide(page, words)


def unpacked(word: str, pages: Collection[str], known: Known) -> Deck:
    """The deck of a word in an address, read as a file is. Raises ValueError where there is none in it."""
    try:
        packed = base64.urlsafe_b64decode(word[: 2 * LONGEST] + "=" * (-len(word) % 4))
        text = zlib.decompressobj().decompress(packed, _TEXT).decode()
    except (ValueError, zlib.error) as error:
        raise ValueError(f"there is no deck in this address ({error})") from None
    deck = read_deck(text, pages, known)
    if not deck.slides:
        raise ValueError("there is no slide in this address")
    return deck
