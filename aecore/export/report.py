"""A run as one page that opens from disk: pictures first, then curves, figures and settings. It asks nobody."""

import html
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from aecore import figures, manifold
from aecore.atlas import drawn
from aecore.export.card import UNKNOWN, limits, settings
from aecore.export.cargo import Cargo
from aecore.export.curves import curves, scatter
from aecore.text import one_line

POINTS = 1500
"""Codes that the page shows as points."""
SPLITS = {"train": "training images", "test": "test images"}
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
DARK = (
    "#9A9AF8", "#EE8866", "#BBCC33", "#FFAABB", "#44BB99", "#99DDFF", "#AAAA00", "#EEDD88", "#77AADD", "#DDDDDD",
)  # fmt: skip
"""The colors of classes on black, in the order of `figures.COLORS`."""

STYLE = """
:root { color-scheme: light dark; --ground: #FBFAF7; --card: #F1EFE9; --text: #1C1B22; --quiet: #66646E;
  --rule: #DEDBD2; --accent: #5B5BD6 }
@media (prefers-color-scheme: dark) { :root { --ground: #14151A; --card: #1E2027; --text: #E9E7E2; --quiet: #A3A1A9;
  --rule: #33353F; --accent: #9A9AF8 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.55 system-ui, sans-serif;
  overflow-wrap: anywhere }
main { max-width: 60rem; margin: 0 auto; padding: 3rem 1.25rem 5rem }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .4rem; font-weight: 600 }
h2 { font-size: 1.25rem; margin: 3rem 0 .8rem; font-weight: 600 }
h3 { font-size: 1rem; margin: 2rem 0 .2rem; font-weight: 600 }
p { margin: .3rem 0; max-width: 44rem }
.quiet, figcaption { color: var(--quiet); font-size: .875rem }
.facts { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1.4rem 0 0; padding: 0; list-style: none }
.facts li { background: var(--card); border-radius: 6px; padding: .5rem .9rem }
.facts b { display: block; font-size: 1.25rem; font-weight: 600 }
.facts span { color: var(--quiet); font-size: .8125rem }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1.5rem; align-items: start }
figure { margin: 1.5rem 0 0 }
.small { max-width: 36rem }
figure img, .points { display: block; width: 100%; height: auto; border-radius: 6px; image-rendering: pixelated }
.points { background: var(--card) }
figcaption { margin-top: .5rem }
.key { display: flex; flex-wrap: wrap; gap: .2rem .9rem }
.key span::before { content: ""; display: inline-block; width: .65em; height: .65em; border-radius: 50%;
  margin-right: .4em; background: currentColor }
.key span { color: var(--dot) } .key span i { color: var(--quiet); font-style: normal }
circle { fill: var(--dot); opacity: .85 }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem 1.5rem }
.curves text { font-size: 11px; fill: var(--quiet) } .curves .name { font-size: 13px; fill: var(--text) }
polyline { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round }
.held { stroke-dasharray: 5 4 } .grid { stroke: var(--rule) }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; margin: .6rem 0 }
th, td { text-align: right; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--rule); font-weight: 400 }
th { color: var(--quiet) } td { white-space: nowrap } th:first-child, td:first-child { text-align: left }
tr.own td { font-weight: 600 } code { font: .8125rem ui-monospace, monospace }
"""


def write_report(cargo: Cargo, path: Path) -> list[str]:
    """One HTML file with everything in it: no script, no request, for light and dark screens; nothing to note."""
    path.write_text(page(cargo), encoding="utf-8", newline="\n")
    return []


def page(cargo: Cargo) -> str:
    """The report as HTML. All text from outside is escaped, and no line of it is longer than 200 characters."""
    title = _text(cargo.name)
    body = [
        f"<h1>{title}</h1>",
        f"<p class='quiet'>{_text(cargo.dataset.title)}, {len(cargo.dataset.train):,} training and "
        f"{len(cargo.dataset.test):,} test images · run <code>{_text(cargo.checkpoint.run.id)}</code></p>",
        *_facts(cargo),
        *_map(cargo),
        *_reconstructions(cargo),
        *_lattice(cargo),
        *_curves(cargo),
        *_evaluation(cargo),
        "<h2>Limits</h2>",
        *(f"<p>{_text(limit)}</p>" for limit in limits(cargo)),
        "<h2>Settings</h2>",
        _table(["setting", "value"], settings(cargo.checkpoint.run.to_dict())),
        "<h2>Source</h2>",
        f"<p>{_text(cargo.dataset.source or UNKNOWN, 2000)}</p>",
        f"<p class='quiet'>SHA-256 of the weights as a safetensors file: <code>{cargo.sha256}</code></p>",
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}{_dots()}</style></head>\n<body><main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def _text(value: object, most: int = 200) -> str:
    return html.escape(one_line(value, most))


def _figure(picture: np.ndarray, about: str, kind: str = "") -> str:
    """A picture (h, w, 3 or 4) with a caption, which is text; kind is a class of the style."""
    words = html.escape(about)
    image = f'<img src="{figures.png_uri(picture)}" alt="{words}">'
    return f'<figure class="{kind}">{image}<figcaption>{words}</figcaption></figure>'


def _dots() -> str:
    light = " ".join(f".c{number} {{ --dot: {color} }}" for number, color in enumerate(figures.COLORS))
    dark = " ".join(f".c{number} {{ --dot: {color} }}" for number, color in enumerate(DARK))
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"


def _facts(cargo: Cargo) -> Iterator[str]:
    checkpoint, history = cargo.checkpoint, cargo.checkpoint.history
    facts = {"flavor": checkpoint.run.model.title, "units in a code": checkpoint.run.model.latent}
    facts["epochs"] = (
        f"{checkpoint.epoch:g} of {checkpoint.run.epochs}" if not checkpoint.done else checkpoint.run.epochs
    )
    if history and "mse" in history[-1]["test"]:
        facts["test MSE"] = f"{history[-1]['test']['mse']:.4f}"
    yield "<ul class='facts'>"
    yield from (f"<li><b>{_text(value)}</b><span>{_text(name)}</span></li>" for name, value in facts.items())
    yield "</ul>"


def _map(cargo: Cargo) -> Iterator[str]:
    """The codes of the split twice: as images at their places, and as points in the colors of their classes."""
    places, cells = cargo.places, 24
    rows, tiles = manifold.tile(places, cells)
    picture = figures.picture_map(cargo.images.images[rows], tiles, cells, tile=36)
    way = "the codes themselves" if cargo.checkpoint.run.model.latent == 2 else "two principal components of the codes"
    yield "<h2>Map</h2><div class='pair'>"
    yield _figure(picture, f"{SPLITS[cargo.split].capitalize()} at the places of their codes: {way}.")
    shown = drawn(len(places), POINTS)
    groups = [0] * len(shown) if cargo.labels is None else cargo.images.labels[shown].tolist()
    points = scatter(places[shown], manifold.bounds(places), groups)
    key = ""
    if cargo.labels is not None:
        classes = cargo.dataset.classes[:40]
        key = "".join(f'<span class="c{n % 10}"><i>{_text(name, 60)}</i></span>' for n, name in enumerate(classes))
    count = f"{len(shown):,} of {len(places):,} codes as points." if len(shown) < len(places) else "The same as points."
    yield f"<figure>{points}<figcaption>{count}"
    yield f'<div class="key">{key}</div></figcaption></figure></div>'


def _reconstructions(cargo: Cargo) -> Iterator[str]:
    images = cargo.images.images[drawn(len(cargo.ids), 12)]
    picture = figures.pair(images, cargo.checkpoint.reconstruct(images))
    yield "<h2>Reconstructions</h2>"
    yield _figure(picture, f"{len(images)} {SPLITS[cargo.split]}, and below each what the decoder makes of its code.")


def _lattice(cargo: Cargo) -> Iterator[str]:
    """For a code of 2 units, the decoded plane."""
    if cargo.checkpoint.run.model.latent != 2:
        return
    count, prior = 20, cargo.checkpoint.run.model.prior is not None
    box = manifold.decoded_box(cargo.codes, prior)
    images = cargo.checkpoint.decode(manifold.lattice(box, count))
    picture = figures.sheet(images, count, scale=max(1, 40 // images.shape[2]), gap=0)
    where = "that holds 98% of the codes each way" + (" and 99.8% of the prior" if prior else "")
    yield "<h2>What the decoder knows</h2>"
    yield _figure(picture, f"Decoded codes on a lattice of {count} x {count}, in the box {where}.", "small")


def _curves(cargo: Cargo) -> Iterator[str]:
    if drawings := curves(cargo.checkpoint.history):
        yield "<h2>Training</h2><p class='quiet'>Loss terms; training images solid, held-out images dashed.</p>"
        yield f"<div class='curves'>{''.join(drawings)}</div>"


def _evaluation(cargo: Cargo) -> Iterator[str]:
    from aecore.measure.evaluate import PARTS, about, cell, columns

    yield "<h2>Evaluation</h2>"
    if not any(cargo.parts.values()):
        yield f"<p>Not measured yet: <code>python -m aecore evaluate {_text(cargo.checkpoint.run.id)}</code></p>"
    for name, part in cargo.parts.items():
        if part:
            heads = columns(part)
            rows = [
                [row, *(cell(head, found[head]) if head in found else "" for head in heads)]
                for row, found in part["rows"].items()
            ]
            yield f"<h3>{_text(name.replace('_', ' ').capitalize())}</h3>"
            yield f"<p>{_text(PARTS[name].figures.__doc__.partition(chr(10))[0] if name in PARTS else '')}</p>"
            yield _table(["", *heads], rows, own=True)
            yield f"<p class='quiet'>{_text(about(part))}</p>"


def _table(heads: Sequence[object], rows: Iterable[Sequence[object]], own: bool = False) -> str:
    """A table; own: its first row is that of the run itself."""
    lines = [f"<tr>{''.join(f'<th>{_text(head)}</th>' for head in heads)}</tr>"]
    for number, row in enumerate(rows):
        mark = " class='own'" if own and not number else ""
        lines.append(f"<tr{mark}>{''.join(f'<td>{_text(value)}</td>' for value in row)}</tr>")
    return f"<div class='wide'><table>{''.join(lines)}</table></div>"
