"""Images are kept as bytes from 0 to 255, and counted with as float32 from 0 to 1: from one to the other."""

import io

import numpy as np


def to_floats(images: np.ndarray) -> np.ndarray:
    """uint8 images of any shape as float32 in [0, 1]; float ones as they are."""
    return images.astype(np.float32) / 255 if images.dtype == np.uint8 else images


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Float images of any shape as uint8, clipped to [0, 1] before; uint8 ones as they are."""
    return images if images.dtype == np.uint8 else np.round(images.clip(0, 1) * 255).astype(np.uint8)


def white(images: np.ndarray) -> int:
    """The value of white: 255 for uint8, else 1."""
    return 255 if images.dtype == np.uint8 else 1


def flat(images: np.ndarray) -> np.ndarray:
    """images (n, c, h, w), uint8 or float in [0, 1] -> (n, c * h * w) float32 in [0, 1]."""
    return to_floats(images).reshape(len(images), -1)


def png(image: np.ndarray) -> bytes:
    """An image (c, h, w), uint8 or float in [0, 1], as a PNG file; c is 1 for gray, 3 for color, 4 with opacity."""
    from PIL import Image

    pixels, buffer = np.ascontiguousarray(to_bytes(image).transpose(1, 2, 0)), io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
    return buffer.getvalue()
