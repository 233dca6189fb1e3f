"""Sets of one's own may be tiny: a run on any of them can be measured, and no figure is NaN."""

import math
from collections import deque
from collections.abc import Iterator

import numpy as np
import pytest
from conftest import matrix

from aecore.data import Dataset, Split
from aecore.measure import evaluate as evaluation
from aecore.measure.evaluate import as_text, evaluate
from aecore.models import FLAVORS
from aecore.runs import Run
from aecore.training import train


def _numbers(value: object) -> Iterator[float]:
    match value:
        case dict():
            for inner in value.values():
                yield from _numbers(inner)
        case list() | tuple():
            for inner in value:
                yield from _numbers(inner)
        case int() | float():
            yield value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "flavor", "labeled"),
    matrix((1, 2, 3, 5, 13, 40, 1001), ("vanilla", "vae"), {"labeled": True, "unlabeled": False}, rounds=2),
)
def test_a_run_on_few_images_is_measured(
    count: int, flavor: str, labeled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "AMOUNTS", (1, 5))
    monkeypatch.setattr(evaluation, "NOISES", (("gaussian", 0.5),))
    images = np.random.default_rng(count).integers(0, 256, (count + 2, 1, 8, 8), np.uint8)
    labels = np.arange(count + 2) % 2 if labeled else None
    parts = [Split(images[rows], labels if labels is None else labels[rows]) for rows in (slice(2, None), slice(2))]
    dataset = Dataset("few", *parts, ("odd", "even") if labeled else None)
    run = Run("few", FLAVORS[flavor](latent=3), "shallow", width=32, epochs=1, batch_size=8)
    tables = dict(evaluate(deque(train(run, dataset), maxlen=1)[0], dataset))
    assert all(math.isfinite(number) for number in _numbers(tables))
    assert (tables["few_labels"] is None) is (not labeled or count == 1)
    assert as_text({name: part for name, part in tables.items() if part})
