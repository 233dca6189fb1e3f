"""The shape of the project: what may import what, and what may occur nowhere."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "aecore").rglob("*.py"))
PAGES = sorted((ROOT / "pages").rglob("*.py"))
SCRIPTS = sorted((ROOT / "pages").rglob("*.js"))
APP = [path for path in [ROOT / "app.py"] if path.exists()]


def _dotted(path: Path) -> str:
    """data/pictures.py -> data.pictures; a wing's __init__.py -> the wing."""
    parts = path.relative_to(ROOT / "aecore").with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


NAMES = {_dotted(path) for path in MODULES}

MAY_IMPORT: dict[str, set[str]] = {
    "atlas": {"data", "figures", "manifold", "measure.metrics", "pixels", "runs", "tags"},
    "charts": {"history"},
    "commands": set(),
    "commands.posters": {"commands.terminal", "decks", "files", "poster"},
    "commands.sets": {"commands.terminal", "data", "data.intake", "data.own"},
    "commands.sweeps": {"commands.terminal", "data", "process.worker", "recipes", "store", "sweep"},
    "commands.terminal": set(),
    "commands.trainings": {
        *(
            "commands.terminal",
            "data",
            "devices",
            "folders",
            "parallel",
            "process.worker",
            "recipes",
            "runs",
            "store",
            "training",
        ),
    },
    "devices": set(),
    "data": {
        *("data.datasets", "data.downloads", "data.generated", "data.own", "data.published", "data.registry"),
    },
    "data.arrays": {"data.pictures"},
    "data.datasets": {"data.downloads"},
    "data.downloads": set(),
    "data.generated": {"data.datasets"},
    "data.idx": {"data.downloads"},
    "data.decoder": set(),
    "data.intake": {
        *("data.datasets", "data.downloads", "data.originals", "data.own", "data.pictures", "data.pile"),
        *("data.sources", "files", "text"),
    },
    "data.originals": {"data.downloads", "data.own", "data.pictures"},
    "data.own": {"data.datasets", "data.downloads", "data.pictures", "files"},
    "data.pictures": {"data.decoder"},
    "data.pile": {"data.datasets", "data.own", "data.pictures", "data.sources", "text"},
    "data.published": {"data.datasets", "data.downloads", "data.idx", "data.shared"},
    "data.registry": {"data.datasets", "data.downloads", "data.own", "data.shared"},
    "data.shared": {"data.downloads", "data.idx", "kept"},
    "data.sources": {"data.arrays", "data.pictures", "pixels", "text"},
    "decks": {"text"},
    "export": {
        *(
            f"export.{name}"
            for name in ("cargo", "model", "onnx_model", "parquet", "projector", "report", "selection", "table")
        ),
        "files",
    },
    "export.card": {"export.cargo", "export.names", "measure.evaluate", "text"},
    "export.cargo": {"data", "export.names", "folders", "manifold", "measure.evaluate", "runs", "store", "text"},
    "export.curves": {"history", "text"},
    "export.model": {"export.card", "export.cargo", "networks", "pixels"},
    "export.names": {"text"},
    "export.onnx_model": {"export.cargo"},
    "export.parquet": {"export.cargo", "pixels", "search"},
    "export.projector": {"atlas", "export.cargo", "text"},
    "export.report": {
        *(f"export.{name}" for name in ("card", "cargo", "curves")),
        *("atlas", "figures", "manifold", "measure.evaluate", "text"),
    },
    "export.selection": {"data", "data.originals", "data.pictures", "export.names", "export.table", "pixels", "text"},
    "export.table": {"export.cargo", "text"},
    "figures": {"pixels"},
    "files": set(),
    "folders": {"files", "text"},
    "history": set(),
    "lesson_files": {"lessons"},
    "lessons": {"folders", "measure.evaluate", "measure.metrics", "recipes", "runs", "store"},
    "kept": {"files"},
    "manifold": {"vectors"},
    "measure": set(),
    "measure.baselines": {"data", "measure.pca", "networks", "pixels", "whitening"},
    "measure.evaluate": {
        *("data", "files", "folders", "manifold", "noise", "pixels", "runs", "store", "whitening"),
        *("measure.baselines", "measure.few_labels", "measure.filters", "measure.metrics", "measure.pca"),
        *("measure.published", "measure.units", "parallel"),
    },
    "measure.few_labels": {"pixels"},
    "measure.filters": {"data", "measure.metrics", "measure.pca", "noise", "pixels"},
    "measure.metrics": {"manifold", "pixels", "vectors"},
    "measure.pca": {"data", "pixels", "vectors"},
    "measure.published": set(),
    "measure.repair": {"data", "data.pictures", "measure.filters", "measure.metrics", "noise", "pixels", "runs"},
    "measure.units": set(),
    "models": {"networks", "noise"},
    "moments": {"data", "figures", "files", "folders", "manifold", "pixels", "runs"},
    "networks": set(),
    "noise": set(),
    "parallel": set(),
    "parcels": {"data", "data.own", "files", "folders", "runs", "store"},
    "pixels": set(),
    "portable": {"atlas", "networks", "runs"},
    "poster": set(),
    "process": set(),
    "process.arrivals": {
        *("data", "data.intake", "data.own", "data.pictures", "data.sources", "files"),
        *("process.limits", "process.tasks"),
    },
    "process.jobs": {"files", "folders", "process.nursery"},
    "process.limits": set(),
    "process.nursery": set(),
    "process.posters": {"files", "poster", "process.tasks"},
    "process.questions": {
        *(
            "atlas",
            "data",
            "export",
            "kept",
            "manifold",
            "measure.few_labels",
            "measure.filters",
            "measure.repair",
            "recipes",
            "search",
            "store",
            "training",
        ),
        *("process.jobs", "process.tasks"),
    },
    "process.repairs": {
        *("data.pictures", "data.sources", "files", "measure.repair", "store"),
        *("process.arrivals", "process.jobs", "process.tasks"),
    },
    "process.memory": set(),
    "process.tasks": {"files", "folders", "kept", "process.jobs", "process.memory", "process.nursery"},
    "process.queue": {"folders", "process.jobs", "process.limits"},
    "process.visitors": {
        "data",
        "data.own",
        "devices",
        "files",
        "folders",
        "parcels",
        "process.jobs",
        "process.limits",
        "process.memory",
        "runs",
        "store",
        "training",
    },
    "process.worker": {
        *("data", "devices", "folders", "moments", "parallel", "runs", "store", "training"),
        *("process.jobs", "process.limits", "process.memory", "process.queue"),
    },
    "recipes": {"folders", "models", "runs", "store"},
    "runs": {"data", "devices", "kept", "models", "networks"},
    "search": {"pixels", "vectors"},
    "store": {"data", "files", "folders", "runs"},
    "sweep": {"data", "measure.metrics", "measure.pca", "runs", "store"},
    "tags": {"files"},
    "text": set(),
    "training": {"data", "devices", "history", "models", "moments", "networks", "parallel", "runs"},
    "transformer": {"data", "models", "pixels", "runs", "training"},
    "vectors": set(),
    "whitening": {"vectors"},
    "__init__": NAMES - {"charts", "figures", "__main__"},
    "__main__": NAMES,
}
HEAVY = {"torch", "sklearn", "scipy", "plotly", "altair", "pandas", "skimage", "pooch", "safetensors"}
LIGHT = {
    *("aecore", "aecore.atlas", "aecore.data", "aecore.data.pictures", "aecore.export", "aecore.figures"),
    *("aecore.decks", "aecore.files"),
    *("aecore.folders", "aecore.kept", "aecore.manifold", "aecore.measure.metrics", "aecore.whitening"),
    *(
        "aecore.process.jobs",
        "aecore.process.limits",
        "aecore.process.memory",
        "aecore.process.nursery",
        "aecore.process.questions",
        "aecore.process.tasks",
        "aecore.process.queue",
        "aecore.process.worker",
    ),
}

per_module = pytest.mark.parametrize("path", MODULES, ids=_dotted)
per_source = pytest.mark.parametrize("path", [*MODULES, *PAGES, *APP], ids=lambda path: str(path.relative_to(ROOT)))
per_script = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
per_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(tree: ast.AST, deep: bool = True) -> Iterator[str]:
    """Dotted names that are imported; with deep=False only those that importing the file itself imports."""
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING") and not deep:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield node.module
        elif deep or not isinstance(node, inner):
            yield from _imports(node, deep)


def _siblings(path: Path) -> set[str]:
    """The modules of the package that a file imports: the wing `data` for a name from it, else the module in it."""
    found = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("aecore.") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}".removeprefix("aecore.") for alias in node.names}
            found |= {name if name in NAMES else node.module.removeprefix("aecore.") for name in names}
    return found & NAMES


# Directions.


@per_module
def test_imports_point_one_way(path: Path) -> None:
    assert _dotted(path) in MAY_IMPORT, "a new module: say here what it may import"
    assert _siblings(path) <= MAY_IMPORT[_dotted(path)]


def test_no_module_is_allowed_what_it_does_not_use() -> None:
    for path in MODULES:
        if _dotted(path) not in ("__init__", "__main__"):
            assert _siblings(path) == MAY_IMPORT[_dotted(path)], path
    assert MAY_IMPORT.keys() == NAMES


@per_module
def test_the_library_never_imports_streamlit_or_the_pages(path: Path) -> None:
    assert not {name.split(".")[0] for name in _imports(_tree(path))} & {"streamlit", "pages", "app", "tests"}


def test_importing_aecore_pulls_in_nothing_heavy() -> None:
    code = "import aecore, sys; dir(aecore); print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(result.stdout.split()) & (HEAVY | {"streamlit", "numpy", "PIL"})


def test_every_public_name_is_there_and_the_names_are_sorted() -> None:
    import aecore

    assert aecore.__all__ == sorted(set(aecore.__all__)) == dir(aecore)
    assert all(getattr(aecore, name) is not None for name in aecore.__all__)
    with pytest.raises(AttributeError, match=r"no attribute 'Trainer'; it has AutoencoderTransformer, Checkpoint"):
        aecore.Trainer  # noqa: B018


# What may occur nowhere.

FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}


@per_source
def test_no_pickle_is_read_and_no_text_is_run(path: Path) -> None:
    tree = _tree(path)
    assert not {name.split(".")[0] for name in _imports(tree)} & FORBIDDEN_IMPORTS
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS, node.lineno
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in {("torch", "load"), ("torch", "save")}, node.lineno
        if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "unsafe_allow_html"):
            assert isinstance(node.value, ast.Constant), node.lineno
            assert node.value.value is False, node.lineno


def test_no_markup_is_made_from_text() -> None:
    for path in [*MODULES, *PAGES, *APP, *SCRIPTS, *(ROOT / "pages").rglob("*.html")]:
        text = path.read_text(encoding="utf-8")
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "unsafe_allow_javascript=True"):
            assert word not in text, (path.name, word)


@per_module
def test_the_process_wide_seed_is_never_touched(path: Path) -> None:
    for node in ast.walk(_tree(path)):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in ("manual_seed", "seed")
            and isinstance(node.value, ast.Name)
        ):
            assert node.value.id not in ("torch", "random"), node.lineno


# Size and explanation.


@pytest.mark.parametrize(
    "path",
    [*MODULES, *PAGES, *APP, *sorted((ROOT / "tests").rglob("*.py"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_file_is_longer_than_500_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


@per_script
def test_no_script_is_longer_than_260_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 260


@per_source
def test_every_file_begins_with_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(_tree(path))


@per_script
def test_every_script_begins_with_what_it_is_for(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("// ")


def test_every_script_of_the_map_is_joined_and_only_the_last_is_an_entry() -> None:
    folder = ROOT / "pages" / "components" / "latent_map"
    tree = _tree(folder.with_suffix(".py"))
    (value,) = (n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "SCRIPTS")
    names = [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)]
    assert sorted(names) == sorted(path.stem for path in folder.glob("*.js"))
    entries = [name for name in names if "export" in (folder / f"{name}.js").read_text(encoding="utf-8")]
    assert entries == names[-1:]


def _public(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Public functions, and the public methods of public classes, by dotted name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name[0] != "_":
            yield node.name, node
        elif isinstance(node, ast.ClassDef) and node.name[0] != "_":
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and (item.name[0] != "_" or item.name == "__init__"):
                    yield f"{node.name}.{item.name}", item


@per_module
def test_what_is_public_has_types(path: Path) -> None:
    for name, function in _public(_tree(path)):
        given = function.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        bare = [a.arg for a in arguments if a and a.annotation is None and a.arg not in ("self", "cls")]
        assert bare == [], name
        assert function.returns is not None, name


@per_module
def test_what_is_public_is_explained(path: Path) -> None:
    """A method that implements an abstract one is explained there; __init__ by its class."""
    tree = _tree(path)
    module = importlib.import_module(f"aecore.{_dotted(path)}".removesuffix(".__init__"))
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"]
    names = classes + [name for name, _ in _public(tree) if not name.endswith("__init__")]
    silent = []
    for name in names:
        value = module
        for part in name.split("."):
            value = inspect.getattr_static(value, part)
        holder, _, member = name.rpartition(".")
        inherited = [getattr(base, member, None) for base in getattr(module, holder).__mro__] if holder else [value]
        docs = [inspect.getdoc(entry) for entry in inherited if entry is not None]
        if not any(docs) or (not holder and not value.__doc__):
            silent.append(name)
    assert silent == []


# Pages.


@pytest.mark.parametrize(
    "path",
    [*(p for p in PAGES if p.stem in ("_router", "_cached", "_widgets", "home")), *APP],
    ids=lambda path: path.stem,
)
def test_what_every_visit_imports_is_light(path: Path) -> None:
    for name in _imports(_tree(path), deep=False):
        assert name.split(".")[0] not in HEAVY, name
        if name.split(".")[0] == "aecore":
            assert name in LIGHT | {"aecore.process"} or name.rpartition(".")[0] in LIGHT - {"aecore"}, name


def test_what_is_light_pulls_in_nothing_heavy() -> None:
    code = f"import sys, {', '.join(sorted(LIGHT))}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(result.stdout.split()) & HEAVY


def test_a_download_does_not_draw_the_page_again() -> None:
    """While it is made, the page must not forget it: on a busy server, the file would never come."""
    calls = [
        node
        for path in (ROOT / "pages").rglob("*.py")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("download_button")
    ]
    assert len(calls) > 5
    for call in calls:
        assert {"on_click='ignore'"} <= {ast.unparse(word) for word in call.keywords}, ast.unparse(call)


def test_a_cache_says_how_much_of_a_view_it_looks_at() -> None:
    """`_resource` and `_data` hand on that much and no more; Streamlit's own caches get names and numbers alone."""
    for node in ast.walk(_tree(ROOT / "pages" / "_cached.py")):
        if isinstance(node, ast.FunctionDef) and any("st.cache_" in ast.unparse(d) for d in node.decorator_list):
            assert {ast.unparse(a.annotation) for a in node.args.args} <= {
                *(
                    "str",
                    "int",
                    "float",
                    "bool",
                    "bytes",
                    "np.ndarray",
                    "tuple[str, ...]",
                    "tuple[int, ...]",
                    "tuple[int, int, int]",
                )
            }, node.name


@per_page
def test_what_is_looked_at_travels_as_one_value(path: Path) -> None:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef):
            assert "stamp" not in {argument.arg for argument in node.args.args}, node.name


@per_page
def test_only_the_caches_cache(path: Path) -> None:
    """All of them may be emptied by whoever needs the memory."""
    words = re.sub(r"st\.cache_(\*|\w+\.clear\(\))", "", path.read_text(encoding="utf-8"))
    assert path.stem == "_cached" or "cache_" not in words


@per_page
def test_a_page_imports_no_other_page(path: Path) -> None:
    pages = {other.stem for other in PAGES if other.stem[0] != "_"} - {"icon"}
    for name in _imports(_tree(path)):
        first, *rest = name.split(".")
        assert not (first == "pages" and rest and rest[0] in pages), name
        assert not (not rest and first in pages - NAMES), name


@per_page
def test_pages_do_not_ask_what_class_a_value_has(path: Path) -> None:
    """Saving a file makes the server import modules anew: equal classes are then not the same."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            assert not any(isinstance(n, ast.Attribute) for n in ast.walk(node.args[1])), node.lineno
