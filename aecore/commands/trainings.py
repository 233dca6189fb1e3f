"""python -m aecore train: in one process, or in several that torchrun starts."""

import argparse
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aecore.commands.terminal import Bar, Parser
from aecore.folders import find_run, own_runs
from aecore.process.worker import Worker, attend, working

if TYPE_CHECKING:
    from aecore.parallel import Group


def declare(command: Callable[[str, Any, str], Parser]) -> None:
    """Add this command to the parser."""
    train = command("train", _train, "train an autoencoder, or resume a run")
    train.add_name("dataset", "aecore.data:DATASETS", nargs="?", metavar="DATASET")
    train.add_argument("--recipe", metavar="NAME", help="use settings that are known to work; `recipes` lists them")
    train.add_argument("--resume", metavar="RUN", help="continue a stopped run")
    train.add_name("--flavor", "aecore.models:FLAVORS")
    train.add_argument("--latent", type=int, help="number of units in a code")
    train.add_argument("--knob", action="append", default=[], metavar="NAME=VALUE", help="set a knob of the flavor")
    train.add_name("--network", "aecore.networks:NETWORKS")
    train.add_name("--loss", "aecore.models:DISTANCES")
    train.add_name("--precision", "aecore.devices:PRECISIONS")
    for name, kind in {"width": int, "epochs": int, "batch-size": int, "lr": float, "seed": int}.items():
        train.add_argument(f"--{name}", type=kind)
    train.add_argument("--background", action="store_true", help="wait in the queue, run at low priority")


def _train(options: argparse.Namespace) -> int:
    if os.environ.get("WORLD_SIZE", "1") == "1":  # do not wait for torch before there is something to say
        return _begin(options)
    from aecore.parallel import joined

    with joined() as group:
        if not group.first:
            return _follow(group)
        try:
            return _begin(options, group)
        finally:
            with suppress(OSError):
                group.tell()


def _follow(group: "Group") -> int:
    """Compute a share of each batch; when to stop, the first process says."""
    from aecore.training import follow

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    try:
        follow(group)
    except ArithmeticError:  # the first process says so
        return 1
    return 0


def _begin(options: argparse.Namespace, group: "Group | None" = None) -> int:
    root = own_runs()
    if options.resume:
        if options.dataset or options.recipe or options.flavor or options.knob:
            raise ValueError("--resume keeps a run's settings; remove the other options, or train a new run")
        folder = find_run(root, options.resume)
    else:
        from aecore.devices import check_precision
        from aecore.store import Store

        run = _run_from(options)
        check_precision(run.precision)
        folder = Store(root).create(run)
    with working(folder, options.background) as worker:
        return _watched(worker, options, group)


def _watched(worker: Worker, options: argparse.Namespace, group: "Group | None") -> int:
    """Train to the end and show it on the terminal."""
    from tqdm import tqdm

    id, quiet, checkpoint = worker.folder.name, options.background or options.json, None
    if not options.background:
        from aecore.data import fetch
        from aecore.store import Store

        name = Store(worker.folder.parent).run(id).dataset
        fetch(name, None if quiet else Bar(name, unit="B", unit_scale=True))
    with tqdm(unit="epoch", disable=quiet, bar_format=_BAR) as bar:
        try:
            for checkpoint in attend(worker, group):
                bar.total, bar.n = checkpoint.run.epochs, checkpoint.epoch
                bar.set_postfix_str(f"test MSE {checkpoint.history[-1]['test']['mse']:.5f}", refresh=True)
        except ArithmeticError as divergence:
            print(f"aecore: {divergence}", file=sys.stderr)
            return 1
    if checkpoint and options.json:
        print(json.dumps({"run": id, "state": worker.told["state"], **checkpoint.history[-1]}))
    elif checkpoint and not options.background:
        mse = checkpoint.history[-1]["test"]["mse"]
        print(f"{id}: {worker.told['state']} at epoch {checkpoint.epoch:g}, test MSE {mse:.5f}")
        print(f"Open it: streamlit run app.py, then http://localhost:8501/manifold?run={id}")
    return 0


_BAR = "{desc}{percentage:3.0f}%|{bar}| {n:.1f}/{total_fmt} epochs [{elapsed}<{remaining}{postfix}]"


def _run_from(options: argparse.Namespace) -> Any:
    """The Run that the options of `train` describe."""
    from aecore.data import DATASETS, own_names
    from aecore.recipes import RECIPES
    from aecore.runs import Run

    settings = {item.name: item.default for item in dataclasses.fields(Run) if item.metadata}
    given = {name: getattr(options, name) for name in settings}
    given = {name: value for name, value in given.items() if value is not None}
    knobs = _knobs(options.knob) | ({"latent": options.latent} if options.latent is not None else {})
    if options.recipe:
        if options.recipe not in RECIPES:
            raise ValueError(f"recipe is {options.recipe!r}; choose one of {', '.join(RECIPES)}")
        if options.dataset or options.flavor:
            raise ValueError("a recipe sets the dataset and flavor; remove DATASET and --flavor")
        chosen = RECIPES[options.recipe].run.to_dict()
        return Run.from_dict(chosen | given | {"model": chosen["model"] | knobs})
    known = [*DATASETS, *own_names()]
    if not options.dataset:
        raise ValueError(f"nothing to train; give a dataset ({', '.join(known)}), a --recipe, or a run to --resume")
    if options.dataset not in known:
        raise ValueError(f"dataset is {options.dataset!r}; choose one of {', '.join(known)}")
    model = {"flavor": options.flavor or "vanilla", **knobs}
    return Run.from_dict({"dataset": options.dataset, **settings, **given, "model": model})


def _knobs(pairs: list[str]) -> dict[str, Any]:
    knobs = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--knob is {pair!r}; write NAME=VALUE, such as weight=0.001")
        try:
            knobs[name] = json.loads(value)
        except ValueError:
            knobs[name] = value
    if "flavor" in knobs:
        raise ValueError("flavor is not a knob; use --flavor NAME")
    return knobs
