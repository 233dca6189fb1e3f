"""Controls that two pages or more use."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import streamlit as st

from aecore.data import DATASETS, Unavailable, dataset_title, fetch, is_here, own_names, revision
from aecore.folders import SETTINGS, SHIPPED, folder_of, name_of, own_runs, run_folders
from aecore.process.jobs import LIVE, Job
from pages import _cached, _controls, _view
from pages._address import words_of
from pages._memory import give_up
from pages._view import View
from pages._visitor import drawer, may, owner, token
from pages._words import counted, plain, sentence

if TYPE_CHECKING:
    import altair as alt
    import numpy as np

    from aecore import Dataset

PAGES = Path(__file__).parent
SHORT = 26
"""Letters that the box of runs shows."""


def go(page: str, **parameters: Any) -> NoReturn:
    """Switch to another page, as it was left but for these values."""
    st.switch_page(PAGES / f"{page}.py", query_params=_view.link(page, **parameters))


@contextmanager
def toasting() -> Iterator[None]:
    """Around an act of the visitor: where it cannot be done, a toast says why, on the next drawing of the page.

    In the callback of a fragment, nothing can be shown.
    """
    try:
        yield
    except ValueError as error:
        st.session_state["toast"], st.session_state["redraw"] = sentence(error), True


def open_view(page: str, **parameters: Any) -> NoReturn:
    """Switch to another page's opening view, but for these values."""
    st.switch_page(PAGES / f"{page}.py", query_params=words_of(page, parameters))


def start(recipe: str) -> None:
    """Start the training of a recipe, or find it running, and watch it; says why where that is not allowed."""
    try:
        run = start_run(_cached.recipes()[recipe]["run"])
    except ValueError as error:
        st.error(sentence(error))
    else:
        go("train", run=run)


def start_run(settings: dict[str, Any]) -> str:
    """Start a training in a process of its own; returns the run's id.

    Raises ValueError for settings that are impossible, beyond the limits of this server, or another visitor's run.
    """
    return start_runs([settings])[0]


def start_runs(several: Sequence[dict[str, Any]]) -> list[str]:
    """Start several trainings, one after another, or none of them; returns the ids of the runs.

    The other pages show next what a visitor trains: the first of them is picked. Raises ValueError as `start_run` does,
    before any of them begins.
    """
    from aecore import Run, Store
    from aecore.process import visitors

    runs, store = [Run.from_dict(settings) for settings in several], Store(own_runs())
    try:
        jobs = visitors.start_all(runs, store, token())
    except visitors.Crowded as crowded:
        if not give_up(crowded.missing):
            raise
        jobs = visitors.start_all(runs, store, token())
    if not all(may(job) for job in jobs):
        st.toast("Somebody else has a run with these settings; here it is. For your own, choose another seed.")
    _view.pick(jobs[0].id)
    return [job.id for job in jobs]


def all_runs() -> list[str]:
    """Ids of all runs: one's own, other visitors', the shipped ones; the newest first."""
    return list(_folders())


def sets() -> dict[str, str]:
    """Name -> title of every set of images that this visitor may see: one's own, the newest first, then the others."""
    names = [*own_names(None if owner() else drawer()), *DATASETS]
    titles = {name: dataset_title(name) for name in names}
    counts = Counter(titles.values())
    return {name: title if counts[title] == 1 else f"{title} · {name}" for name, title in titles.items()}


def _folders() -> dict[str, Path]:
    """The folders of all runs by id, in the order of `all_runs`; of a shipped run that was trained here, that one.

    Runs on the images of another visitor would show these, and are left out, even once the images are deleted.
    """
    seen = sets()

    def rank(path: Path) -> tuple[bool, float]:
        return not may(Job(path)), -(path / SETTINGS).stat().st_mtime  # the folder's own time changes with each file

    folders = [path for path in run_folders(own_runs()) if path.name.partition("-")[0] in seen or may(Job(path))]
    own = {path.name: path for path in sorted(folders, key=rank)}
    return own | {path.name: path for path in run_folders(SHIPPED) if path.name not in own}


def titles() -> dict[str, str]:
    """What every run is called: the name that this visitor gave it, its recipe's title, or its settings."""
    folders = _folders()
    found = _cached.titles(tuple(sorted(folders)))
    named = {run: (may(Job(path)) and name_of(path)) or found[run] for run, path in folders.items()}
    counts = Counter(named.values())
    return {run: name if counts[name] == 1 else f"{name} · {run[-4:]}" for run, name in named.items()}


def pick_run(opening: str | None) -> str | None:
    """The run that the page is about: the one it was led to, the visitor's pick, or the one it opens on."""
    names = titles()
    ids = list(names)
    asked = _view.get("run") or (_view.get("run") is None and _view.picked())
    if asked and asked not in ids:
        _view.pick(None)
        _view.put("run", None)
    run = asked if asked in ids else opening if opening in ids else next(iter(ids), None)
    if asked and asked != run:
        shown = f"; here is {plain(names[run])}" if run else ""
        st.toast(f"This server has no run {plain(asked[:80])}{shown}.", duration="long")
    _view.hand("run", run, names.get(run))
    with st.sidebar:
        st.selectbox("Run", ids, ids.index(run) if run else None, key="run", placeholder="none yet",
                     format_func=names.get, on_change=_pick)  # fmt: skip
        if run and len(names[run]) > SHORT:  # the box cuts the end, which tells it from others
            st.caption(plain(names[run]))
    return run


def _pick() -> None:
    _view.pick(st.session_state["run"])


def opening_run(recipe: str) -> str:
    """The run of a recipe; of the one on digits where its images would have to be downloaded first."""
    known = _cached.recipes()
    return known[recipe if is_here(known[recipe]["run"]["dataset"]) else "digits-map"]["id"]


def open_run(recipe: str) -> View:
    """The picked run at its newest snapshot, its facts in the sidebar; without a run, ends the page with the way out.

    `recipe` names the run on which the page opens for somebody who has picked none.
    """
    from aecore.store import DamagedRun

    run = pick_run(opening_run(recipe))
    if run is None:
        st.write("No autoencoder has been trained here yet. Digits take about half a minute.")
        if st.button("Train one", type="primary"):
            go("train")
        _view.stop()
    try:
        view = _cached.newest(run)
        name = _cached.checkpoint(view).run.dataset
    except DamagedRun as error:
        if Job(folder_of(run)).state in LIVE:
            st.fragment(_wait_for, run_every=2.0)(run)
            if st.button("Watch it train", type="primary"):
                go("train", run=run)
        else:
            st.text(sentence(error))
        _view.stop()
    need_dataset(name)
    with st.sidebar:
        facts(view)
        if Job(folder_of(run)).state in LIVE:
            st.fragment(_follow, run_every=3.0)(run)
        with st.container(horizontal=True):
            if st.button("Train another", key="another-run"):
                go("train")
            reset_button()
    return view


def learned(run: str) -> View | None:
    """What a run has learned so far; None where that is nothing, or damaged."""
    from aecore.store import DamagedRun

    try:
        view = _cached.newest(run)
        _cached.checkpoint(view)
        return view
    except DamagedRun:
        return None


def _wait_for(run: str) -> None:
    from aecore.store import DamagedRun

    st.write("This run has just started. Its first results will appear here.")
    try:
        _cached.store(run).stamp(run)
    except DamagedRun:
        return
    st.rerun()


def _follow(run: str) -> None:
    """What is shown may be of the run before, or half-trained: say so, and draw the page again at the end."""
    if Job(folder_of(run)).state not in LIVE:
        st.rerun()
    st.caption("This run is being trained. Once that ends, the page shows the result.")


def reset_button() -> None:
    """Brings every page back to its opening view, for the next presentation."""
    help = "Return every page to its opening view. Runs and tags are kept; drawings, uploads and guesses are discarded."
    st.button("Reset all pages", key="reset-all", type="tertiary", on_click=_view.reset, help=help)


def facts(view: View) -> None:
    """What a run is, in a strip of eight reconstructions and a few lines."""
    loaded, images = _cached.checkpoint(view), _cached.images(view)
    run, model = loaded.run, loaded.run.model
    st.image(_cached.strip(view), width="stretch", alt="Eight test images over their reconstructions")
    error, pca = _cached.test_mse(view)
    baseline = f" (PCA {pca:.4f})" if pca is not None else ""
    now = "now " if revision(images.name) > 1 else ""  # the run may have been trained on fewer
    st.caption(
        f"{plain(images.title)}, {now}{len(images.train):,} training images  \n"
        f"{model.title}, {counted(model.latent, 'unit')} per code, {run.network} network  \n"
        f"Epoch {loaded.epoch:g} of {run.epochs}, seed {run.seed}  \n"
        f"Test MSE {error:.4f}{baseline}"
    )
    if run.network == "edges":
        st.caption("Built for search and classification: its code describes edges, so reconstructions are rougher.")


def offer_measuring(view: View, part: str) -> None:
    """For a run that lacks this part of its evaluation: start that, watch it, stop it."""
    job = Job(folder_of(view.run))
    ticking = job.measuring
    st.fragment(_measuring, run_every=1.0 if ticking else None)(job, view, part, ticking)


def _measuring(job: Job, view: View, part: str, ticking: bool) -> None:
    from aecore.measure.evaluate import PARTS

    known = _cached.measured(view)
    if part in known or ticking != job.measuring:
        st.rerun()
    if ticking:
        done, every = len(known), len(PARTS)
        st.progress(done / every, f"Measuring: {done} of {every} parts. You can leave this page; it continues.")
        if may(job):
            st.button("Stop measuring", on_click=job.stop_measuring)
    else:
        st.write("This run has not been compared with its baselines yet.")
        if may(job) and st.button("Measure it"):
            with toasting():
                job.measure()
            st.rerun()


def gone(name: str) -> bool:
    """Whether a set of one's own was deleted since a run was trained on it."""
    return name not in DATASETS and name not in sets()


def need_dataset(name: str) -> "Dataset":
    """The dataset; where its files are missing, offers the download and ends the page."""
    if gone(name):
        st.write("The images of this run were deleted. Only its weights are left.")
        if st.button("Show another run", type="primary"):
            _view.pick(None)
            _view.put("run", None)
            st.rerun()
        with st.sidebar:
            reset_button()
        _view.stop()
    try:
        if is_here(name):
            return _cached.dataset(name)
        size = DATASETS[name].download.size
        st.write(f"The images of this dataset are not on this machine yet: {size}, downloaded once.")
        if st.button("Download", type="primary", key=f"download-{name}"):
            bar = st.progress(0.0, "Downloading")
            fetch(name, lambda done, total: bar.progress(done / total, f"{done / 1e6:.0f} of {size}"))
            st.rerun()
    except Unavailable as error:
        st.error(sentence(error))
        st.caption("The other datasets need no download.")
    _view.stop()


def plot(chart: "alt.Chart | alt.LayerChart", letters: float = 0.75, **look: Any) -> None:
    """A chart whose letters grow with the window as those of the page do, of which they are a share."""
    from aecore.charts import vega

    st.vega_lite_chart(spec=vega(chart, letters * _view.letters(), 16 * letters), **look)


def picture(image: "np.ndarray", caption: str, side: int = 224, original: bytes | None = None) -> None:
    """One image (c, h, w), crisp, or its original on a gray square, with a caption below; the caption is text."""
    from aecore.data.originals import square
    from aecore.figures import enlarged

    shown = square(original, 2 * side) if original else enlarged(image, side)
    st.image(shown, width="stretch", alt=caption)
    st.caption(plain(caption))


def knob_controls(
    settings: type, names: Sequence[str], defaults: dict[str, Any], scope: tuple[Any, ...] = ()
) -> dict[str, Any]:
    """One control for each named field of a settings class, made from the field itself; returns their values."""
    values = {}
    for item in dataclasses.fields(settings):
        if item.name not in names:
            continue
        meta, default = item.metadata, defaults.get(item.name, item.default)
        name, label, look = item.name, meta["label"] or item.name.replace("_", " ").capitalize(), {"help": meta["help"]}
        if meta["choices"]:
            words = {choice: choice.replace("_", " ") for choice in meta["choices"]}
            values[name] = _controls.segments(name, label, words, default, scope, wrap=True, **look)
        elif isinstance(item.default, int) or meta["log"]:
            look |= {} if isinstance(item.default, int) else {"format": "%.6g", "step": default / 10}
            values[name] = _controls.number(name, label, meta["low"], meta["high"], default, scope, **look)
        else:
            values[name] = _controls.slider(name, label, meta["low"], meta["high"], default, None, scope, **look)
    return values
