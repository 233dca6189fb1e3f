"""Pictures from arrays: image sheets, maps, charts. Imported by the pages and the command line."""

import base64
import io
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from plotly.colors import sample_colorscale

GROUND = 128
"""Neutral grey between images."""
GREY = "#8A8894"
"""Rules and notes in charts, on either ground."""
WHITE, BLUE, RED = (247, 247, 247), (33, 102, 172), (178, 24, 43)
"""No difference, too little, too much; told apart by color-blind eyes too."""


def pixels(images: np.ndarray) -> np.ndarray:
    """images (n, c, h, w), uint8 or float in [0, 1] -> (n, h, w, 3) uint8."""
    if images.dtype != np.uint8:
        images = np.round(images.clip(0, 1) * 255).astype(np.uint8)
    return np.broadcast_to(images.transpose(0, 2, 3, 1), (len(images), *images.shape[2:], 3))


def enlarged(image: np.ndarray, side: int = 280) -> np.ndarray:
    """One image (c, h, w) -> (h * k, w * k, 3) uint8 with crisp pixels, about `side` high."""
    scale = max(1, round(side / image.shape[1]))
    return pixels(image[None])[0].repeat(scale, axis=0).repeat(scale, axis=1)


def difference(clean: np.ndarray, other: np.ndarray) -> np.ndarray:
    """What images (n, c, h, w), float, have too little (blue) and too much (red) -> (n, 3, h, w) uint8.

    The mean over the channels; white is no difference, full color half of the range from black to white.
    """
    off = ((other - clean).mean(axis=1, keepdims=True) * 2).clip(-1, 1)
    white, blue, red = (np.array(color, np.float32).reshape(3, 1, 1) for color in (WHITE, BLUE, RED))
    return np.round(white + np.maximum(off, 0) * (red - white) + np.maximum(-off, 0) * (blue - white)).astype(np.uint8)


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


def _colors(groups: Sequence[Any]) -> np.ndarray:
    """(n,) names or numbers -> (n, 3) uint8: a color for each name, or a place between blue and yellow."""
    if all(isinstance(group, (int, float)) for group in groups):
        numbers = np.asarray(groups, float)
        shares = (numbers - numbers.min()) / max(np.ptp(numbers), 1e-12)
        return np.round(np.array(sample_colorscale("Cividis", shares, colortype="tuple")) * 255).astype(np.uint8)
    palette = np.array([[int(color[at : at + 2], 16) for at in (1, 3, 5)] for color in COLORS], np.uint8)
    return palette[np.unique(np.asarray(groups), return_inverse=True)[1] % len(palette)]


COLORS = (
    "#332288", "#CC6677", "#117733", "#882255", "#44AA99", "#5B5BD6", "#999933", "#AA4499", "#DDCC77", "#88CCEE",
)  # fmt: skip
"""Paul Tol's muted scheme for pictures on white, with the project's accent; https://sronpersonalpages.nl/~pault/"""


MOST = 200
"""Rows of a history that a chart draws; more would only make every tick of a live training heavy."""


def curves(
    history: Sequence[Mapping[str, Any]],
    log: bool = False,
    cursor: float | None = None,
    beside: Collection[Sequence[Mapping[str, Any]]] = (),
) -> dict[str, Any]:
    """A Vega-Lite chart of every loss term over the epochs, training solid, held-out dashed, with a line at `cursor`.

    beside: other histories that are drawn beside this one; all get the same axes, and each term one color. There is no
    legend for the dashes; say it beside the chart. Of a long history, about MOST rows are drawn.
    """
    rows = _terms(history, log)
    every = [row for other in (history, *beside) for row in _terms(other, log)]
    scale: dict[str, Any] = {"type": "log"} if log else {"zero": False}
    x: dict[str, Any] = {"field": "epoch", "type": "quantitative", "title": "epoch"}
    if beside and every:
        values = [row["value"] for row in every]
        scale |= {"domain": [min(values), max(values)]}
        x |= {"scale": {"domain": [0, max(row["epoch"] for row in every)]}}
    lines = {
        "data": {"values": rows},
        "mark": {"type": "line", "point": len(history) < 3, "interpolate": "linear"},
        "encoding": {
            "x": x,
            "y": {"field": "value", "type": "quantitative", "title": "per pixel", "scale": scale},
            "color": {
                "field": "term", "type": "nominal", "title": None, "legend": {"orient": "top"},
                "scale": {"domain": list(dict.fromkeys(row["term"] for row in every))},
            },
            "strokeDash": {
                "field": "images", "type": "nominal", "legend": None,
                "scale": {"domain": ["training", "held out"], "range": [[1, 0], [4, 3]]},
            },
            "tooltip": [{"field": field} for field in ("term", "images", "epoch", "value")],
        },
    }  # fmt: skip
    here = {
        "data": {"values": [] if cursor is None else [{"epoch": cursor}]},
        "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.5},
        "encoding": {"x": x},
    }
    return {"layer": [lines, here]}


def _terms(history: Sequence[Mapping[str, Any]], log: bool) -> list[dict[str, Any]]:
    rows = []
    for row in _thinned(history):
        for name, value in row.items():
            if name not in ("epoch", "test"):
                rows.append({"epoch": row["epoch"], "term": name, "images": "training", "value": value})
        for name, value in row["test"].items():
            if name != "mse":
                rows.append({"epoch": row["epoch"], "term": name, "images": "held out", "value": value})
    return [row for row in rows if row["value"] > 0 or not log]


def _thinned(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [*history[: -1 : max(1, len(history) // MOST)], *history[-1:]]


def overlay(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """A Vega-Lite chart of the MSE on held-out images over the epochs, a line for each name."""
    rows = [
        {"epoch": row["epoch"], "run": name, "MSE": row["test"]["mse"]}
        for name, history in histories.items()
        for row in _thinned(history)
        if row["test"].get("mse", 0) > 0
    ]
    return {
        "data": {"values": rows},
        "mark": {"type": "line", "point": {"size": 14}, "clip": True},
        "encoding": {
            "x": {"field": "epoch", "type": "quantitative", "title": "epoch"},
            "y": {"field": "MSE", "type": "quantitative", "title": "MSE, held out", "scale": {"type": "log"}},
            "color": {"field": "run", "type": "nominal", "title": None, "legend": {"orient": "top"}},
            "tooltip": [{"field": field} for field in ("run", "epoch", "MSE")],
        },
    }


def small_map(
    places: np.ndarray, box: tuple[float, float, float, float], groups: Sequence[Any], title: str
) -> dict[str, Any]:
    """A Vega-Lite chart of points (n, 2) without axes; groups (n,) are names or numbers and give the colors."""
    left, right, bottom, top = box
    values = [
        {"x": round(x, 4), "y": round(y, 4), title: group}
        for (x, y), group in zip(places.tolist(), groups, strict=True)
    ]
    numbers = all(isinstance(group, (int, float)) for group in groups)
    color = (
        {"type": "quantitative", "scale": {"scheme": {"name": "cividis", "extent": [0.25, 1]}}}
        if numbers
        else {"type": "nominal"}
    )
    legend = None if numbers else {"columns": 1, "symbolLimit": 12, "title": None}
    return {
        "data": {"values": values},
        "mark": {"type": "circle", "size": 22, "opacity": 0.85, "clip": True},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "axis": None, "scale": {"domain": [left, right]}},
            "y": {"field": "y", "type": "quantitative", "axis": None, "scale": {"domain": [bottom, top]}},
            "color": {"field": title, "legend": legend, **color},
            "tooltip": [{"field": title}],
        },
    }


def film(
    maps: Sequence[np.ndarray],
    box: tuple[float, float, float, float],
    groups: Sequence[Any],
    strips: Sequence[np.ndarray],
    captions: Sequence[str],
) -> bytes:
    """An animated GIF: in each frame a caption, a strip (h, w, 3) of pictures, and the map (n, 2) of a box below it.

    groups (n,) are names or numbers and give the colors.
    """
    side = strips[0].shape[1]
    left, right, bottom, top = box
    colors = _colors(groups)
    frames = []
    for places, strip, caption in zip(maps, strips, captions, strict=True):
        ground = np.full((side, side, 3), 255, np.uint8)
        x, y = ((places - (left, top)) / (right - left, bottom - top) * (side - 8)).astype(int).T + 4
        for across in range(-2, 3):
            for down in range(-2, 3):
                ground[y + down, x + across] = colors
        title = Image.new("RGB", (side, 24), "white")
        ImageDraw.Draw(title).text((4, 5), caption, fill="black", font_size=13)
        frames.append(Image.fromarray(np.concatenate([np.asarray(title), strip, ground])))
    buffer = io.BytesIO()
    pauses = [400] * (len(frames) - 1) + [2500]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=pauses, loop=0)
    return buffer.getvalue()


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
    width = {"condition": {"test": "datum.features === 'code'", "value": 4}, "value": 1.5}
    line = {"x": x, "y": y, "color": color, "tooltip": tooltip, "strokeWidth": width}
    return {
        "data": {"values": values},
        "layer": [
            {"mark": "rule", "encoding": bars},
            {"mark": {"type": "line", "point": True}, "encoding": line},
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
        "x": {"field": "said", "type": "nominal", "sort": None, "title": "predicted"},
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


def sweep(
    rows: Sequence[Mapping[str, Any]], trained: Sequence[tuple[str, float]] = (), now: float | None = None
) -> dict[str, Any]:
    """A Vega-Lite chart of PSNR over the level of noise, from rows {"name", "by", "level", "mean", "error"}.

    One line for each name, those by a filter dashed; rules mark the levels that runs were trained on, and a thin one
    the level `now`.
    """
    values = [{**row, "low": row["mean"] - row["error"], "high": row["mean"] + row["error"]} for row in rows]
    x = {
        "field": "level",
        "type": "quantitative",
        "title": "level of the noise",
        "scale": {"domain": [0, 1]},
        "axis": {"tickCount": 5},
    }
    color = {
        "field": "name",
        "type": "nominal",
        "sort": None,
        "title": None,
        "legend": {"orient": "right", "labelLimit": 220},
    }
    y = {"field": "mean", "type": "quantitative", "title": "PSNR in dB", "scale": {"zero": False}}
    dash = {
        "field": "by",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": ["run", "filter"], "range": [[1, 0], [5, 3]]},
    }
    tooltip = [
        {"field": "name"},
        {"field": "level"},
        {"field": "mean", "format": ".2f", "title": "PSNR"},
        {"field": "error", "format": ".2f", "title": "±"},
    ]
    marks = [{"level": level, "text": f"trained at {level:g}"} for level in sorted({level for _, level in trained})]
    shown = {"values": marks}
    text = {"type": "text", "align": "left", "baseline": "top", "dx": 4, "y": 2, "fontSize": 12, "color": GREY}
    low_to_high = {"x": x, "color": color, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}
    line = {"x": x, "y": y, "color": color, "strokeDash": dash, "tooltip": tooltip}
    return {
        "data": {"values": values},
        "layer": [
            {"data": shown, "mark": {"type": "rule", "color": GREY, "strokeDash": [2, 2]}, "encoding": {"x": x}},
            {"data": shown, "mark": text, "encoding": {"x": x, "text": {"field": "text", "type": "nominal"}}},
            {
                "data": {"values": [] if now is None else [{"level": now}]},
                "mark": {"type": "rule", "color": GREY, "opacity": 0.5},
                "encoding": {"x": x},
            },
            {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": low_to_high},
            {"mark": {"type": "line", "point": {"size": 16}, "strokeWidth": 1.5}, "encoding": line},
        ],
    }


def bars(
    values: Sequence[float], across: str, up: str, groups: Sequence[str] | None = None, zero: bool = True
) -> dict[str, Any]:
    """A Vega-Lite chart of one bar for each value, numbered from 1; groups color them."""
    rows = [{across: number + 1, up: float(value)} for number, value in enumerate(values)]
    encoding: dict[str, Any] = {
        "x": {"field": across, "type": "ordinal", "axis": {"labelAngle": 0, "labelOverlap": True}},
        "y": {"field": up, "type": "quantitative", "scale": {"zero": zero}},
        "tooltip": [{"field": across}, {"field": up, "format": ".4f"}],
    }
    if groups is not None:
        rows = [{**row, "group": group} for row, group in zip(rows, groups, strict=True)]
        encoding["color"] = {
            "field": "group", "type": "nominal", "sort": None, "title": None, "legend": {"orient": "right"},
        }  # fmt: skip
    return {"data": {"values": rows}, "mark": {"type": "bar", "clip": True}, "encoding": encoding}


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
