"""A run as one file: to take along from a host that forgets its disk, and to bring back."""

import hashlib
import io
import json
import zipfile
import zlib

from aecore.data import DATASETS
from aecore.data.own import NAME
from aecore.files import remove, write_folder
from aecore.folders import LONGEST_NAME, SETTINGS, SNAPSHOTS, name_of, rename, run_folders
from aecore.runs import Run
from aecore.store import DamagedRun, Store

MOST = 64 * 2**20
"""Bytes that a parcel may unpack to."""
LIGHT = 16 * 2**20
"""Bytes from which on a parcel leaves out what only training needs."""

_NEEDED = ("weights.safetensors", "history.json", "manifest.json")
_TRAINING, _NAME = "training.safetensors", "name.txt"


class Refused(ValueError):
    """A parcel that is not one, or that this store cannot take."""


def pack(store: Store, id: str) -> bytes:
    """The settings and the newest snapshot of a run, as a zip. Raises UnknownRun, DamagedRun.

    With its training state where the whole stays below 16 MB: only then can training continue from it elsewhere.
    """
    path = store.path(id)
    snapshot = path / SNAPSHOTS / store.stamp(id)
    files = {SETTINGS: (path / SETTINGS).read_bytes()}
    if name := name_of(path):
        files[_NAME] = name.encode()
    files |= {entry.name: entry.read_bytes() for entry in sorted(snapshot.iterdir())}
    if "weights.xz" in files:
        raise DamagedRun(f"run {id!r} came with the app, in a form for viewing only; train it here to take it along")
    if sum(map(len, files.values())) > LIGHT and _TRAINING in files:
        del files[_TRAINING]
        manifest = json.loads(files["manifest.json"])
        del manifest["sha256"][_TRAINING]
        files["manifest.json"] = json.dumps(manifest, indent=1).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def unpack(content: bytes, store: Store) -> Run:
    """Put the run of a parcel into a store that does not have it. Raises Refused.

    It is read as data alone, and nothing of it is visible in the store unless all of it is sound.
    """
    files = _files(content)
    run = _settings(files)
    here = f"run {run.id} is here already; delete it first to bring back this one"
    if run.id in [path.name for path in run_folders(store.folder)]:
        raise Refused(here)
    digest = hashlib.sha256(files["manifest.json"]).hexdigest()[:12]
    aside = Store(store.folder / f".arriving-{run.id}")
    try:
        path = aside.create(run)
        (path / SNAPSHOTS).mkdir()
        kept = {name: body for name, body in files.items() if name not in (SETTINGS, _NAME)}
        rename(path, files.get(_NAME, b"").decode(errors="replace")[:LONGEST_NAME])
        write_folder(path / SNAPSHOTS / f"000000001-{digest}", kept)
        aside.load(run.id, training=_TRAINING in files)
        path.rename(store.folder / run.id)
    except DamagedRun as error:
        raise Refused(f"this file does not hold a valid run: {error}") from error
    except FileExistsError as error:  # another visitor was faster
        raise Refused(here) from error
    finally:
        remove(aside.folder)
    return run


def _settings(files: dict[str, bytes]) -> Run:
    try:
        settings = json.loads(files[SETTINGS])
        if settings["dataset"] not in DATASETS and not NAME.fullmatch(settings["dataset"]):  # it becomes part of a path
            raise ValueError("its images have no name that is allowed")
        run = Run.from_file(settings)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise Refused(f"the settings in this file cannot be read ({str(error)[:200]})") from error
    return run


def _files(content: bytes) -> dict[str, bytes]:
    """What is in the zip, by name; only what belongs into a parcel, and no more than MOST bytes of it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            known = {SETTINGS, *_NEEDED, _TRAINING, _NAME}
            if len(set(names)) != len(names) or not {SETTINGS, *_NEEDED} <= set(names) <= known:
                raise Refused("this zip does not hold a run; choose a file that was downloaded from the Train page")
            files, left = {}, MOST
            for entry in entries:
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
                    raise Refused(
                        "this zip is encrypted or uses an unsupported compression; choose a file that was downloaded "
                        "from the Train page"
                    )
                with archive.open(entry) as file:
                    files[entry.filename] = file.read(left + 1)
                left -= len(files[entry.filename])
                if left < 0:
                    raise Refused(f"this zip unpacks to more than {MOST // 2**20} MiB")
            return files
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused("this file is not a readable zip") from error
