"""What a browser asks for besides pages: the script of the maps, images in portions, originals of one's own."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from aecore.data import DATASETS, is_here, originals, own
from aecore.data.downloads import Unavailable
from pages import _cached, _visitor
from pages.components.wall import PORTION

PLOTLY = Path(find_spec("plotly").origin).parent / "package_data" / "plotly.min.js"


def routes() -> list[Route]:
    """Below the path under which a proxy serves the app, if any."""
    base = "/".join(["", *filter(None, [st.get_option("server.baseUrlPath").strip("/")]), "assets"])
    return [
        Route(f"{base}/plotly.min.js", _plotly),
        Route(base + "/pictures/{name}/{split}/{rows}", _pictures),
        Route(base + "/originals/{name}/{split}/{row:int}", _original),
    ]


async def _plotly(_: Request) -> FileResponse:
    """The script that draws the latent map, as the plotly package brings it."""
    return FileResponse(PLOTLY, media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})


def _pictures(request: Request) -> Response:
    """Some images of a split, one below the other, and their ids, for who may see the set."""
    from aecore import figures

    name, of, asked = (request.path_params[key] for key in ("name", "split", "rows"))
    if not _may_see(name, of, request):
        return Response(status_code=404)
    try:
        rows = [int(word) for word in asked[:600].split("~")][:PORTION]
        split = _cached.dataset(name).split(of)
        if min(rows) < 0 or max(rows) >= len(split):
            raise ValueError("no such row")
        strip = figures.strip_uri(split.images[rows], None if name in DATASETS else originals.tiles(name, of, rows))
    except (ValueError, Unavailable):
        return Response(status_code=404)
    return JSONResponse({"strip": strip, "names": [str(split.ids[row]) for row in rows]}, headers=_PRIVATE)


def _original(request: Request) -> Response:
    """The original of an image, for who may see its set. Whoever may not learns nothing, not even that it is there."""
    name, split, row = (request.path_params[key] for key in ("name", "split", "row"))
    content = originals.thumbnail(name, split, row) if _may_see(name, split, request) and name not in DATASETS else None
    if content is None:
        return Response(status_code=404)
    return Response(content, media_type="image/jpeg", headers=_PRIVATE)


_PRIVATE: Mapping[str, str] = {
    "Cache-Control": "private, max-age=60",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def _may_see(name: str, split: str, request: Request) -> bool:
    """Whether there is such a split, and everybody may see the set, or it is of who asks, or the owner asks."""
    if split not in ("train", "test") or request.headers.get("Sec-Fetch-Site") not in (None, "same-origin", "none"):
        return False
    if name in DATASETS:
        return is_here(name)
    if _visitor.owner_asks(request.headers, request.client.host if request.client else None):
        return True
    try:
        known = _visitor.fingerprint_of(request.cookies)
        return bool(known) and known == own.owner_of(name)
    except Unavailable:
        return False
