"""Names that are markup, formulas, paths, nothing, or very long; and a set of images with every one of them."""

import numpy as np

from aecore.data import Dataset, Split

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://evil.example/x.png)",
    "http://evil.example/",
    "=cmd|' /C calc'!A0",
    "@SUM(A1)",
    "+1",
    "-2.5e3",
    "-rm",
    "\tindented",
    "a\tb\nc\rd",
    "\rreturn",
    "x" * 10_000,
    "\u202egpj.exe",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\Windows\\x",
    "..",
    " ",
    "CON",
    "con.png",
    "Con.png",
    "half \ud800",
    "a\0b",
    "\"quoted', | cell",
    "</style></title><b>",
    "{{7*7}} $x$ `code`",
    "---\nevil: true",
]


def hostile_set() -> Dataset:
    """Small color images whose ids, classes and source are hostile: one class and one image for each of HOSTILE."""
    count = len(HOSTILE)
    images = np.random.default_rng(0).integers(0, 256, (count, 3, 12, 9), np.uint8)
    split = Split(images, np.arange(count), np.array(HOSTILE))
    return Dataset("digits", split, split, tuple(HOSTILE), " ".join(HOSTILE))
