"""Pictures from arrays: image sheets, maps, films. Imported by the pages and the command line."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from aecore.pixels import png, to_bytes

GROUND = 128
"""Neutral gray between images."""
WHITE, BLUE, RED = (247, 247, 247), (33, 102, 172), (178, 24, 43)
"""No difference, too dark, too bright; distinguishable with color blindness too."""


def pixels(images: np.ndarray) -> np.ndarray:
    """images (n, c, h, w), uint8 or float in [0, 1] -> (n, h, w, 3) uint8."""
    return np.broadcast_to(to_bytes(images).transpose(0, 2, 3, 1), (len(images), *images.shape[2:], 3))


def enlarged(image: np.ndarray, side: int = 280) -> np.ndarray:
    """One image (c, h, w) -> (h * k, w * k, 3) uint8 with crisp pixels, about `side` high."""
    scale = max(1, round(side / image.shape[1]))
    return pixels(image[None])[0].repeat(scale, axis=0).repeat(scale, axis=1)


def difference(clean: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where images (n, c, h, w), float, are too dark (blue) or too bright (red) -> (n, 3, h, w) uint8.

    The mean over the channels; white is no difference, full color is half the range from black to white.
    """
    off = ((other - clean).mean(axis=1, keepdims=True) * 2).clip(-1, 1)
    white, blue, red = (np.array(color, np.float32).reshape(3, 1, 1) for color in (WHITE, BLUE, RED))
    return np.round(white + np.maximum(off, 0) * (red - white) + np.maximum(-off, 0) * (blue - white)).astype(np.uint8)


def sheet(images: np.ndarray, columns: int, scale: int = 2, gap: int = 2) -> np.ndarray:
    """images (n, c, h, w) in lines of `columns`, crisp, with a gray gap -> (height, width, 3) uint8."""
    tiles = pixels(images).repeat(scale, axis=1).repeat(scale, axis=2)
    height, width = tiles.shape[1] + gap, tiles.shape[2] + gap
    lines = -(-len(tiles) // columns)
    out = np.full((lines * height + gap, columns * width + gap, 3), GROUND, np.uint8)
    for place, picture in enumerate(tiles):
        top, left = place // columns * height + gap, place % columns * width + gap
        out[top : top + height - gap, left : left + width - gap] = picture
    return out


def lines(images: np.ndarray, gap: int = 2) -> np.ndarray:
    """images (n, k, c, h, w) -> for each of n a line of k with gray gaps, (n, 3, h, k * (w + gap) - gap) uint8."""
    n, k, c, h, w = images.shape
    tiles = pixels(images.reshape(n * k, c, h, w)).reshape(n, k, h, w, 3).transpose(0, 4, 2, 1, 3)
    out = np.full((n, 3, h, k, w + gap), GROUND, np.uint8)
    out[..., :w] = tiles
    return out.reshape(n, 3, h, k * (w + gap))[..., : k * (w + gap) - gap]


def pair(images: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Images (n, c, h, w) in a line, over what was made of them -> (height, width, 3) uint8."""
    both = np.concatenate([to_bytes(images), to_bytes(made)])
    return sheet(both, columns=len(images), scale=max(1, 56 // images.shape[2]))


def save_png(path: Path, picture: np.ndarray) -> None:
    """Save a picture (h, w, 3) or (h, w, 4) uint8 as a PNG file."""
    Image.fromarray(picture).save(path, "PNG")


def picture_map(images: np.ndarray, places: np.ndarray, cells: int, tile: int = 40) -> np.ndarray:
    """images (m, c, h, w) at cells (m, 2) of a square grid -> (cells * tile, cells * tile, 4) uint8.

    Transparent between the images. places are (column, line) with line 0 at the top, as `manifold.tile` gives them.
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
    """A picture (h, w, 3 or 4) uint8 as a data: URL, for a page."""
    return "data:image/png;base64," + base64.b64encode(png(picture.transpose(2, 0, 1))).decode()


def strip_uri(images: np.ndarray, originals: np.ndarray | None = None) -> str:
    """Images (n, c, h, w), one below the other, as a data: URL; their originals (n, 3, side, side), if any."""
    if originals is None:
        return png_uri(sheet(images, columns=1, scale=1, gap=0))
    buffer = io.BytesIO()
    Image.fromarray(sheet(originals, columns=1, scale=1, gap=0)).save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _colors(groups: Sequence[Any]) -> np.ndarray:
    """(n,) names or numbers -> (n, 3) uint8: a color for each name, or a place between blue and yellow."""
    if all(isinstance(group, (int, float)) for group in groups):
        from plotly.colors import sample_colorscale

        numbers = np.asarray(groups, float)
        shares = (numbers - numbers.min()) / max(np.ptp(numbers), 1e-12)
        return np.round(np.array(sample_colorscale("Cividis", shares, colortype="tuple")) * 255).astype(np.uint8)
    palette = np.array([[int(color[at : at + 2], 16) for at in (1, 3, 5)] for color in COLORS], np.uint8)
    return palette[np.unique(np.asarray(groups), return_inverse=True)[1] % len(palette)]


COLORS = (
    "#332288", "#CC6677", "#117733", "#882255", "#44AA99", "#5B5BD6", "#999933", "#AA4499", "#DDCC77", "#88CCEE",
)  # fmt: skip
"""Paul Tol's muted scheme for pictures on white, with the project's accent; https://sronpersonalpages.nl/~pault/"""


def film(
    maps: Sequence[np.ndarray],
    box: tuple[float, float, float, float],
    groups: Sequence[Any],
    strips: Sequence[np.ndarray],
    captions: Sequence[str],
) -> bytes:
    """An animated GIF: in each frame a caption, a strip (h, w, 3) of images, and the map (n, 2) of a box below it.

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
