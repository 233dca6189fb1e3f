"""Images that are looked at, as files to keep."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from aecore.data import DATASETS
from aecore.data.originals import THUMBNAIL
from aecore.export import selection
from aecore.export.selection import MOST_BYTES

if TYPE_CHECKING:
    from aecore import Dataset

WAYS = {
    "Images as zip": (False, 10_000, "The images as the network sees them, with a table."),
    "Originals as zip": (
        *(True, 1000),
        f"Your files, if their folder is still there; else copies of at most {THUMBNAIL} pixels. "
        f"Up to {MOST_BYTES // 10**6} MB, with a table.",
    ),
}
"""Words on the button -> whether originals, how many at most since the server holds them all, and what it says."""


def files(
    images: "Dataset", split: str, rows: np.ndarray | Sequence[int], name: str, groups: Sequence[str] | None = None
) -> None:
    """Buttons for a zip of these rows, and one of their originals, if any; groups: a folder for each row."""
    for words, (originals, most, help) in WAYS.items():
        if originals and images.name in DATASETS:
            continue
        file = f"{name}-{words.split()[0].lower()}.zip"
        few = f" The first {most:,} of them." if len(rows) > most else ""
        some = None if groups is None else groups[:most]
        pack = partial(selection, images, split, rows[:most], some, originals)
        st.download_button(words, pack, file, "application/zip", key=f"files-{file}", on_click="ignore",
                           help=help + few)  # fmt: skip
