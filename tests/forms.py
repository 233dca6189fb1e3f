"""The same 24 images of two classes in every form in which images come in."""

import csv
import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from aecore.data.own import Wishes

WISHES = Wishes(8, 1)
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 8, 8), np.uint8)
LABELS = np.arange(24) % 2
WORDS = ("cat", "dog")


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def files() -> dict[str, bytes]:
    return {
        f"{WORDS[label]}/{row:02}.png": png(image)
        for row, (image, label) in enumerate(zip(PIXELS, LABELS, strict=True))
    }


def as_folder(path: Path) -> Path:
    for name, content in files().items():
        (path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "in" / name).write_bytes(content)
    return path / "in"


def as_zip(path: Path) -> Path:
    with zipfile.ZipFile(path / "in.zip", "w") as archive:
        for name, content in files().items():
            archive.writestr(name, content)
    return path / "in.zip"


def as_tar(path: Path) -> Path:
    with tarfile.open(path / "in.tar.gz", "w:gz") as archive:
        for name, content in files().items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path / "in.tar.gz"


def as_npz(path: Path) -> Path:
    np.savez_compressed(path / "in.npz", x=PIXELS, y=np.array(WORDS)[LABELS])
    return path / "in.npz"


def as_floats(path: Path) -> Path:
    np.savez(path / "in.npz", images=(PIXELS / np.float32(255))[..., None], labels=LABELS)
    return path / "in.npz"


def as_idx(path: Path) -> Path:
    folder = path / "in"
    folder.mkdir()
    with gzip.open(folder / "train-images-idx3-ubyte.gz", "wb") as file:
        file.write(struct.pack(">4B3I", 0, 0, 8, 3, *PIXELS.shape) + PIXELS.tobytes())
    (folder / "train-labels-idx1-ubyte").write_bytes(
        struct.pack(">4BI", 0, 0, 8, 1, len(LABELS)) + LABELS.astype(np.uint8).tobytes()
    )
    return folder


def as_csv(path: Path) -> Path:
    rows = [["label", *(f"pixel{n}" for n in range(64))]]
    rows += [[WORDS[label], *image.ravel()] for image, label in zip(PIXELS, LABELS, strict=True)]
    with (path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path / "in.csv"


def as_parquet(path: Path) -> Path:
    import pyarrow
    from pyarrow import parquet

    features = {"image": {"_type": "Image"}, "label": {"names": list(WORDS), "_type": "ClassLabel"}}
    images = [{"bytes": png(image), "path": f"{row:02}.png"} for row, image in enumerate(PIXELS)]
    table = pyarrow.table({"image": images, "label": LABELS.tolist()})
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    parquet.write_table(table.replace_schema_metadata(about), path / "in.parquet")
    return path / "in.parquet"


FORMS: dict[str, Callable[[Path], Path]] = {
    form.__name__: form for form in (as_folder, as_zip, as_tar, as_npz, as_floats, as_idx, as_csv, as_parquet)
}


def npz(**columns: np.ndarray) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    np.savez(buffer, **columns)
    return "in.npz", buffer.getvalue()


def zipped(content: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in content.items():
            archive.writestr(name, body)
    return buffer.getvalue()
