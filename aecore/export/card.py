"""The model card: what a model was trained on, how good it is beside simple baselines, and where it ends."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from aecore.export.cargo import Cargo
from aecore.export.names import markdown
from aecore.text import one_line

UNKNOWN = "not stated; find out whose images these are before you pass the model on"


def card(cargo: Cargo) -> str:
    """README.md of a model: YAML front matter for machines, then the same for people."""
    run, dataset = cargo.checkpoint.run, cargo.dataset
    data = {"name": dataset.name, "title": one_line(dataset.title), "source": one_line(dataset.source or UNKNOWN, 2000)}
    front = {
        "tags": ["autoencoder", run.model.name],
        "pipeline_tag": "image-feature-extraction",
        "data": data,
        "settings": run.to_dict(),
        "epoch": cargo.checkpoint.epoch,
        "evaluation": {name: _rounded(part["rows"]) for name, part in cargo.parts.items() if part},
        "limits": limits(cargo),
    }
    lines = ["---"]
    lines += [f"{key}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}" for key, value in front.items()]
    size = "x".join(map(str, dataset.shape[1:]))
    lines += [
        "---",
        "",
        f"# {markdown(cargo.name)}",
        "",
        f"An autoencoder: it turns an image of {size} pixels into {run.model.latent} numbers, and those into an image. "
        f"Flavor {run.model.name}, network {run.network}.",
        "",
        "```bash",
        "pip install torch safetensors",
        "python example.py",
        "```",
        "",
        "## Data",
        "",
        f"{markdown(dataset.title)}: {len(dataset.train):,} training and {len(dataset.test):,} test images. "
        f"Source and license: {markdown(data['source'])}",
        "",
        "## Settings",
        "",
        "| setting | value |",
        "|---|---|",
        *(f"| {markdown(name)} | {markdown(value)} |" for name, value in settings(run.to_dict())),
        "",
        "## Evaluation",
        "",
        *_tables(cargo.parts),
        "## Limits",
        "",
        *(f"- {markdown(limit)}" for limit in limits(cargo)),
        "",
        "## Files",
        "",
        f"- `model.safetensors`: the weights, SHA-256 `{cargo.sha256}`",
        "- `config.json`: what the network is built with, and all settings of the training",
        "- `network.py`: the network; it imports torch alone",
        "- `example.py`: a short program that loads the model and rebuilds an image",
        "- `example.safetensors`: that image, the first test image of the data",
        "",
    ]
    return "\n".join(lines)


def _rounded(value: Any) -> Any:
    """Figures with four digits; what is no number at all becomes null."""
    if isinstance(value, Mapping):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value


def settings(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """All settings of a run as (name, value), those of its flavor among them."""
    return [
        pair
        for name, value in values.items()
        for pair in (value.items() if isinstance(value, Mapping) else [(name.replace("_", " "), value)])
    ]


def limits(cargo: Cargo) -> list[str]:
    """What the model is not good for, one sentence each, from its data and its evaluation."""
    dataset, parts = cargo.dataset, cargo.parts
    size = "x".join(map(str, dataset.shape[1:]))
    found = [
        f"It has only learned images like those of the dataset {one_line(dataset.title)!r}, at {size} pixels; it gives "
        "a code to any other image, too, without a warning."
    ]
    if not cargo.checkpoint.done:
        found.append(
            f"Its training was not finished: epoch {cargo.checkpoint.epoch:g} of {cargo.checkpoint.run.epochs}."
        )
    if not parts:
        return [*found, f"It has not been measured: python -m aecore evaluate {cargo.checkpoint.run.id}"]
    rows = (parts.get("reconstruction") or {}).get("rows", {})
    if "PCA" in rows:
        own, pca = rows["code"]["MSE"], rows["PCA"]["MSE"]
        found.append(
            f"Its reconstructions have an MSE of {own:.4f} on test images; principal components with as many numbers "
            f"have {pca:.4f}, which is {'worse' if pca > own else 'better or equal'}."
        )
    code = (parts.get("code") or {}).get("rows", {}).get("code", {})
    if code.get("dead units"):
        found.append(f"{code['dead units']} of its {code['units']} units are dead: they say nothing.")
    return found


def _tables(parts: Mapping[str, Any]) -> Iterator[str]:
    """A table for each part that was measured, the model's own row first."""
    from aecore.measure.evaluate import about, cell, columns

    if not any(parts.values()):
        yield from ["Not measured.", ""]
    for name, part in parts.items():
        if part:
            heads = columns(part)
            yield f"### {markdown(name.replace('_', ' ').capitalize())}"
            yield from ["", markdown(about(part)), ""]
            yield f"| | {' | '.join(map(markdown, heads))} |"
            yield "|---" * (len(heads) + 1) + "|"
            for row, figures in part["rows"].items():
                cells = [markdown(cell(head, figures[head])) if head in figures else "" for head in heads]
                yield f"| {markdown(row)} | {' | '.join(cells)} |"
            yield ""
