"""Bring images in: choose them, see what a network would see, keep them as a set or throw them away."""

import io
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import streamlit as st

from aecore.data import own, own_names
from aecore.data.decoder import FITS, GROUNDS
from aecore.data.intake import Look
from aecore.data.originals import squares
from aecore.data.own import LARGEST, SMALLEST, Wishes
from aecore.data.pictures import SUFFIXES
from aecore.data.sources import ARCHIVES
from aecore.figures import enlarged
from aecore.process import arrivals
from pages import _view
from pages._uploads import let_go, upload_limit
from pages._visitor import drawer, owner
from pages._widgets import sets
from pages._words import counted, sentence
from pages.acts.wait import answer
from pages.components.gallery import gallery

SQUARE = 128
"""Pixels of a side, about, at which pictures are shown."""
KINDS = [*(suffix.removeprefix(".") for suffix in ARCHIVES), *SUFFIXES]
KEY, TASK, LOOK = "arrived", "arrival-task", "arrival-look"


def choose(opened: bool) -> None:
    """Files, or for the owner a folder of this machine."""
    with st.expander("Bring your own", expanded=opened, key="bring"):
        files, path = st.columns(2)
        files.file_uploader(
            "Pictures, or one zip, tar.gz, NumPy, IDX, Parquet or CSV file", KINDS, accept_multiple_files=True,
            max_upload_size=upload_limit(), key=_uploader(), on_change=_receive,
        )  # fmt: skip
        if owner():
            path.text_input("Or a folder or file on this machine", key="arriving-path", on_change=_point_at,
                            placeholder="/home/me/pictures")  # fmt: skip
        else:
            path.caption("Only you see what you keep here; delete it when you are done.")
        if problem := st.session_state.get("arrival-problem"):
            st.text(problem)


def _uploader() -> str:
    """The key of the control: another one after each arrival, since it cannot be emptied."""
    return f"arriving-{st.session_state.get('arrivals', 0)}"


def _receive() -> None:
    files = [(file.name, io.BytesIO(file.getvalue())) for file in st.session_state[_uploader()]]
    if files:
        _arrived(lambda: arrivals.receive(files, drawer()))
        let_go()


def _point_at() -> None:
    if path := st.session_state["arriving-path"]:
        _arrived(lambda: arrivals.point_at(path))


def _arrived(take: Callable[[], str]) -> None:
    forget()
    try:
        st.session_state[KEY] = take()
    except ValueError as error:
        st.session_state["arrival-problem"] = sentence(error)


def forget() -> None:
    """Throw away what arrived and was not kept; its control is empty again."""
    st.session_state["arrivals"] = st.session_state.get("arrivals", 0) + 1
    for name in ("arrival-problem", TASK, "arrival-wishes", LOOK):
        st.session_state.pop(name, None)
    if key := st.session_state.pop(KEY, None):
        arrivals.throw_away(key)


def arriving() -> bool:
    """Whether something has arrived that is neither kept nor thrown away."""
    return KEY in st.session_state


def preflight() -> None:
    """What arrived, as the network would see it, beside the originals; then keep it, or throw it away."""
    key = st.session_state[KEY]
    if TASK in st.session_state:
        _keep_going()
        return
    title = source = ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        to = _target(key)
        if not to:
            title = st.text_input("Title", arrivals.called(key) or "My images", 80, key=f"title-{key}", width=220)
            source = st.text_input("Source and license", key=f"source-{key}", placeholder="optional", width=320)
        place = st.container(width="content")
        st.button("Throw away", on_click=forget, type="tertiary")
    wishes = Wishes(**own.about(to)["wishes"]) if to else st.session_state.get("arrival-wishes")
    if found := answer(arrivals.first_look(key, wishes), "Looking at the first pictures"):
        st.session_state[LOOK] = arrivals.seen(found)
    seen: Look | None = st.session_state.get(LOOK)  # while another is on its way, the last one stays
    few = seen is not None and not to and seen.count == seen.read < seen.copies + 2
    words = "Add them" if to else "Keep them"
    kept = place.button(words, key="keep-them", type="primary", disabled=seen is None or few)
    if seen is None:
        _view.stop()
    wishes = wishes or seen.suggested
    _facts(seen)
    if few:
        st.write("A set needs at least two different images. Throw this away and bring more.")
    if not to:
        _wish(seen, wishes)
    _show(seen)
    if kept:
        _keep(key, to, title.strip() or "My images", source, wishes)


def _target(key: str) -> str:
    """The set of the visitor's that the images are to be added to; empty for a new one."""
    mine = own_names(drawer())
    if not mine:
        return ""
    called = {"": "A new set"} | {name: f"Add to {title}" for name, title in sets().items() if name in mine}
    return st.selectbox("Keep as", list(called), format_func=called.get, key=f"to-{key}", width=220)


def _facts(seen: Look) -> None:
    head = f"**{counted(seen.count, 'image')}**" if seen.count else "**Images**"
    parts = ", already split into training and test images" if len(seen.parts) > 1 else ""
    some = "The" if seen.count == seen.read else f"Of the first {seen.read:,}, the"
    low, median, high = seen.sizes
    facts = [
        f"{some} shorter side has {low} to {high} pixels, median {median}"
        if low < high
        else f"{some} shorter side has {low} pixels",
        f"pixel values from {seen.levels[0]} to {seen.levels[1]}",
        counted(len(seen.classes), "class", "classes") if seen.classes else "no classes",
        *([f"{counted(seen.copies, 'copy', 'copies')} of others"] if seen.copies else []),
    ]
    kind = "" if seen.kind == "folder" else f", {seen.kind}"  # loose files come in one, too
    st.write(f"{head}{kind}{parts}. {'; '.join(facts)}.")
    if seen.classes:
        most = list(seen.classes.items())[:12]
        st.text(", ".join(f"{name}: {number:,}" for name, number in most) + (", …" if len(seen.classes) > 12 else ""))
    if seen.skipped:
        with st.expander(f"{counted(len(seen.skipped), 'file')} cannot be used"):
            st.dataframe([{"file": id, "why": why} for id, why in seen.skipped[:100]], hide_index=True)


def _show(seen: Look) -> None:
    """Originals over what the network sees."""
    images = np.stack([enlarged(picture.pixels, SQUARE).transpose(2, 0, 1) for _, picture in seen.shown])
    thumbnails = [picture.thumbnail for _, picture in seen.shown]
    if all(thumbnails):
        images = np.concatenate([squares(thumbnails, images.shape[2]), images], axis=2)
    gallery(
        images, [[id.rpartition("/")[2][-16:]] for id, _ in seen.shown], "first-look", "First look", side=92, most=140
    )
    words = "Top: the originals; bottom: what the network sees" if all(thumbnails) else "As the network sees them"
    side = seen.shown[0][1].pixels.shape[1]
    st.caption(f"{words}: {side} x {side} pixels.")


def _wish(seen: Look, wishes: Wishes) -> None:
    """How pictures are made to fit; a change shows them anew."""

    def changed() -> None:
        chosen = {name: st.session_state[f"wish-{name}"] for name in asdict(wishes)}
        st.session_state["arrival-wishes"] = Wishes(**chosen)

    for name, value in asdict(wishes).items():
        st.session_state[f"wish-{name}"] = value
    light = f"{seen.light:.0%} of them have a light background." if wishes.channels == 1 else ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("Side, pixels", SMALLEST, LARGEST, key="wish-side", on_change=changed, width=130)
        st.segmented_control("Color", [1, 3], format_func={1: "Gray", 3: "Color"}.get, key="wish-channels",
                             on_change=changed, required=True)  # fmt: skip
        st.segmented_control("Fit", list(FITS), format_func=FITS.get, key="wish-fit", on_change=changed, required=True)
        st.segmented_control("Fill transparent parts with", list(GROUNDS), format_func=GROUNDS.get, key="wish-ground",
                             on_change=changed, required=True)  # fmt: skip
        st.toggle("Invert", key="wish-invert", on_change=changed, help=f"Swap black and white. {light}")


def _keep(key: str, to: str, title: str, source: str, wishes: Wishes) -> None:
    try:
        name = to or arrivals.free_name(title, secret=not owner())
        task = arrivals.extending(key, to) if to else arrivals.keeping(key, name, wishes, title, source)
        st.session_state[TASK] = (task, name)
    except ValueError as error:
        st.error(sentence(error))
    else:
        st.rerun()


def _keep_going() -> None:
    task, name = st.session_state[TASK]
    if answer(task, "Bringing the images in") is None:
        if task.name in st.session_state.get("left", ()):  # back to the first look
            del st.session_state[TASK]
            st.rerun()
        _view.stop()
    forget()
    _view.put("set", name)
    st.rerun()
