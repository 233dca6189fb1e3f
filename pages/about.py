"""About this server: who you are on it, what it allows, what it keeps."""

import math
import platform
from importlib.metadata import version

import streamlit as st

from aecore.data import DATASETS, is_here
from aecore.data.decoder import LARGEST_AREA
from aecore.folders import own_runs, run_folders
from aecore.process.jobs import Job
from aecore.process.limits import LIMITS, limit, public
from aecore.process.queue import active
from pages._visitor import may, owner
from pages._widgets import reset_button
from pages._words import counted, sentence


def _written(value: float) -> str:
    return f"{value:,.10g}" if math.isfinite(value) else "no limit"


st.title("About this server")
jobs = [Job(folder) for folder in run_folders(own_runs())]
mine = counted(sum(map(may, jobs)), "run")
if owner():
    st.write(
        "You are its owner: your browser runs on the same machine. You can start, control and delete every run, and no "
        f"limits apply to you. {counted(len(jobs), 'run')} here, {len(active(own_runs()))} training or waiting."
    )
else:
    st.write(
        f"You are a visitor. You own {mine} of {len(jobs):,} here; you can control, rename and delete only your own. "
        "Your browser keeps the key to them and your progress in the lessons; another browser counts as another "
        "visitor. Only you see your tags."
    )
if public():
    st.write("This is a public server, and its disk may be temporary: download the runs that you want to keep.")

st.subheader("Limits for visitors")
try:
    rows = [{"limit": about.what, "at most": _written(limit(name)), "set by": name} for name, about in LIMITS.items()]
    st.table(rows, hide_index=True, width="content")
    st.caption(
        f"An image may have up to {LARGEST_AREA // 10**6} megapixels. A single image that you upload is not saved, and "
        "several uploaded together are deleted after a day. A dataset that you keep on Images stays until you delete "
        "it, and only you see it. When all visitors together reach a limit, runs that nobody has opened for an hour "
        "are deleted to make room."
    )
except ValueError as error:
    st.error(sentence(error))

st.subheader("Versions and data")
names = ("streamlit", "torch", "numpy", "scikit-learn", "plotly")
st.caption(
    f"Python {platform.python_version()}, "
    + ", ".join(f"{name} {version(name)}" for name in names)
    + "  \n"
    + "  \n".join(
        f"{entry.title}: {'on this machine' if is_here(name) else f'not here yet, {entry.download.size}'}"
        for name, entry in DATASETS.items()
    )
)
with st.sidebar:
    reset_button()
