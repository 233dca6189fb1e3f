"""The command line: python -m aecore --help"""

import argparse
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from aecore.commands import posters, sets, sweeps, trainings
from aecore.commands.terminal import Bar, Parser, say
from aecore.folders import find_run, name_of, own_runs, rename
from aecore.process.jobs import Job, shown_folder
from aecore.process.worker import Busy, measuring


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

    trainings.declare(command)
    sweeps.declare(command)
    task = command("task", _task, "answer what a page has asked: this question, or all that wait, one after another")
    task.add_argument("name", metavar="NAME", nargs="?")

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
    posters.declare(command)
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


def _embed(options: argparse.Namespace) -> int:
    import numpy as np

    from aecore.export import write_arrays
    from aecore.parallel import joined

    checkpoint, dataset = _loaded(options.run)
    split = dataset.split(options.split)
    with joined() as group:
        codes = checkpoint.encode(split.images[group.share(len(split))])
        if group.size > 1:
            codes = np.frombuffer(b"".join(group.collect(codes.tobytes())), np.float32).reshape(len(split), -1)
    if not group.first:
        return 0
    columns = {"codes": codes, "ids": split.ids}
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
    from aecore.process import arrivals, posters, questions, repairs, tasks  # noqa: F401 - what they ask registers itself

    return tasks.work(options.name) if options.name else tasks.usher()


def _evaluate(options: argparse.Namespace) -> int:
    if options.background:
        with measuring(find_run(own_runs(), options.run), background=True):
            return _measure(options)
    id = _id_of(options.run)
    store, first = _store_of(id), os.environ.get("RANK", "0") == "0"
    with measuring(store.path(id), background=False) if first and not store.read_only else nullcontext():
        return _measure(options)


def _measure(options: argparse.Namespace) -> int:
    from aecore.measure.evaluate import as_text, measure
    from aecore.parallel import joined

    id, quiet = _id_of(options.run), options.json or options.background
    with joined() as group:
        known = measure(_store_of(id), id, options.anew, None if quiet or not group.first else Bar("parts"), group)
    if not group.first:
        return 0
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
    """Weights are saved as integers; what is measured is what is shipped. Continues where it stopped."""
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
