"""Who is looking: the owner, at the machine itself, or one of many visitors, known by a secret in their browser."""

import ipaddress
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from aecore.process.jobs import Job, fingerprint
from aecore.process.limits import public
from aecore.process.posters import AS_VISITOR

FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
"""Headers by which a proxy says that it asks for somebody else."""

COOKIE, TOKEN = "aecore-visitor", re.compile(r"[\w-]{20,100}", re.ASCII)
"""Where the browser keeps the visitor's secret, and what one looks like."""

_KEEPER = st.components.v2.component(
    "aecore_visitor", js=(Path(__file__).parent / "components" / "visitor.js").read_text()
)


def owner() -> bool:
    """Whether the browser runs on this machine and nobody asks through it, so that it may do everything."""
    return owner_asks(st.context.headers, st.context.ip_address)


def owner_asks(headers: Mapping[str, str], address: str | None) -> bool:
    """The same of a request with these headers from this address.

    The host in its address has to be this machine's too: a page elsewhere may have its name lead here. A browser that
    draws a poster for a visitor is on this machine and says so.
    """
    return (
        not public()
        and f"{AS_VISITOR}=" not in headers.get("Cookie", "")
        and not any(name in headers for name in FORWARDED)
        and not (st.get_option("server.address") or "").startswith("unix:")
        and _loopback(address)
        and _loopback(urlsplit(f"//{headers.get('Host', '')}").hostname)
    )


def _loopback(host: str | None) -> bool:
    """Whether this is an address of the machine itself; None stands for it."""
    if host in (None, "localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def meet() -> None:
    """Learn from the browser who this is; invisible."""
    if owner():
        return
    known = _KEEPER(key="visitor-keeper", data={"token": token()}, on_token_change=lambda: None)
    if isinstance(known.token, str) and TOKEN.fullmatch(known.token):
        st.session_state["visitor-token"] = known.token


def token() -> str:
    """The secret by which this visitor's trainings and images are known as theirs; empty for the owner."""
    if owner():
        return ""
    if "visitor-token" not in st.session_state:  # without it, a page opened anew would show a stranger's view first
        st.session_state["visitor-token"] = _told(st.context.cookies) or secrets.token_urlsafe(32)
    return st.session_state["visitor-token"]


def _told(cookies: Mapping[str, str]) -> str:
    known = cookies.get(COOKIE)
    return known if isinstance(known, str) and TOKEN.fullmatch(known) else ""


def fingerprint_of(cookies: Mapping[str, str]) -> str:
    """Of the visitor whose cookies these are; empty for one who is not known yet."""
    known = _told(cookies)
    return fingerprint(known) if known else ""


def drawer() -> str:
    """Where this visitor's tags lie, apart from those of others; empty for the owner."""
    return fingerprint(token()) if token() else ""


def may(job: Job) -> bool:
    """Whether this visitor may steer and delete a run."""
    return owner() or job.belongs_to(token())
