"""python -m aecore sweep: how many numbers do these images need?"""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from aecore.commands.terminal import Bar, Parser, say
from aecore.process.worker import attend, working


def declare(command: Callable[[str, Any, str], Parser]) -> None:
    """Add this command to the parser."""
    sweep = command("sweep", _sweep, "train the same run with 1 unit, 2 and so on: how many numbers do images need?")
    sweep.add_name("dataset", "aecore.data:DATASETS", metavar="DATASET")
    sweep.add_argument("--most", type=int, default=8, metavar="UNITS", help="up to so many units (default 8)")


def _sweep(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from aecore import sweep
    from aecore.data import DATASETS, fetch, load_dataset, own_names
    from aecore.recipes import sweep_settings
    from aecore.store import Store

    if options.dataset not in (known := [*DATASETS, *own_names()]):
        raise ValueError(f"dataset is {options.dataset!r}; choose one of {', '.join(known)}")
    if options.most < 1:
        raise ValueError(f"--most is {options.most}; choose 1 or more")
    fetch(options.dataset, None if options.json else Bar(options.dataset, unit="B", unit_scale=True))
    dataset, store = load_dataset(options.dataset), Store()
    latents = range(1, options.most + 1)
    runs = sweep.runs_of(sweep_settings(dataset.name, len(dataset.train)), latents)
    with tqdm(runs, unit="run", disable=options.json) as bar:
        for run in bar:
            with working(store.create(run)) as worker:
                try:
                    for checkpoint in attend(worker):
                        bar.set_postfix_str(f"units {run.model.latent}, epoch {checkpoint.epoch:.1f} of {run.epochs}")
                except ArithmeticError as divergence:
                    print(f"aecore: {divergence}", file=sys.stderr)
                    return 1
            if not checkpoint.done:  # Ctrl-C
                break
    found, linear, mean = (
        sweep.errors(runs, dataset, store),
        sweep.baseline(dataset, latents),
        sweep.mean_error(dataset),
    )
    knee = sweep.knee(found, mean)
    rows = [
        {"units": run.model.latent, "run": run.id, "mse": found[run.model.latent], "pca": linear.get(run.model.latent)}
        for run in runs
        if run.model.latent in found
    ]
    return say(options, {"mean": mean, "rows": rows, "knee": knee}, _text(rows, mean, knee, len(runs)))


def _text(rows: list[dict[str, Any]], mean: float, knee: int | None, asked: int) -> str:
    lines = [f"{'units':>5}  {'test MSE':>9}  {'PCA':>9}", f"{0:>5}  {mean:>9.6f}  {mean:>9.6f}  the mean image"]
    for row in rows:
        pca = "-" if row["pca"] is None else f"{row['pca']:.6f}"
        lines.append(f"{row['units']:>5}  {row['mse']:>9.6f}  {pca:>9}  {row['run']}")
    if len(rows) < asked:
        lines.append(f"stopped; {len(rows)} of {asked} runs are trained, and the same command continues")
    lines.append("no knee: no unit cuts the error to less than a tenth" if knee is None else f"the knee is at {knee}")
    if rows:
        lines.append(f"Open it: streamlit run app.py, then http://localhost:8501/train?run={rows[-1]['run']}")
    return "\n".join(lines)
