"""The server: streamlit run app.py"""

import ctypes
import runpy
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

ROUTER = Path(__file__).parent / "pages" / "_router.py"


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Import what is heavy in the background, so that the first visitor does not wait for it."""
    from pages._cached import warm_up

    spare_memory()
    threading.Thread(target=warm_up, daemon=True).start()
    yield


def spare_memory() -> None:
    """Have the C library hand freed memory back: each visitor's thread would keep what its largest array took."""
    with suppress(OSError, AttributeError):  # only glibc knows these two: M_ARENA_MAX and M_MMAP_THRESHOLD
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-8, 2)
        libc.mallopt(-3, 2**20)


if get_script_run_ctx(suppress_warning=True):  # a host that knows no st.App runs this file as a page, on every visit
    runpy.run_path(str(ROUTER))
else:
    app = st.App(ROUTER, lifespan=lifespan)
