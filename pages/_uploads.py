"""What visitors may upload: the server keeps it in memory, whether or not a page asked for it, so it is counted."""

from typing import TYPE_CHECKING

import streamlit as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from streamlit.runtime import get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from aecore.process.limits import check, limit
from pages._visitor import owner, owner_asks

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/_stcore/upload_file/"


class Gate:
    """Refuses uploads with which a visitor, or all of them, would have more in memory than the limits allow."""

    def __init__(self, app: "ASGIApp", held: "Callable[[], dict[str, int]] | None" = None) -> None:
        """held: bytes in memory by session."""
        self.app, self.held = app, held or _held
        self.coming: dict[int, tuple[str, int]] = {}  # uploads under way: session, bytes

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        asks = scope["type"] == "http" and scope["method"] == "PUT" and PATH in scope["path"]
        if not asks or _by_owner(request := Request(scope)):
            return await self.app(scope, receive, send)
        session = scope["path"].partition(PATH)[2].partition("/")[0]
        size = request.headers.get("Content-Length", "")
        size = int(size) if size.isascii() and size.isdecimal() else st.get_option("server.maxUploadSize") * 2**20
        try:
            self._check(session, size)
        except ValueError as error:
            return await PlainTextResponse(str(error), 413)(scope, receive, send)
        self.coming[id(scope)] = session, size
        try:
            return await self.app(scope, receive, send)
        finally:
            del self.coming[id(scope)]

    def _check(self, session: str, size: int) -> None:
        every = [*self.held().items(), *self.coming.values()]
        for name, held in (
            ("AECORE_MAX_UPLOAD_MB", [size for whose, size in every if whose == session]),
            ("AECORE_MAX_ALL_UPLOAD_MB", [size for _, size in every]),
        ):
            check(name, (sum(held) + size) // 2**20)  # as the control counts; the form around a file is no part of it


def _by_owner(request: Request) -> bool:
    return owner_asks(request.headers, request.client.host if request.client else None)


def _held() -> dict[str, int]:
    files = get_instance().uploaded_file_mgr.file_storage
    return {session: sum(len(file.data) for file in list(some.values())) for session, some in list(files.items())}


def upload_limit() -> int:
    """Megabytes that one file may have."""
    most = st.get_option("server.maxUploadSize")
    return most if owner() else min(most, max(1, int(limit("AECORE_MAX_UPLOAD_MB"))))


def let_go() -> None:
    """Forget what this visitor has uploaded, once it was put aside; else it stays as long as the page is open."""
    context = get_script_run_ctx()
    if context and hasattr(context.uploaded_file_mgr, "remove_session_files"):
        context.uploaded_file_mgr.remove_session_files(context.session_id)
