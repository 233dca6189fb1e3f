"""Bringing images in: seconds per image and peak memory, at counts that grow tenfold.

    python tests/benchmarks/bring.py [counts, by default 10000 100000]

Photographs: small JPEG files in a zip, decoded by two processes. Arrays: gray images of 32x32 in an NPZ file, then a
training of one epoch, their codes, exact search, search by faiss if it is installed and there are enough codes, and the
map, each from a process of its own. The peak is of what the processes of a step have for themselves, looked at twenty
times a second: not of files that are mapped.
"""

import io
import os
import sys
import tempfile
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

ROOT = Path(__file__).parents[2]

SEARCH = "import numpy as np; codes = np.load('codes.npy', 'r'); aecore.Index(codes).nearest(codes[0])"
STEPS = {
    "train": "run = aecore.Run('many', aecore.models.Vanilla(latent=32), width=256, epochs=1, batch_size=512)\n"
    "aecore.Store().save([*aecore.train(run)][-1])",
    "embed": "import numpy as np; c = aecore.Store().load(aecore.Store().ids()[0])\n"
    "np.save('codes.npy', c.encode(aecore.load_dataset('many').train.images))",
    "index": "import sys; sys.modules['faiss'] = None\n" + SEARCH,
    "faiss": SEARCH,
    "map": "import numpy as np; from aecore import manifold; codes = np.load('codes.npy', 'r')\n"
    "manifold.project(codes, *manifold.axes(codes[:20_000]))",
}


def photographs(path: Path, count: int) -> None:
    """A zip of small JPEG files in ten folders."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (64, 7, 7, 3), np.uint8)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            image = Image.fromarray(base[number % 64] + np.uint8(number % 7)).resize((48 + number % 40, 48))
            buffer = io.BytesIO()
            image.save(buffer, "JPEG")
            archive.writestr(f"{number % 10}/{number}.jpg", buffer.getvalue())


def arrays(path: Path, count: int) -> None:
    """Gray images of 32x32: a square of chance, and noise."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 40, (count, 32, 32), np.uint8)
    for number, (top, left, side) in enumerate(rng.integers(2, 16, (count, 3))):
        images[number, top : top + side, left : left + side] += 180
    np.savez(path, x=images)


def measure(folder: Path, *words: str) -> tuple[float, float]:
    """Seconds and peak megabytes of a Python process and its children."""
    environment = {**os.environ, "AECORE_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    begun, peak = time.monotonic(), 0.0
    with (folder / "said").open("w+") as said:
        process = psutil.Popen([sys.executable, *words], cwd=folder, env=environment, stdout=said, stderr=said)
        while process.poll() is None:
            peak = max(peak, _own(process))
            time.sleep(0.05)
        took = time.monotonic() - begun
        if process.returncode:
            said.seek(0)
            raise RuntimeError(said.read()[-2000:])
    return took, peak


def _own(process: psutil.Process) -> float:
    total = 0.0
    with suppress(psutil.Error, OSError):
        for each in [process, *process.children(recursive=True)]:
            with open(f"/proc/{each.pid}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
    return total / 1024


def main() -> None:
    """Print a table."""
    print(f"{'step':<14}{'images':>10}{'s':>8}{'images/s':>10}{'peak MB':>9}")
    for count in [int(word) for word in sys.argv[1:]] or [10_000, 100_000]:
        for name, make in {"photographs": photographs, "arrays": arrays}.items():
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                source = folder / ("in.zip" if make is photographs else "in.npz")
                make(source, count)
                bring = ["import", str(source), "--name", "many", "--side", "32", "--json"]
                steps = {name: ["-m", "aecore", *bring, "--channels", "3" if make is photographs else "1"]}
                if make is arrays:
                    steps |= {
                        step: ["-c", f"import aecore; from aecore import models\n{code}"]
                        for step, code in STEPS.items()
                    }
                for step, words in steps.items():
                    took, peak = measure(folder, *words)
                    print(f"{step:<14}{count:>10,}{took:8.1f}{count / took:10,.0f}{peak:9.0f}", flush=True)


if __name__ == "__main__":
    main()
