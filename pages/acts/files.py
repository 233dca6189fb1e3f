"""Images that are looked at, as files to keep."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from aecore.data import DATASETS
from aecore.export import selection

if TYPE_CHECKING:
    from aecore import Dataset

MOST = 10_000
"""Images in one file."""


def files(
    images: "Dataset", split: str, rows: np.ndarray | Sequence[int], name: str, groups: Sequence[str] | None = None
) -> None:
    """Buttons for a zip of these rows, and one of their originals, if any; groups: a folder for each row."""
    rows, groups = rows[:MOST], None if groups is None else groups[:MOST]
    few = f" The first {MOST:,} of them." if len(rows) == MOST else ""
    ways = {"Images as zip": (False, "A zip of the images as the network sees them, with a table.")}
    if images.name not in DATASETS:
        ways["Originals as zip"] = (True, "A zip of the pictures that you brought, with a table.")
    for words, (originals, help) in ways.items():
        file = f"{name}-{words.split()[0].lower()}.zip"
        st.download_button(
            words, lambda of=originals: selection(images, split, rows, groups, of), file, "application/zip",
            key=f"files-{file}", on_click="ignore", help=help + few,
        )  # fmt: skip
