"""Honest tables: a checkpoint's figures beside the baselines that they have to beat.

Every part takes a checkpoint and its dataset and gives a plain dict: the split, the sample size and the seed, then one
dict of figures per row, the checkpoint's own row first. Test images and labels only ever score; whatever is fitted (a
principal component analysis, a classifier, a linear filter) is fitted on training images. Baselines do not depend on
the checkpoint: `recall` may keep them. Figures of another version of a part, baselines too, count as not measured.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aecore.data import Dataset, Progress, load_dataset, revision
from aecore.files import home, write_file
from aecore.folders import EVALUATION
from aecore.manifold import plane
from aecore.measure import metrics
from aecore.measure.baselines import BASELINES, Space, spaces
from aecore.measure.few_labels import AMOUNTS, SEEDS, accuracies
from aecore.measure.filters import FILTERS, filters
from aecore.measure.metrics import METRICS, compared, written
from aecore.measure.pca import linear
from aecore.measure.published import SOURCE, published
from aecore.measure.units import active
from aecore.noise import corrupt
from aecore.parallel import Group
from aecore.pixels import flat, to_floats
from aecore.runs import Checkpoint
from aecore.store import Store
from aecore.whitening import Whitening

Recall = Callable[[str, Callable[[], Any]], Any]
"""(key, compute) -> what compute gives, or gave for this key before."""

Figures = Callable[[Checkpoint, Dataset, Recall], dict[str, Any] | None]


@dataclass(frozen=True)
class Part:
    """A part of the evaluation: what computes its figures, or None where it does not apply.

    number counts the changes of its formula; uses are registries that add rows or columns.
    """

    figures: Figures
    number: int = 1
    uses: tuple[Mapping[str, Any], ...] = ()

    @property
    def version(self) -> str:
        """Changes with the formula and with the names in the registries."""
        return ", ".join([str(self.number), *(name for registry in self.uses for name in registry)])


PARTS: dict[str, Part] = {}


def part(number: int, *uses: Mapping[str, Any]) -> Callable[[Figures], Figures]:
    """Register a part of the evaluation under the name of its function."""

    def register(figures: Figures) -> Figures:
        PARTS[figures.__name__] = Part(figures, number, uses)
        return figures

    return register


def compute_anew(key: str, compute: Callable[[], Any]) -> Any:
    """A `Recall` without a memory."""
    return compute()


def evaluate(
    checkpoint: Checkpoint, dataset: Dataset, known: Collection[str] = (), recall: Recall = compute_anew
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield (part, its figures) for every part that is not `known` yet; None where a part does not apply."""
    for name, part in PARTS.items():
        if name not in known:
            kept = partial(_recalled, recall, f"{name} {part.version} {_key(dataset)}")
            yield name, part.figures(checkpoint, dataset, kept)


def _recalled(recall: Recall, prefix: str, key: str, compute: Callable[[], Any]) -> Any:
    return recall(f"{prefix} {key}", compute)


def measure(
    store: Store,
    id: str,
    anew: bool = False,
    progress: Progress | None = None,
    group: Group = Group(),  # noqa: B008 - frozen
) -> dict[str, Any]:
    """Evaluate a run of a store into its evaluation.json, part by part, and return that.

    Goes on where it was cut; `anew` forgets what was measured before, baselines too, which all runs share. progress is
    called with the number of parts done and of all. The processes of a group take turns in the parts; each needs the
    run, and the first writes.
    """
    checkpoint, target, baselines = store.load(id), store.path(id) / EVALUATION, home() / "baselines.json"
    known = {"run": id, "stamp": store.state(id), "versions": {}, "parts": {}}
    known |= {} if anew else measured(store, id)

    def recall(key: str, compute: Callable[[], Any]) -> Any:
        if anew or key not in _read(baselines):
            baselines.parent.mkdir(parents=True, exist_ok=True)
            found = compute()
            write_file(baselines, json.dumps(_read(baselines) | {key: found}, indent=1).encode())
        return _read(baselines)[key]

    def note(more: dict[str, Any]) -> None:
        found = known["parts"] | more
        known["parts"] = {name: found[name] for name in PARTS if name in found}
        known["versions"] = {name: PARTS[name].version for name in known["parts"]}
        if group.first:
            write_file(target, json.dumps(known, indent=1).encode())

    mine = [name for name in PARTS if name not in known["parts"]][group.rank :: group.size]
    others = [name for name in PARTS if name not in mine]
    for name, figures in evaluate(checkpoint, load_dataset(checkpoint.run.dataset), others, recall):
        note({name: figures})
        if progress:
            progress(len(known["parts"]), len(PARTS))
    for told in group.collect(json.dumps(known["parts"]).encode()) if group.size > 1 else ():
        note(json.loads(told))
    return known


def _key(dataset: Dataset) -> str:
    number = revision(dataset.name)
    return dataset.name if number == 1 else f"{dataset.name} {number}"


def measured(store: Store, id: str) -> dict[str, Any]:
    """What `measure` found for a run as it is now, by parts as they are now; empty when nothing was measured.

    {"run", "stamp", "versions", "parts"}, the last two by name of a part. What has another version is left out.
    """
    known = _read(store.path(id) / EVALUATION)
    versions, parts = known.get("versions"), known.get("parts")
    if known.get("stamp") != store.state(id) or not (isinstance(versions, dict) and isinstance(parts, dict)):
        return {}
    current = [name for name, part in PARTS.items() if name in parts and versions.get(name) == part.version]
    return known | {key: {name: known[key][name] for name in current} for key in ("versions", "parts")}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


@part(1, METRICS["reconstruction"])
def reconstruction(checkpoint: Checkpoint, dataset: Dataset, recall: Recall) -> dict[str, Any]:
    """MSE per pixel and Bernoulli KL in nats per image on all test images, against PCA with as many numbers."""
    images = dataset.test.images
    rows = {"code": compared("reconstruction", images, checkpoint.reconstruct(images))}
    if pca := linear(dataset):
        rows["PCA"] = compared("reconstruction", images, pca.rebuild(images, checkpoint.run.model.latent))
    mean = dataset.train.images.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32) / 255
    rows["mean image"] = compared("reconstruction", images, np.broadcast_to(mean, images.shape))
    return {"split": "test", "images": len(images), **_beside(rows, checkpoint, "MSE")}


def _beside(rows: dict[str, Any], checkpoint: Checkpoint, figure: str) -> dict[str, Any]:
    """Rows, and below them what others published for the same figure, with their source."""
    others = published(checkpoint.run.dataset, checkpoint.run.model.latent, figure)
    return {"published": SOURCE, "rows": rows | others} if others else {"rows": rows}


@part(1, BASELINES["retrieval"])
def retrieval(checkpoint: Checkpoint, dataset: Dataset, recall: Recall) -> dict[str, Any] | None:
    """Do nearest codes share the class? Test queries, training gallery, cosine; labels are used only for scoring."""
    if dataset.classes is None:
        return None
    train, test = dataset.train, dataset.test
    latent = checkpoint.run.model.latent

    def score(space: Space, queries: np.ndarray, gallery: np.ndarray) -> dict[str, float]:
        return metrics.retrieval(space(queries), test.labels, space(gallery), train.labels)

    codes = checkpoint.encode(test.images), checkpoint.encode(train.images)
    rows = {
        "code": score(lambda code: code, *codes),
        "half-whitened code": score(Whitening.fit(codes[1]), *codes),
    }
    for name, space in spaces("retrieval", dataset, latent).items():
        rows[name] = recall(name, lambda space=space: score(space, test.images, train.images))
    return {"split": "test", "queries": len(test), "gallery": len(train), "metric": "cosine", "seed": 0, "rows": rows}


@part(2, BASELINES["few_labels"])
def few_labels(checkpoint: Checkpoint, dataset: Dataset, recall: Recall) -> dict[str, Any] | None:
    """Test accuracy of logistic regression on frozen features, by labels per class; mean and deviation over seeds."""
    if dataset.classes is None or len(np.unique(dataset.train.labels)) < 2:
        return None
    train, test = dataset.train, dataset.test
    smallest = int(np.bincount(train.labels, minlength=len(dataset.classes)).min())
    amounts = [*(amount for amount in AMOUNTS if amount < smallest), None]

    def score(space: Space) -> dict[str, dict[str, float]]:
        return accuracies(space(train.images), space(test.images), train.labels, test.labels, amounts)

    rows = {"code": score(checkpoint.encode)}
    for name, space in spaces("few_labels", dataset, checkpoint.run.model.latent).items():
        rows[name] = recall(name, lambda space=space: score(space))
    return {"split": "test", "images": len(test), "seeds": SEEDS, "rows": rows}


NOISES = (
    *(("gaussian", level) for level in (0.25, 0.5, 0.75)),
    *(("salt_and_pepper", 0.25), ("masking", 0.5), ("speckle", 0.5)),
)


@part(1, METRICS["denoising"], FILTERS)
def denoising(checkpoint: Checkpoint, dataset: Dataset, recall: Recall) -> dict[str, Any]:
    """PSNR in dB and SSIM over noises, against doing nothing, median, total variation and a learned linear filter."""
    count = min(300, len(dataset.test))
    clean = dataset.test.images[:count]
    rows: dict[str, dict[str, Any]] = {}

    for kind, level in NOISES:
        noisy = corrupt(clean, kind, level, seed=0)
        found = {
            "code": compared("denoising", clean, checkpoint.reconstruct(noisy)),
            "noisy": compared("denoising", clean, noisy),
        }
        found |= recall(
            f"{kind} {level}",
            lambda noisy=noisy, kind=kind, level=level: {
                name: compared("denoising", clean, images)
                for name, images in filters(noisy, dataset, kind, level).items()
            },
        )
        for name, figures in found.items():
            rows.setdefault(name, {})[f"{kind} {level:g}"] = figures
    settings = asdict(checkpoint.run.model)
    trained = {name: settings[name] for name in ("noise", "level") if name in settings}
    return {"split": "test", "images": count, "seed": 0, "clipped": True, "trained on": trained, "rows": rows}


NEIGHBORS = 12


@part(2, METRICS["map_quality"])
def map_quality(checkpoint: Checkpoint, dataset: Dataset, recall: Recall) -> dict[str, Any] | None:
    """Is the map to be trusted? Trustworthiness, continuity (12 neighbors), 5-NN, R^2 of known factors; PCA-2 too."""
    split, name = (dataset.test, "test") if len(dataset.test) >= 500 else (dataset.train, "train")
    _, first = np.unique(flat(split.images[:20_000]), axis=0, return_index=True)  # copies have no nearest neighbor
    images = split.images[np.sort(np.random.default_rng(0).permutation(first)[:2000])]
    if len(images) <= 2 * NEIGHBORS:
        return None  # its neighbors would be half of all images
    fitted = checkpoint.encode(dataset.train.images[:20_000])

    def score(place: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
        points, pixels = place(images), flat(images)
        return {
            **compared("map_quality", pixels, points),
            **_from_neighbors(place(dataset.train.images), place(dataset.test.images), dataset),
        }

    rows = {"map": score(lambda x: plane(checkpoint.encode(x), fitted))}
    if pca := linear(dataset):
        rows["PCA-2"] = recall("PCA-2", lambda: score(lambda x: pca.codes(x, 2)))
    basis = {"split": name, "images": len(images), "neighbors": NEIGHBORS, "seed": 0}
    return basis | _beside(rows, checkpoint, "5-NN")


def _from_neighbors(train: np.ndarray, test: np.ndarray, dataset: Dataset) -> dict[str, float]:
    """What the five nearest training points (euclidean) tell about the test images: class accuracy, R^2 of factors."""
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    figures = {}
    if dataset.classes is not None:
        model = KNeighborsClassifier(5).fit(train, dataset.train.labels)
        figures["5-NN"] = float(model.score(test, dataset.test.labels))
    _, first = np.unique(train, axis=0, return_index=True)  # five copies of one image would be its neighbors
    for name, values in dataset.train.factors.items():
        model = KNeighborsRegressor(5, weights="distance").fit(train[first], values[first])
        figures[f"R^2 {name}"] = float(model.score(test, dataset.test.factors[name]))
    return figures


@part(1)
def code(checkpoint: Checkpoint, dataset: Dataset, recall: Recall) -> dict[str, Any]:
    """How the code is used: active and dead units, share of active entries, KL per unit, scale-free contraction."""
    images = dataset.test.images[:2000]
    codes = checkpoint.encode(images)
    network, latent = checkpoint.network, checkpoint.run.model.latent
    on = active(codes, network.unit_lengths().numpy())
    row = {
        "units": latent,
        "active units": int((codes.var(axis=0) > 0.01).sum()),
        "dead units": int((~on.any(axis=0)).sum()),
        "fraction active": float(on.mean()),
        "contraction": _contraction(checkpoint, images[:32], float(np.sqrt(codes.var(axis=0).sum()))),
    }
    if checkpoint.run.model.prior:
        kl = checkpoint.unit_kl(images)
        row["KL per unit"] = sorted((round(float(value), 4) for value in kl), reverse=True)
    return {"split": "test", "images": len(images), "rows": {"code": row}}


def _contraction(checkpoint: Checkpoint, images: np.ndarray, spread: float) -> float:
    """Mean Frobenius norm of the exact Jacobian over the spread of the codes, so that shrinking them gains nothing."""
    x = torch.tensor(to_floats(images)).requires_grad_()
    codes, squares = checkpoint.network.encode(x), torch.zeros(len(x))
    for unit in range(codes.shape[1]):
        (gradient,) = torch.autograd.grad(codes[:, unit].sum(), x, retain_graph=True)
        squares += gradient.square().flatten(1).sum(dim=1)
    return float(squares.sqrt().mean()) / max(spread, 1e-12)


@part(2)
def samples(checkpoint: Checkpoint, dataset: Dataset, recall: Recall) -> dict[str, Any]:
    """Do 1,000 new images look real? MSE to the nearest training image, and from test images to the nearest new one.

    Codes are drawn from the prior, or, for a flavor without one, from the Gaussian of the training codes, as for PCA.
    """
    train, held = dataset.train.images, dataset.test.images[:1000]
    cut = len(train) - min(1000, 7 * len(train) // 10)
    seen, real = train[:cut][:10_000], train[cut:]
    model, rng = checkpoint.run.model, np.random.default_rng(0)

    def score(drawn: np.ndarray) -> dict[str, float]:
        return {"to data": metrics.nearest_mse(drawn, seen), "from data": metrics.nearest_mse(held, drawn)}

    if model.prior:
        new = checkpoint.sample(1000, seed=0)
    else:
        codes = checkpoint.encode(seen).astype(np.float64)
        apart = codes - codes.mean(axis=0)
        drawn = rng.multivariate_normal(codes.mean(axis=0), apart.T @ apart / max(1, len(codes) - 1), 1000)
        new = checkpoint.decode(np.maximum(drawn, 0) if model.rectify else drawn)
    rows = {"code": score(new)}
    if pca := linear(dataset):
        latent = min(model.latent, len(pca.mean))
        rows[f"PCA-{latent}"] = recall(f"PCA-{latent}", lambda: score(pca.sample(1000, latent)))
    if len(real):
        rows["real images"] = recall("real images", lambda: score(real))
    return {"split": "test", "images": len(held), "draws": 1000, "seed": 0, "rows": rows}


def columns(part: Mapping[str, Any]) -> list[str]:
    """Names of the figures in a part of an evaluation, in the order of its rows."""
    return list(dict.fromkeys(name for figures in part["rows"].values() for name in figures))


def about(part: Mapping[str, Any]) -> str:
    """What a part of an evaluation rests on: its split, its sample size, its seed."""
    return ", ".join(f"{key} {value}" for key, value in part.items() if key != "rows" and value != {})


def as_text(parts: Mapping[str, dict[str, Any] | None]) -> str:
    """Parts of an evaluation as aligned lines, what they rest on first."""
    lines = []
    for name, part in parts.items():
        if part:
            lines += [f"{name.replace('_', ' ')} ({about(part)})"]
            widest = max(map(len, part["rows"]))
            for row, figures in part["rows"].items():
                cells = [f"{key} {cell(key, value)}" for key, value in figures.items()]
                lines.append(f"  {row:<{widest}}  " + "  ".join(cells))
            lines.append("")
    return "\n".join(lines).rstrip()


def cell(name: str, value: Any) -> str:
    """A figure of this name as people read it, whether it is one number, several by name, or a list of them."""
    if isinstance(value, dict):
        return "/".join(cell(key, inner) for key, inner in value.items() if key != "ridge")
    if isinstance(value, list):
        return " ".join(cell(name, inner) for inner in value[:8]) + (" ..." if len(value) > 8 else "")
    return written(name, value)
