"""Pictures from arrays: image sheets, maps, charts. Imported by the pages and the command line."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image

GROUND = 128
"""Neutral grey between images."""


def pixels(images: np.ndarray) -> np.ndarray:
    """images (n, c, h, w), uint8 or float in [0, 1] -> (n, h, w, 3) uint8."""
    if images.dtype != np.uint8:
        images = np.round(images.clip(0, 1) * 255).astype(np.uint8)
    return np.broadcast_to(images.transpose(0, 2, 3, 1), (len(images), *images.shape[2:], 3))


def enlarged(image: np.ndarray, side: int = 280) -> np.ndarray:
    """One image (c, h, w) -> (h * k, w * k, 3) uint8 with crisp pixels, about `side` high."""
    scale = max(1, round(side / image.shape[1]))
    return pixels(image[None])[0].repeat(scale, axis=0).repeat(scale, axis=1)


def sheet(images: np.ndarray, columns: int, scale: int = 2, gap: int = 2) -> np.ndarray:
    """images (n, c, h, w) in lines of `columns`, crisp, with a grey gap -> (height, width, 3) uint8."""
    tiles = pixels(images).repeat(scale, axis=1).repeat(scale, axis=2)
    height, width = tiles.shape[1] + gap, tiles.shape[2] + gap
    lines = -(-len(tiles) // columns)
    out = np.full((lines * height + gap, columns * width + gap, 3), GROUND, np.uint8)
    for place, picture in enumerate(tiles):
        top, left = place // columns * height + gap, place % columns * width + gap
        out[top : top + height - gap, left : left + width - gap] = picture
    return out


def save_png(path: Path, picture: np.ndarray) -> None:
    """(h, w, 3) or (h, w, 4) uint8 into a PNG file."""
    Image.fromarray(picture).save(path, "PNG")


def picture_map(images: np.ndarray, places: np.ndarray, cells: int, tile: int = 40) -> np.ndarray:
    """images (m, c, h, w) at cells (m, 2) of a square grid -> (cells * tile, cells * tile, 4) uint8.

    Clear between the images. places are (column, line) with line 0 at the top, as `manifold.tile` gives them.
    """
    height, width = images.shape[2:]
    side = tile - max(1, tile // 20)
    high, wide = round(side * height / max(height, width)), round(side * width / max(height, width))
    how = Image.Resampling.BOX if side < max(height, width) else Image.Resampling.NEAREST
    out = np.zeros((cells * tile, cells * tile, 4), np.uint8)
    for picture, (column, line) in zip(pixels(images), places, strict=True):
        out[line * tile : (line + 1) * tile, column * tile : (column + 1) * tile] = (GROUND, GROUND, GROUND, 255)
        top, left = line * tile + (tile - high) // 2, column * tile + (tile - wide) // 2
        out[top : top + high, left : left + wide, :3] = Image.fromarray(picture).resize((wide, high), how)
    return out


def png_uri(picture: np.ndarray) -> str:
    """A picture (h, w, 3 or 4) uint8 as a data: address, for charts."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def map_figure(
    points: np.ndarray,
    ids: np.ndarray,
    box: tuple[float, float, float, float],
    groups: np.ndarray | None = None,
    names: Sequence[str] = (),
    values: tuple[str, np.ndarray] | None = None,
    backdrop: np.ndarray | None = None,
) -> go.Figure:
    """A plotly map of points (n, 2) whose customdata is their ids.

    box is (left, right, bottom, top). groups (n,) with their names make one trace each; values (title, (n,)) color by
    number. A backdrop picture fills the box, and the points become clear targets for the pointer on top of it.
    """
    points = points.astype(np.float32)
    figure = go.Figure()
    if backdrop is not None:
        marker = {"size": 22, "opacity": 0, "symbol": "square"}
        left, right, bottom, top = box
        figure.add_layout_image(
            source=png_uri(backdrop), x=left, y=top, sizex=right - left, sizey=top - bottom, xref="x", yref="y",
            sizing="stretch", layer="below",
        )  # fmt: skip
        parts = [("", np.arange(len(points)), marker)]
    elif values is not None:
        title, numbers = values
        bar = {"title": title, "thickness": 12}
        marker = {"color": numbers, "colorscale": "Cividis", "size": 4, "colorbar": bar}
        parts = [(title, np.arange(len(points)), marker)]
    elif groups is not None:
        parts = [
            (
                name,
                np.flatnonzero(groups == group),
                {"size": 4, "opacity": 0.8, "symbol": SYMBOLS[group % len(SYMBOLS)]},
            )
            for group, name in enumerate(names)
        ]
    else:
        parts = [("", np.arange(len(points)), {"size": 4, "opacity": 0.8})]
    for name, rows, marker in parts:
        figure.add_scattergl(
            x=points[rows, 0],
            y=points[rows, 1],
            customdata=ids[rows],
            mode="markers",
            marker=marker,
            name=name,
            showlegend=len(parts) > 1,
            hovertemplate=f"%{{customdata}} {name}<extra></extra>",
        )
    plain = {"showgrid": False, "zeroline": False}
    figure.update_layout(
        xaxis={"range": box[:2], **plain},
        yaxis={"range": box[2:], **plain},
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        height=530,
        dragmode="pan",
        legend={"itemsizing": "constant"},
        uirevision="map",
    )
    return figure


SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down", "star", "hexagon", "pentagon")


def curves(history: Sequence[Mapping[str, Any]], log: bool = False) -> dict[str, Any]:
    """A Vega-Lite chart of every loss term over the epochs: training solid, held-out dashed."""
    rows = []
    for row in history:
        for name, value in row.items():
            if name not in ("epoch", "test"):
                rows.append({"epoch": row["epoch"], "term": name, "images": "training", "value": value})
        for name, value in row["test"].items():
            if name != "mse":
                rows.append({"epoch": row["epoch"], "term": name, "images": "held out", "value": value})
    scale = {"type": "log"} if log else {"zero": False}
    return {
        "data": {"values": [row for row in rows if row["value"] > 0 or not log]},
        "mark": {"type": "line", "point": len(history) < 3, "interpolate": "linear"},
        "encoding": {
            "x": {"field": "epoch", "type": "quantitative", "title": "epoch"},
            "y": {"field": "value", "type": "quantitative", "title": "per pixel", "scale": scale},
            "color": {"field": "term", "type": "nominal", "title": None, "legend": {"orient": "top"}},
            "strokeDash": {
                "field": "images", "type": "nominal", "title": None, "legend": {"orient": "top"},
                "scale": {"domain": ["training", "held out"], "range": [[1, 0], [4, 3]]},
            },
            "tooltip": [{"field": field} for field in ("term", "images", "epoch", "value")],
        },
    }  # fmt: skip


def accuracy_curves(rows: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """A Vega-Lite chart of accuracy over labels per class, one line for each kind of features, with error bars."""
    values = [
        {
            "features": features, "labels": labels, "accuracy": row["mean"],
            "low": row["mean"] - row["deviation"], "high": row["mean"] + row["deviation"],
        }
        for features, curve in rows.items()
        for labels, row in curve.items()
    ]  # fmt: skip
    x = {"field": "labels", "type": "ordinal", "sort": None, "title": "labels per class", "axis": {"labelAngle": 0}}
    color = {"field": "features", "type": "nominal", "sort": None, "title": None, "legend": {"orient": "top"}}
    y = {"field": "accuracy", "type": "quantitative", "title": "test accuracy", "scale": {"zero": False}}
    bars = {"x": x, "color": color, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}
    tooltip = [{"field": "features"}, {"field": "labels"}, {"field": "accuracy", "format": ".3f"}]
    return {
        "data": {"values": values},
        "layer": [
            {"mark": "rule", "encoding": bars},
            {"mark": {"type": "line", "point": True}, "encoding": {"x": x, "y": y, "color": color, "tooltip": tooltip}},
        ],
    }


def confusion(labels: np.ndarray, said: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """A Vega-Lite chart of how often (n,) labels of one class were said to be another, as shares of the class."""
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (labels, said), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    values = [
        {"is": true, "said": name, "share": float(shares[row, column])}
        for row, true in enumerate(classes)
        for column, name in enumerate(classes)
    ]
    axes = {
        "x": {"field": "said", "type": "nominal", "sort": None, "title": "said to be"},
        "y": {"field": "is", "type": "nominal", "sort": None, "title": "is"},
    }
    text = {"condition": {"test": "datum.share > 0.55", "value": "#1C1B22"}, "value": "#FBFAF7"}
    return {
        "data": {"values": values},
        "encoding": axes,
        "layer": [
            {
                "mark": "rect",
                "encoding": {
                    "color": {"field": "share", "type": "quantitative", "scale": {"scheme": "cividis"}, "legend": None},
                    "tooltip": [{"field": "is"}, {"field": "said"}, {"field": "share", "format": ".1%"}],
                },
            },
            {
                "transform": [{"filter": "datum.share >= 0.01"}],
                "mark": {"type": "text", "fontSize": 10},
                "encoding": {"text": {"field": "share", "type": "quantitative", "format": ".0%"}, "color": text},
            },
        ],
    }


def packed(head: Mapping[str, Any], arrays: Mapping[str, np.ndarray | Sequence[bytes]]) -> bytes:
    """One block of bytes for the browser: the length of a JSON head (uint32), the head, then the arrays.

    head gains "arrays": name -> [type, offset, length], offsets counted from the end of the head in steps of 8 bytes.
    A sequence of bytes becomes a list of such entries. Types: float32, uint32, uint16, uint8.
    """
    entries: dict[str, Any] = {}
    body = bytearray()

    def put(array: np.ndarray) -> list[Any]:
        entry = [array.dtype.name, len(body), array.size]
        body.extend(np.ascontiguousarray(array).tobytes())
        body.extend(b"\0" * (-len(body) % 8))
        return entry

    for name, array in arrays.items():
        if hasattr(array, "dtype"):
            entries[name] = put(array)
        else:
            entries[name] = [put(np.frombuffer(item, np.uint8)) for item in array]
    text = json.dumps({**head, "arrays": entries}).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return len(text).to_bytes(4, "little") + text + bytes(body)


def sprites(images: np.ndarray, columns: int = 32, lines: int = 64, quality: int = 75) -> list[bytes]:
    """images (n, c, h, w) edge to edge in WebP sheets of columns x lines; the last sheet may be shorter."""
    files = []
    for start in range(0, len(images), columns * lines):
        picture = sheet(images[start : start + columns * lines], columns, scale=1, gap=0)
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "WEBP", quality=quality, method=0)
        files.append(buffer.getvalue())
    return files


def tile_side(count: int, height: int, width: int, most: int = 64_000_000) -> tuple[int, int]:
    """Height and width at which `count` images fit into so many pixels, never larger than they are: from 16 pixels."""
    shrink = min(1.0, max((most / max(count, 1) / (height * width)) ** 0.5, 16 / max(height, width)))
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def resized(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """images (n, c, h, w), uint8 or float in [0, 1] -> (n, c, height, width) uint8, averaged over what they cover."""
    if images.dtype != np.uint8:
        images = np.round(images.clip(0, 1) * 255).astype(np.uint8)
    if images.shape[2:] == (height, width):
        return images
    how = Image.Resampling.BOX
    planes = images.reshape(-1, *images.shape[2:])
    small = [np.asarray(Image.fromarray(plane).resize((width, height), how)) for plane in planes]
    return np.stack(small).reshape(*images.shape[:2], height, width)


def unit_bars(activity: np.ndarray, title: str) -> dict[str, Any]:
    """A Vega-Lite chart of one number per unit of a code (latent,), the largest first."""
    order = np.argsort(-activity, kind="stable")
    values = [{"rank": rank + 1, "unit": int(unit), "value": float(activity[unit])} for rank, unit in enumerate(order)]
    return {
        "data": {"values": values},
        "mark": {"type": "bar"},
        "encoding": {
            "x": {
                "field": "rank", "type": "ordinal", "title": "units, most active first",
                "axis": {"labels": False, "ticks": False},
            },
            "y": {"field": "value", "type": "quantitative", "title": title},
            "tooltip": [{"field": "unit"}, {"field": "value", "format": ".3g"}],
        },
    }  # fmt: skip
