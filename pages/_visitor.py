"""Who is looking: on a laptop the one user, on a public page one of many, known by a secret in their browser."""

import ipaddress
import os
import secrets
from pathlib import Path

import streamlit as st

from aecore.process.jobs import Job

_KEEPER = st.components.v2.component(
    "aecore_visitor", js=(Path(__file__).parent / "components" / "visitor.js").read_text()
)


def single_user() -> bool:
    """Whether everybody here may do everything: as AECORE_SINGLE_USER says, else where only this machine is served."""
    if wanted := os.environ.get("AECORE_SINGLE_USER", "").strip():
        return wanted != "0"
    address = st.get_option("server.address") or ""
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def meet() -> None:
    """Learn from the browser who this is; invisible."""
    if single_user():
        return
    known = _KEEPER(key="visitor-keeper", data={"token": token()}, on_token_change=lambda: None)
    if isinstance(known.token, str) and known.token:
        st.session_state["visitor-token"] = known.token


def token() -> str:
    """The secret by which this visitor's trainings are known as theirs."""
    return st.session_state.setdefault("visitor-token", secrets.token_urlsafe(32))


def may(job: Job) -> bool:
    """Whether this visitor may steer and delete a run."""
    return single_user() or job.belongs_to(token())
