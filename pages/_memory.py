"""What the server gives up where memory runs short: all that its caches remember can be found again."""

import ctypes
import gc
from contextlib import suppress

import streamlit as st

from aecore.process.memory import own, scarce

LARGE = 560.0
"""Megabytes of a server whose caches are full; after a visit of every page, on the runs shown first, it has 470."""

BARE = 430.0
"""Megabytes below which the caches stay: on a host of 690, a server of 480 forgot them, and soon had 588."""


def spare_memory() -> None:
    """Have the C library hand freed memory back: each visitor's thread would keep what its largest array took."""
    with suppress(OSError, AttributeError):  # only glibc knows these two: M_ARENA_MAX and M_MMAP_THRESHOLD
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-8, 2)
        libc.mallopt(-3, 2**20)


def hand_back_memory() -> None:
    """Have the C library hand back what is free between what is used; 40 MB after all that is imported."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def make_room() -> None:
    """Where memory is scarce and the caches hold much of it, forget them: better a page that takes its time than none.

    To fill small ones again would take more memory for a moment than they hold.
    """
    if scarce() and own() > LARGE:
        forget()


def give_up(missing: float) -> bool:
    """Forget the caches for what needs so many megabytes more, if they hold as much; whether they do."""
    if own() - missing < BARE:
        return False
    forget()
    return True


def forget() -> None:
    """Empty the caches."""
    st.cache_data.clear()
    st.cache_resource.clear()
    gc.collect()
    hand_back_memory()
