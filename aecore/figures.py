"""Pictures from arrays: image sheets, maps, charts. Imported by the pages and the command line."""

from pathlib import Path

import numpy as np
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
        top, left = line * tile + (tile - high) // 2, column * tile + (tile - wide) // 2
        out[top : top + high, left : left + wide, :3] = Image.fromarray(picture).resize((wide, high), how)
        out[top : top + high, left : left + wide, 3] = 255
    return out
