"""What the Denoise page shows below its pictures: levels, repetitions, whole sets."""

import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from aecore.charts import bars, sweep
from aecore.data import pictures, revision
from aecore.measure.filters import FILTERS
from aecore.measure.repair import COUNT, LEVELS, NOTHING, again, repair_all, trained_on
from aecore.process.questions import filtered
from pages import _cached, _controls
from pages._view import View
from pages._widgets import all_runs, titles
from pages._words import counted
from pages.acts.wait import answer
from pages.components.gallery import gallery

if TYPE_CHECKING:
    from aecore import Checkpoint

MOST = 10
"""Runs that repair at the same time."""


@dataclass(frozen=True)
class Noise:
    """What the controls at the top of the page say."""

    kind: str
    level: float
    clip: bool
    seed: int


@dataclass(frozen=True, eq=False)
class Repaired:
    """A whole set, repaired by a run into a file: from which files, inverted or not; what was told of every entry."""

    of: tuple[Any, ...]
    file: IO[bytes]
    told: list[tuple[str, str | None]]


def runs_of_shape(view: View) -> "dict[str, Checkpoint]":
    """The run of the page, and the newest others for images of its shape; damaged ones and the rest are left out."""
    from aecore.store import DamagedRun

    found: dict[str, Checkpoint] = {}
    shape = _cached.shape(view)
    for run in [view.run, *(id for id in all_runs() if id != view.run)]:
        try:
            other = _cached.newest(run)
            if _cached.shape(other) == shape:
                found[run] = _cached.checkpoint(other)
        except DamagedRun:
            continue
        if len(found) == MOST:
            break
    return found


def over_levels(runs: "dict[str, Checkpoint]", first: str, noise: Noise) -> None:
    """PSNR over the level of the noise, level by level as they are measured."""
    short, name = titles(), runs[first].run.dataset
    same = [id for id, checkpoint in runs.items() if checkpoint.run.dataset == name]
    opening = [id for id in same if id == first or trained_on(runs[id].run)]
    options = {id: short[id] for id in same}
    chosen = _controls.several("sweep", "Runs", options, opening, (name,), label_visibility="collapsed")
    chart = st.empty()
    rows = [
        {"name": short[id], "by": "run", "level": level}
        | _cached.repaired_by_run(_cached.newest(id), noise.kind, level, noise.clip, noise.seed)
        for id in chosen
        for level in LEVELS
    ]
    question = filtered(name, revision(name), noise.kind, noise.clip, noise.seed)
    if scores := answer(question, "Fitting every filter to every level"):
        rows += [
            {"name": filter, "by": "filter", "level": level, "mean": mean, "error": error}
            for level, found in zip(LEVELS, scores[0], strict=True)
            for filter, (mean, error) in zip((NOTHING, *FILTERS), found.tolist(), strict=True)
            if np.isfinite(mean)
        ]
    trained = [(short[id], on[1]) for id in chosen if (on := trained_on(runs[id].run)) and on[0] == noise.kind]
    chart.altair_chart(sweep(rows, trained, noise.level), height=380, alt="PSNR over the level of the noise")
    count = min(COUNT, len(_cached.dataset(name).test))
    st.caption(
        f"Mean over the first {count} test images, seed {noise.seed}, with 95% confidence intervals. Filters are "
        "dashed: they are fitted to each level, while a run is trained once. Noisy images are "
        f"{'clipped to [0, 1]' if noise.clip else 'not clipped'}."
    )


def walk(checkpoint: "Checkpoint", name: str, noisy: np.ndarray) -> None:
    """The autoencoder applied again and again: where the picture goes, and how far with every step."""
    times = _controls.slider("times", "Times", 1, 10, 5, width=240)
    images, steps = again(checkpoint, noisy, times)
    lines = [["noisy"], *([f"{time}", f"step {step:.4f}"] for time, step in enumerate(steps, start=1))]
    gallery(images, lines, "walk", "The image after every pass", side=80, most=130)
    st.altair_chart(bars(steps, "pass", "step length"), height=180, alt="Length of every step")
    st.caption(
        f"{name} applied to its own output. A step is the RMS change of the pixels. Images that the network can "
        "reconstruct stay as they are, so short steps mean that one has been reached."
    )


def whole_set(checkpoint: "Checkpoint", run: str, name: str) -> None:
    """A zip or a folder of pictures in, a zip of repaired ones out."""
    height, width = checkpoint.network.shape[1:]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        way = st.segmented_control("Input", ["Zip", "Folder"], default="Zip", required=True, key="set-way")
        invert = st.toggle(
            "Invert", key="set-invert", help="Swap black and white before the network sees the pictures."
        )
    kinds = ["zip"] if way == "Zip" else list(pictures.SUFFIXES)
    given = st.file_uploader(
        f"Noisy pictures, resized to {width} x {height} pixels", kinds, key=f"set-{way}",
        accept_multiple_files=False if way == "Zip" else "directory",
    )  # fmt: skip
    files = [] if not given else [given] if way == "Zip" else given
    of = (run, invert, *(file.file_id for file in files))
    if given and st.button(f"Denoise all with {name}", type="primary", key="repair-all"):
        out = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as what the session keeps of it
        bar, told = st.progress(0.0, "Reading"), []
        try:
            with pictures.Reader(checkpoint.network.shape, invert) as reader:
                total = pictures.count_files(given) if way == "Zip" else len(given)
                entries = pictures.unpack(given, reader) if way == "Zip" else pictures.read_all(_files(given), reader)
                for entry in repair_all(entries, checkpoint, out):
                    told.append(entry)
                    bar.progress(len(told) / total, f"{len(told):,} of {total:,}")
        except pictures.InputRejected as error:
            st.text(str(error))
            out.close()
            return
        finally:
            bar.empty()
        st.session_state["repaired"] = done = Repaired(of, out, told)
        weakref.finalize(done, out.close)
    done = st.session_state.get("repaired")
    if done and done.of == of:
        skipped = [{"file": file, "skipped because": problem} for file, problem in done.told if problem]
        count = len(done.told) - len(skipped)
        st.write(f"{counted(count, 'picture')} denoised, {counted(len(skipped), 'file')} skipped.")
        if count:
            st.download_button(
                "Download the zip", lambda: _whole(done.file), "repaired.zip", "application/zip", type="primary"
            )
        if skipped:
            st.dataframe(skipped, hide_index=True)


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _files(given: list[IO[bytes]]) -> list[tuple[str, IO[bytes]]]:
    """A folder's files by their names, which are never used as a path here."""
    return [(Path(file.name).name, file) for file in given]
