"""python -m aecore poster: a page of the app as a picture, as one HTML file, or several as a moving picture."""

import argparse
import io
from collections.abc import Callable
from contextlib import nullcontext
from itertools import groupby
from pathlib import Path
from typing import Any

from aecore.commands.terminal import Bar, Parser, say
from aecore.decks import Slide, read_deck, read_slide
from aecore.files import write_file

MOVING = (".webp", ".gif")
SIZE = (960, 540)
"""Pixels of a moving picture."""


def declare(command: Callable[[str, Any, str], Parser]) -> None:
    """Add this command to the parser."""
    poster = command("poster", _poster, "draw a page of the app into a picture or one HTML file")
    poster.add_argument(
        "address",
        metavar="ADDRESS",
        help="of a running server (http://...), or its path (/lesson?name=bottleneck), for which a server is started; "
        "for a moving picture, a text file with a path a line: a line that comes twice is shown twice as long",
    )
    poster.add_argument("--out", type=Path, required=True, metavar="FILE", help="ends in .png, .html, .webp or .gif")
    poster.add_argument("--dark", action="store_true", help="in the dark theme")
    poster.add_argument("--seconds", type=float, default=0.5, help="of each line of a moving picture (default 0.5)")


def _poster(options: argparse.Namespace) -> int:
    from aecore.poster import browser, poster, serving

    out, ending = options.out, options.out.suffix.lower()
    if ending not in (".png", ".html", *MOVING):
        raise ValueError(f"FILE is {out}; let it end in .png, .html, {' or '.join(MOVING)}")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"there is no folder {out.absolute().parent} to write into; create it first")
    slides = _slides(Path(options.address)) if ending in MOVING else []
    browser()
    whole = options.address.startswith(("http://", "https://"))
    if not whole and not slides:
        slides = [read_slide(options.address, _pages(), _any)]
    with nullcontext("") if whole else serving() as server:
        if ending in MOVING:
            content = _moving(server, slides, options)
        else:
            address = options.address if whole else server + slides[0].address
            content = poster(address, ending[1:], options.dark)
    write_file(out, content)
    return say(options, {"file": str(out), "bytes": len(content)}, f"{out}: {len(content) / 1e6:.2f} MB")


def _slides(path: Path) -> list[Slide]:
    deck = read_deck(path.read_text(encoding="utf-8"), _pages(), _any)
    if deck.problems or not deck.slides:
        raise ValueError(f"{path}: {'; '.join(map(str, deck.problems)) or 'there is no address in it'}")
    return list(deck.slides)


def _pages() -> set[str]:
    from aecore.poster import app

    return {path.stem for path in (app().parent / "pages").glob("[a-z]*.py")}


def _any(page: str, key: str) -> Callable[[str], Any]:
    """What an address says of a page is for the page to read."""
    return str


def _moving(server: str, slides: list[Slide], options: argparse.Namespace) -> bytes:
    """The pages one after another, for ever."""
    from PIL import Image

    from aecore.poster import film

    if not 0.05 <= options.seconds <= 60:
        raise ValueError(f"--seconds is {options.seconds:g}; choose 0.05 to 60")
    shown = [(address, len(list(same))) for address, same in groupby(slide.address for slide in slides)]
    bar = (lambda done, of: None) if options.json else Bar("pages", unit=" pages")
    pictures = film([server + address for address, _ in shown], options.dark, bar)
    frames = [Image.open(io.BytesIO(picture)).convert("RGB").resize(SIZE) for picture in pictures]
    times = [round(1000 * options.seconds * count) for _, count in shown]
    buffer = io.BytesIO()
    kind = options.out.suffix[1:].lower()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=times, loop=0, quality=80, method=6)
    return buffer.getvalue()
