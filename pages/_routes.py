"""What a browser asks for besides pages: the script that draws maps, and originals of a visitor's images."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from aecore.data import own
from aecore.data.downloads import Unavailable
from pages import _visitor

PLOTLY = Path(find_spec("plotly").origin).parent / "package_data" / "plotly.min.js"


def routes() -> list[Route]:
    """Below the path under which a proxy serves the app, if any."""
    base = "/".join(["", *filter(None, [st.get_option("server.baseUrlPath").strip("/")]), "assets"])
    return [Route(f"{base}/plotly.min.js", _plotly), Route(base + "/originals/{name}/{split}/{row:int}", _original)]


async def _plotly(_: Request) -> FileResponse:
    """The script that draws the latent map, as the plotly package brings it."""
    return FileResponse(PLOTLY, media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})


def _original(request: Request) -> Response:
    """The original of an image, for who may see its set. Whoever may not learns nothing, not even that it is there."""
    name, split, row = (request.path_params[key] for key in ("name", "split", "row"))
    content = None
    if split in ("train", "test") and request.headers.get("Sec-Fetch-Site") in (None, "same-origin", "none"):
        content = own.thumbnail(name, split, row) if _may_see(name, request) else None
    if content is None:
        return Response(status_code=404)
    safe: Mapping[str, str] = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"} | safe)


def _may_see(name: str, request: Request) -> bool:
    """Whether a set is of who asks, or the owner asks."""
    if _visitor.owner_asks(request.headers, request.client.host if request.client else None):
        return True
    try:
        known = _visitor.fingerprint_of(request.cookies)
        return bool(known) and known == own.owner_of(name)
    except Unavailable:
        return False
