"""python -m aecore import, sets: one's own images."""

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aecore.commands.terminal import Bar, Parser, say

if TYPE_CHECKING:
    from aecore.data import Progress


def declare(command: Callable[[str, Any, str], Parser]) -> None:
    """Add these commands to the parser."""
    bring = command("import", _import, "bring in your own images: a folder, zip, tar.gz, npz, IDX, Parquet or CSV file")
    bring.add_argument("path", type=Path, metavar="PATH", help="the folder or file")
    bring.add_argument("--name", help="what commands call the set: lowercase letters, digits and underscores")
    bring.add_argument(
        "--add", metavar="NAME", help="add the images to this set of yours, with the settings it was made with"
    )
    bring.add_argument("--title", default="", help="what people call it (default: the name)")
    bring.add_argument("--source", default="", help="where the images come from, their license and citation")
    bring.add_argument("--side", type=int, help="height and width in pixels, 8 to 128 (default: what fits the images)")
    bring.add_argument("--channels", type=int, choices=(1, 3), help="1 for gray, 3 for color (default: what fits)")
    bring.add_name("--fit", "aecore.data.decoder:FITS", default="pad")
    bring.add_name("--ground", "aecore.data.decoder:GROUNDS", default="white")
    bring.add_argument("--invert", action="store_true", help="swap black and white")
    bring.add_argument("--seed", type=int, default=0, help="which images are held out (default 0)")
    bring.add_argument("--look", action="store_true", help="only say what is in it, and keep nothing")
    sets = command("sets", _sets, "list the datasets")
    sets.add_argument("--delete", metavar="NAME", help="delete one of your own permanently")


def _import(options: argparse.Namespace) -> int:
    from aecore.data.intake import bring_in, look
    from aecore.data.own import Wishes

    if options.add:
        return _extend(options)
    given = {"fit": options.fit, "ground": options.ground, "invert": options.invert}
    seen = None if options.side and options.channels and not options.look else look(options.path)
    side, channels = options.side or seen.suggested.side, options.channels or seen.suggested.channels
    wishes = Wishes(side, channels, **given)
    if options.look:
        found = {
            "kind": seen.kind, "count": seen.count, "looked_at": seen.read, "sides": seen.sizes,
            "levels": seen.levels, "copies": seen.copies, "classes": seen.classes, "parts": seen.parts,
            "suggested": dataclasses.asdict(seen.suggested), "light": seen.light,
            "skipped": [list(pair) for pair in seen.skipped],
        }  # fmt: skip
        text = (
            f"{seen.kind}, {seen.count or 'unknown number of'} images; of the first {seen.read}: shorter side "
            f"{seen.sizes[0]} to {seen.sizes[2]} pixels, {len(seen.classes)} classes, {len(seen.skipped)} skipped. "
            f"Suggested: --side {seen.suggested.side} --channels {seen.suggested.channels}"
        )
        return say(options, found, "\n".join([text, *(f"skipped {id}: {why}" for id, why in seen.skipped[:100])]))
    if not options.name:
        raise ValueError("the set needs a name: --name NAME, of lowercase letters, digits and underscores")
    bar = _bar(options, options.name)
    known = bring_in(options.path, options.name, wishes, options.title, options.source, options.seed, progress=bar)
    text = (
        f"{options.name}: {known['train']:,} images to train on, {known['test']:,} held out, {known['skipped']:,} "
        f"skipped, {known['copies']:,} copies of others; {side}x{side}, {'gray' if channels == 1 else 'color'}\n"
        f"Train on it: python -m aecore train {options.name}"
    )
    return say(options, known, text)


def _extend(options: argparse.Namespace) -> int:
    from aecore.data.intake import extend

    known = extend(_own(options.add), options.path, progress=_bar(options, options.add))
    text = (
        f"{options.add}: now {known['train']:,} images to train on, {known['test']:,} held out; runs that were trained "
        "before show the new ones, too"
    )
    return say(options, known, text)


def _bar(options: argparse.Namespace, name: str) -> "Progress":
    return (lambda done, of: None) if options.json else Bar(name, unit=" images")


def _own(name: str) -> str:
    from aecore.data import own_names

    if name not in own_names():
        raise ValueError(f"{name[:80]!r} is not one of your sets; choose one of {', '.join(own_names()) or 'none'}")
    return name


def _sets(options: argparse.Namespace) -> int:
    from aecore.data import DATASETS, is_here, own_names
    from aecore.data.own import about, delete_own

    if options.delete:
        delete_own(_own(options.delete))
        return say(options, {"deleted": options.delete}, f"{options.delete} is deleted")
    rows = [{"name": name, "title": entry.title, "here": is_here(name)} for name, entry in DATASETS.items()]
    rows += [{"name": name, "here": True, **_facts(about(name))} for name in own_names()]
    lines = [
        f"{row['name']:<24} {row['title']}" + (f"  {row['train']:,} + {row['test']:,} images" if "train" in row else "")
        for row in rows
    ]
    return say(options, rows, "\n".join(lines))


def _facts(known: dict[str, Any]) -> dict[str, Any]:
    return {name: known[name] for name in ("title", "train", "test", "source", "kind")}
