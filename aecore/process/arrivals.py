"""Images on their way in: what a visitor sent, or where it lies on this machine, until it is a set or is thrown away.

A parcel of them has a folder in AECORE_HOME under a secret name. To look at it and to keep it are tasks: no byte of it
is read in the server.
"""

import json
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from aecore.data import own, own_names
from aecore.data.intake import Look, bring_in, extend, look
from aecore.data.own import Wishes
from aecore.data.pictures import InputRejected, Picture
from aecore.data.sources import Bounds
from aecore.files import home, remove, saving, write_file
from aecore.process.limits import check, limit
from aecore.process.tasks import Progress, Task, task

KEPT = 86_400.0
"""Seconds after which images that nobody made a set of are deleted."""
MEMORY = 512 * 2**20
"""Bytes that reading them may take beyond what the process has when it begins."""
_ABOUT, _FILES = "arrival.json", "files"


@saving()
def receive(files: Iterable[tuple[str, IO[bytes]]], owner: str = "") -> str:
    """Put the files that a visitor sent aside; returns the name of what arrived. Raises InputRejected."""
    key, folder = _new()
    try:
        _put_aside(files, folder, owner)
    except (OSError, ValueError):
        remove(folder)
        raise
    return key


def _put_aside(files: Iterable[tuple[str, IO[bytes]]], folder: Path, owner: str) -> None:
    (folder / _FILES).mkdir()
    _tell(folder, {"owner": owner})  # whose it is, before there is anything of it
    before, every = (_megabytes(owner), _megabytes()) if owner else (0.0, 0.0)
    size = number = 0
    for name, file in files:
        number += 1
        safe = "".join(letter if letter.isalnum() or letter in "-_. " else "_" for letter in PurePosixPath(name).name)
        path = folder / _FILES / (safe.lstrip(". ")[-80:] or f"file-{number}")
        if path.exists():
            path = path.with_name(f"{number}-{path.name}")
        with path.open("wb") as out:
            shutil.copyfileobj(file, out, 2**20)
        size += path.stat().st_size
        if owner:
            check("AECORE_MAX_MB", before + size / 1e6)
            check("AECORE_MAX_ALL_MB", every + size / 1e6)
    if not number:
        raise InputRejected("There is no file.")
    names = [path.name for path in (folder / _FILES).iterdir()]
    _tell(folder, {"path": str(folder / _FILES), "owner": owner, "called": _stem(names[0]) if number == 1 else ""})


def point_at(path: str) -> str:
    """Name a folder or file on this machine, for its owner; returns the name of what arrived. Raises InputRejected."""
    found = Path(path.strip().strip("\"'")).expanduser()
    if not path.strip() or not found.exists():
        raise InputRejected(f"There is no file or folder {path.strip()[:200]!r} on this machine.")
    key, folder = _new()
    _tell(folder, {"path": str(found.absolute()), "owner": "", "called": _stem(found.absolute().name)})
    return key


def called(key: str) -> str:
    """What people may call what arrived: as its file or folder is; empty for several files."""
    return about_of(key)["called"]


def _stem(name: str) -> str:
    return name.partition(".")[0].replace("_", " ").replace("-", " ").strip()[:80].capitalize()


def about_of(key: str) -> dict[str, Any]:
    """What is known of what arrived: path, owner, called, and how it is to be kept. Raises InputRejected."""
    return json.loads((folder_of(key) / _ABOUT).read_bytes())


def throw_away(key: str) -> None:
    """Delete what arrived; a folder of this machine that was only named stays."""
    with suppress(InputRejected):
        remove(folder_of(key))


def first_look(key: str, wishes: Wishes | None) -> Task:
    """The task of looking at what arrived, as the wishes, or the suggested ones, make of it; see `seen`."""
    return _looked(key, *(_words(wishes) if wishes else ()))


def keeping(key: str, name: str, wishes: Wishes, title: str, source: str) -> Task:
    """The task of keeping what arrived as a set. Raises InputRejected for a name that is taken, ValueError beyond the
    limits of this server."""
    folder, about = folder_of(key), about_of(key)
    own.free_folder(name)
    if about["owner"]:
        check("AECORE_MAX_SETS", len(own_names(about["owner"])) + 1)
        check("AECORE_MAX_ALL_MB", _megabytes())
    ticket = secrets.token_hex(4)  # an answer to an earlier try does not count
    _tell(folder, about | {"name": name, "title": title, "source": source, "wishes": asdict(wishes)})
    return _kept(key, ticket)


def extending(key: str, name: str) -> Task:
    """The task of adding what arrived to a set of the same visitor. Raises InputRejected for any other set, ValueError
    beyond the limits of this server."""
    folder, about = folder_of(key), about_of(key)
    if name not in own_names(about["owner"]):
        raise InputRejected("That set is not here any more; choose another one.")
    if about["owner"]:
        check("AECORE_MAX_ALL_MB", _megabytes())
    _tell(folder, about | {"name": name})
    return _added(key, secrets.token_hex(4))


def free_name(title: str, secret: bool = False) -> str:
    """A name for a set that is not taken, made from its title; for a visitor's, one that nobody guesses."""
    words = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in title.lower())
    stem = "_".join(filter(None, words.split("_")))[:28] or "images"
    name, number = f"{stem}_{secrets.token_hex(4)}" if secret else stem, 1
    while own.name_problem(name):
        number += 1
        name = f"{stem}_{number}"
    return name


@task(2, queued=False, memory=MEMORY)
def _looked(key: str, *rest: Any) -> list[np.ndarray]:
    wishes, _ = rest[:-1], rest[-1]
    about = about_of(key)
    found = look(Path(about["path"]), _wishes(wishes) if wishes else None, bounds_of(about["owner"]))
    said = {name: value for name, value in vars(found).items() if name not in ("shown", "suggested")}
    said |= {"suggested": asdict(found.suggested), "shown": [[id, _facts(picture)] for id, picture in found.shown]}
    thumbnails = [picture.thumbnail for _, picture in found.shown]
    return [
        np.frombuffer(json.dumps(said).encode(), np.uint8),
        np.stack([picture.pixels for _, picture in found.shown]),
        np.frombuffer(b"".join(thumbnails), np.uint8),
        np.array([len(thumbnail) for thumbnail in thumbnails]),
    ]


def seen(answer: list[np.ndarray]) -> Look:
    """What a first look found."""
    said, pixels, thumbnails, lengths = answer
    known: dict[str, Any] = json.loads(said.tobytes())
    ends = np.cumsum(lengths)
    shown = [
        (
            id,
            Picture(pixels[place], thumbnail=thumbnails[ends[place] - lengths[place] : ends[place]].tobytes(), **facts),
        )
        for place, (id, facts) in enumerate(known.pop("shown"))
    ]
    suggested = Wishes(**known.pop("suggested"))
    known |= {name: tuple(known[name]) for name in ("sizes", "levels")}
    known["skipped"] = [tuple(pair) for pair in known["skipped"]]
    return Look(suggested=suggested, shown=shown, **known)


@task(1, memory=MEMORY)
def _kept(key: str, ticket: str, progress: Progress) -> list[np.ndarray]:
    folder, about = folder_of(key), about_of(key)
    known = bring_in(
        Path(about["path"]), about["name"], Wishes(**about["wishes"]), about["title"], about["source"],
        bounds=bounds_of(about["owner"]), owner=about["owner"], progress=progress,
    )  # fmt: skip
    remove(folder)
    return [np.frombuffer(json.dumps(known).encode(), np.uint8)]


@task(1, memory=MEMORY)
def _added(key: str, ticket: str, progress: Progress) -> list[np.ndarray]:
    folder, about = folder_of(key), about_of(key)
    bounds, known = bounds_of(about["owner"]), own.about(about["name"])
    bounds = replace(bounds, images=max(0, bounds.images - known["train"] - known["test"]))
    known = extend(about["name"], Path(about["path"]), bounds, progress)
    remove(folder)
    return [np.frombuffer(json.dumps(known).encode(), np.uint8)]


def _facts(picture: Picture) -> dict[str, Any]:
    return {
        "width": picture.width, "height": picture.height, "edge": float(picture.edge), "notes": list(picture.notes),
        "colored": picture.colored,
    }  # fmt: skip


def _words(wishes: Wishes) -> tuple[Any, ...]:
    return tuple(asdict(wishes).values())


def _wishes(words: tuple[Any, ...]) -> Wishes:
    return Wishes(**dict(zip(asdict(Wishes()), words, strict=True)))


def bounds_of(owner: str) -> Bounds:
    """What one visitor may bring; the owner of this machine anything."""
    if not owner:
        return Bounds()
    return Bounds(limit("AECORE_MAX_IMAGES"), limit("AECORE_MAX_MB") * 1e6, limit("AECORE_MAX_MEGAPIXELS") * 1e6)


def _megabytes(owner: str = "") -> float:
    """Of what waits to be kept, of one visitor or of all; of all, their sets, too."""
    folders = [home() / "datasets" / name for name in own_names() if not owner and own.owner_of(name)]
    for path in (home() / "arrivals").glob("*"):
        with suppress(InputRejected, OSError, ValueError):
            whose = about_of(path.name)["owner"]
            folders += [path] if whose and owner in ("", whose) else []
    size = 0
    for folder in folders:
        for path in folder.rglob("*"):
            with suppress(OSError):
                size += path.stat().st_size
    return size / 1e6


@saving()
def _new() -> tuple[str, Path]:
    root = home() / "arrivals"
    root.mkdir(parents=True, exist_ok=True)
    for path in root.iterdir():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT:
                remove(path)
    key = secrets.token_hex(16)
    (root / key).mkdir()
    return key, root / key


def folder_of(key: str) -> Path:
    """Where what arrived lies; names are looked up, never joined into a path. Raises InputRejected."""
    root = home() / "arrivals"
    for path in root.iterdir() if root.is_dir() else ():
        if path.name == key:
            return path
    raise InputRejected("These images are no longer here; add them again.")


def _tell(folder: Path, about: Mapping[str, Any]) -> None:
    write_file(folder / _ABOUT, json.dumps(about).encode())
