"""The command line: python -m aecore --help"""

import argparse
import dataclasses
import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from aecore.commands import sets
from aecore.commands.terminal import Bar, Parser, say
from aecore.folders import find_run, name_of, own_runs, rename
from aecore.process.jobs import Job, shown_folder
from aecore.process.worker import Busy, Worker, attend, measuring, working


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 1 if a training failed, 2 for input that cannot be used."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (ValueError, KeyError, Busy, OSError) as error:
        return _fail(error)
    except RuntimeError as error:
        from aecore.data import Unavailable
        from aecore.store import DamagedRun

        if isinstance(error, (Unavailable, DamagedRun)):
            return _fail(error)
        raise


def _fail(error: Exception) -> int:
    print(f"aecore: {error}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="aecore", description="Train, see and use autoencoders on images.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=Parser)

    def command(name: str, function: Any, help: str) -> Parser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(command=function)
        sub.add_argument("--json", action="store_true", help="print JSON")
        return sub

    train = command("train", _train, "train an autoencoder, or resume a run")
    train.add_name("dataset", "aecore.data:DATASETS", nargs="?", metavar="DATASET")
    train.add_argument("--recipe", metavar="NAME", help="use settings that are known to work; `recipes` lists them")
    train.add_argument("--resume", metavar="RUN", help="continue a stopped run")
    train.add_name("--flavor", "aecore.models:FLAVORS")
    train.add_argument("--latent", type=int, help="number of units in a code")
    train.add_argument("--knob", action="append", default=[], metavar="NAME=VALUE", help="set a knob of the flavor")
    train.add_name("--network", "aecore.networks:NETWORKS")
    train.add_name("--loss", "aecore.models:DISTANCES")
    for name, kind in {"width": int, "epochs": int, "batch-size": int, "lr": float, "seed": int}.items():
        train.add_argument(f"--{name}", type=kind)
    train.add_argument("--background", action="store_true", help="wait in the queue, run at low priority")

    task = command("task", _task, "answer a question that a page has asked")
    task.add_argument("name", metavar="NAME")

    embed = command("embed", _embed, "write the codes of a split to a .npz file")
    search = command("search", _search, "find the images nearest to a test image")
    denoise = command("denoise", _denoise, "add noise to test images, repair them, and measure the result")
    evaluate = command("evaluate", _evaluate, "measure a run against its baselines; continues where it stopped")
    export = command("export", _export, "write a run into a new folder, for other tools and for people")
    for sub in (embed, search, denoise, evaluate, export):
        sub.add_argument("run", metavar="RUN", help="run id or recipe name")
    embed.add_argument("--split", choices=("train", "test"), default="test")
    embed.add_argument("--out", type=Path, default=Path("codes.npz"), help="default: codes.npz")
    search.add_argument(
        "--query", type=int, default=0, metavar="ROW", help="row of the test image to search for (default 0)"
    )
    search.add_argument("-k", type=int, default=4, help="number of neighbors (default 4)")
    search.add_argument("--gallery", choices=("train", "test"), default="train", help="split to search (default train)")
    search.add_argument("--out", type=Path, help="also draw the query and its neighbors into this PNG")
    denoise.add_name("--noise", "aecore.noise:NOISES", default="gaussian")
    denoise.add_argument("--level", type=float, default=0.5, help="0 to 1 (default 0.5)")
    denoise.add_argument("--seed", type=int, default=0)
    denoise.add_argument("--count", type=int, default=300, help="number of test images (default 300)")
    denoise.add_argument("--out", type=Path, help="also draw clean, noisy and restored images into this PNG")
    export.add_argument("--to", type=Path, required=True, metavar="DIR", help="a folder that is new or empty")
    export.add_argument("--split", choices=("train", "test"), default="test", help="split to export (default test)")
    export.add_name("--as", "aecore.export:FORMATS", dest="ways", metavar="FORMAT,...")
    evaluate.add_argument("--anew", action="store_true", help="discard earlier results and measure again")
    evaluate.add_argument("--background", action="store_true", help="run at low priority, print nothing")
    sets.declare(command)
    command("runs", _runs, "list the runs")
    rename = command("rename", _rename, "give a run a name; an empty name restores the automatic one")
    rename.add_argument("run", metavar="RUN", help="run id")
    rename.add_argument("name", metavar="NAME", help="at most 60 characters")
    command("recipes", _recipes, "list the recipes")
    command("showcase", _showcase, "train and measure every recipe and add it to the package; for maintainers")
    experiment = command("experiment", _experiment, "train a recipe and draw the result")
    experiment.add_argument("recipe", choices=("blocks-map", "fashion-search"))
    experiment.add_argument("--out", type=Path, help="PNG to draw (default: the recipe's name)")
    return parser


def _train(options: argparse.Namespace) -> int:
    if (processes := os.environ.get("WORLD_SIZE", "1")) != "1":
        raise ValueError(f"torchrun started {processes} processes, but a run trains in one: use --nproc-per-node 1")
    root = own_runs()
    if options.resume:
        if options.dataset or options.recipe or options.flavor or options.knob:
            raise ValueError("--resume keeps a run's settings; remove the other options, or train a new run")
        folder = find_run(root, options.resume)
    else:
        from aecore.store import Store

        folder = Store(root).create(_run_from(options))
    with working(folder, options.background) as worker:
        return _watched(worker, options)


def _watched(worker: Worker, options: argparse.Namespace) -> int:
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
            for checkpoint in attend(worker):
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


def _embed(options: argparse.Namespace) -> int:
    from aecore.export import write_arrays

    checkpoint, dataset = _loaded(options.run)
    split = dataset.split(options.split)
    columns = {"codes": checkpoint.encode(split.images), "ids": split.ids}
    if split.labels is not None:
        columns["labels"] = split.labels
    out = options.out.with_suffix(".npz")
    write_arrays(out, columns | split.factors)
    return say(options, {"file": str(out), "codes": list(columns["codes"].shape)}, f"{out}: {len(split):,} codes")


def _export(options: argparse.Namespace) -> int:
    from aecore import export

    id, ways = _id_of(options.run), None if options.ways is None else options.ways.split(",")
    cargo = export.load(_store_of(id), id, options.split)
    notes = export.write(cargo, options.to, ways, None if options.json else Bar("formats"))
    files = {way: str(options.to / export.FORMATS[way].file) for way in notes}
    lines = [line for way, file in files.items() for line in (file, *(f"  {note}" for note in notes[way]))]
    return say(options, {"files": files, "notes": notes}, "\n".join(lines))


def _search(options: argparse.Namespace) -> int:
    from aecore.search import Index

    checkpoint, dataset = _loaded(options.run)
    split, query, k = dataset.split(options.gallery), options.query, options.k
    if not 0 <= query < len(dataset.test):
        raise ValueError(f"query is {query}; choose a row from 0 to {len(dataset.test) - 1}")
    if not 1 <= k <= len(split):
        raise ValueError(f"k is {k}; choose a number from 1 to {len(split)}")
    image = dataset.test.images[query : query + 1]
    distances, rows = Index(checkpoint.encode(split.images)).nearest(checkpoint.encode(image)[0], k)
    name = lambda part, row: "" if part.labels is None else dataset.classes[part.labels[row]]  # noqa: E731
    hits = [
        {"row": int(row), "id": str(split.ids[row]), "class": name(split, row), "distance": float(distance)}
        for distance, row in zip(distances, rows, strict=True)
    ]
    lines = [
        f"test image {query} {name(dataset.test, query)}",
        *(f"{h['distance']:.4f}  {h['id']}  {h['class']}" for h in hits),
    ]
    if options.out:
        import numpy as np

        from aecore.figures import save_png, sheet

        save_png(options.out, sheet(np.concatenate([image, split.images[rows]]), columns=1 + k, scale=4))
        lines.append(f"saved to {options.out}")
    return say(options, {"query": query, "class": name(dataset.test, query), "hits": hits}, "\n".join(lines))


def _denoise(options: argparse.Namespace) -> int:
    from aecore.measure.metrics import psnr
    from aecore.noise import corrupt

    checkpoint, dataset = _loaded(options.run)
    if options.count < 1:
        raise ValueError(f"count is {options.count}; choose 1 or more")
    clean = dataset.test.images[: options.count]
    noisy = corrupt(clean, options.noise, options.level, options.seed)
    restored = checkpoint.reconstruct(noisy)
    figures = {
        "noise": options.noise,
        "level": options.level,
        "images": len(clean),
        "psnr_noisy": float(psnr(clean, noisy).mean()),
        "psnr_restored": float(psnr(clean, restored).mean()),
    }
    text = (
        "{noise} {level:g}, clipped, {images} test images: noisy {psnr_noisy:.2f} dB, restored {psnr_restored:.2f} dB"
    )
    if options.out:
        import numpy as np

        from aecore.figures import save_png, sheet
        from aecore.pixels import to_floats

        shown = np.concatenate([to_floats(clean[:8]), noisy[:8], restored[:8]])
        save_png(options.out, sheet(shown, columns=len(clean[:8]), scale=4))
    return say(options, figures, text.format(**figures))


def _task(options: argparse.Namespace) -> int:
    from aecore.process import arrivals, questions, repairs, tasks  # noqa: F401 - what they ask registers itself

    return tasks.work(options.name)


def _evaluate(options: argparse.Namespace) -> int:
    if options.background:
        with measuring(find_run(own_runs(), options.run), background=True):
            return _measure(options)
    id = _id_of(options.run)
    store = _store_of(id)
    with nullcontext() if store.read_only else measuring(store.path(id), background=False):
        return _measure(options)


def _measure(options: argparse.Namespace) -> int:
    from aecore.measure.evaluate import as_text, measure

    id, quiet = _id_of(options.run), options.json or options.background
    known = measure(_store_of(id), id, options.anew, None if quiet else Bar("parts"))
    return say(options, known, "" if options.background else as_text(known["parts"]))


def _rename(options: argparse.Namespace) -> int:
    folder = find_run(own_runs(), options.run)
    rename(folder, options.name)
    name = name_of(folder)
    return say(options, {"run": options.run, "name": name}, f"{options.run}: {name or 'no name'}")


def _runs(options: argparse.Namespace) -> int:
    from aecore.store import DamagedRun, Store

    store = Store()
    rows = []
    for id in store.ids():
        name = name_of(store.path(id))
        try:
            checkpoint = store.load(id)
        except DamagedRun as error:
            rows.append({"run": id, "name": name, "state": "damaged", "error": str(error)})
            continue
        last = checkpoint.history[-1]
        state = "done" if checkpoint.done else Job(store.path(id)).state
        figures = {"epoch": checkpoint.epoch, "test_mse": last["test"]["mse"]}
        rows.append({"run": id, "name": name, "state": state, **figures})
    lines = [
        f"{row['run']:<40} {row['state']:<12} "
        + (row.get("error") or f"epoch {row['epoch']:g}  test MSE {row['test_mse']:.5f}  {row['name']}").rstrip()
        for row in rows
    ]
    return say(options, rows, "\n".join(lines) or "no runs yet; train one: python -m aecore train digits")


def _recipes(options: argparse.Namespace) -> int:
    from aecore.recipes import RECIPES

    table = {name: {"sentence": recipe.sentence, **recipe.run.to_dict()} for name, recipe in RECIPES.items()}
    return say(options, table, "\n".join(f"{name:<16} {row['sentence']}" for name, row in table.items()))


def _showcase(options: argparse.Namespace) -> int:
    """Weights are saved in 8 bits; what is measured is what is shipped. Continues where it stopped."""
    from aecore.measure.evaluate import measure
    from aecore.recipes import RECIPES
    from aecore.store import Store, showcase

    own, shipped = Store(), Store(showcase().folder)
    for name, recipe in RECIPES.items():
        id = recipe.run.id
        if (id not in own.ids() or not own.load(id).done) and (code := main(["train", "--recipe", name])):
            return code
        shipped.save(own.load(id), compact=True)
        measure(shipped, id, progress=None if options.json else Bar(name))
    for id in set(shipped.ids()) - {recipe.run.id for recipe in RECIPES.values()}:
        shipped.delete(id)
    size = sum(path.stat().st_size for path in shipped.folder.rglob("*") if path.is_file())
    return say(options, {"bytes": size}, f"{shipped.folder}: {size / 1e6:.1f} MB")


def _experiment(options: argparse.Namespace) -> int:
    from aecore import figures, manifold
    from aecore.recipes import RECIPES
    from aecore.store import Store

    run, store, way = RECIPES[options.recipe].run, Store(), ["--json"] if options.json else []
    trained = run.id in store.ids() and store.load(run.id).done
    if not trained and (code := main(["train", "--recipe", options.recipe, *way])):
        return code
    checkpoint, dataset = _loaded(run.id)
    out = options.out or Path(f"{options.recipe}.png")
    if options.recipe == "blocks-map":
        images = dataset.train.images
        rows, places = manifold.tile(checkpoint.encode(images), cells=28)
        figures.save_png(out, figures.picture_map(images[rows], places, cells=28))
        return say(options, {"run": run.id, "file": str(out)}, f"{out}: every block at the place of its code")
    for name in ("Trouser", "Shirt"):
        query = int((dataset.test.labels == dataset.classes.index(name)).argmax())
        drawing = out.with_name(f"{out.stem}-{name.lower()}.png")
        if code := main(["search", run.id, "--query", str(query), "--out", str(drawing), *way]):
            return code
    return 0


def _store_of(id: str) -> Any:
    """The store from which a run is shown, as on the pages. Raises UnknownRun."""
    from aecore.store import store_at

    return store_at(shown_folder(id))


def _id_of(name: str) -> str:
    """A run's id, or the id of the recipe of this name."""
    from aecore.recipes import RECIPES

    return RECIPES[name].run.id if name in RECIPES else name


def _loaded(id: str) -> tuple[Any, Any]:
    from aecore.data import load_dataset

    checkpoint = _store_of(_id_of(id)).load(_id_of(id))
    return checkpoint, load_dataset(checkpoint.run.dataset)


if __name__ == "__main__":
    sys.exit(main())
