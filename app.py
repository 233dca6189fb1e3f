"""The server: streamlit run app.py"""

import runpy
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st

ROUTER = Path(__file__).parent / "pages" / "_router.py"


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Import what is heavy in the background, so that the first visitor does not wait for it."""
    from pages._cached import warm_up

    threading.Thread(target=warm_up, daemon=True).start()
    yield


app = st.App(ROUTER, lifespan=lifespan)

if __name__ == "__main__":  # a host that runs this file as a plain page, or python app.py
    runpy.run_path(str(ROUTER)) if st.runtime.exists() else app.run()
