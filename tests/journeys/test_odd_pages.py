"""Every page on odd data: it shows what can be shown and says why the rest cannot."""

from collections import deque
from pathlib import Path

import numpy as np
import pytest
from conftest import visit
from test_degenerate import _dataset, _images

from aecore import DATASETS, Run, Store
from aecore.data import Dataset, Entry, Split
from aecore.models import FLAVORS
from aecore.training import train

PAGES = ["train", "manifold", "denoise", "search", "classify"]
CELLS = [
    ("vae", 2, "random", 1, None),
    ("vae", 2, "random", 3, 1),
    ("vanilla", 1, "black", 7, 2),
    ("sparse", 3, "duplicate", 9, None),
    ("denoising", 100, "white", 2, 2),
    ("contractive", 2, "random", 12, 1000),
    ("vae", 3, "duplicate", 5, 2),
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("flavor", "latent", "kind", "count", "classes"), CELLS)
def test_a_page_opens_on_odd_data(
    page: str,
    flavor: str,
    latent: int,
    kind: str,
    count: int,
    classes: int | None,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = _dataset(_images(kind, count), classes)
    monkeypatch.setitem(DATASETS, "odd", Entry("Odd", lambda: dataset))
    run = Run("odd", FLAVORS[flavor](latent=latent), width=32, epochs=2, batch_size=4)
    Store(home / "runs").save(deque(train(run, dataset), maxlen=1)[0])
    app = visit(page, run=run.id)
    assert app.selectbox(key="run").value == run.id


@pytest.mark.parametrize("mode", ["Images", "Points", "Decoder"])
@pytest.mark.parametrize("count", [1, 2])
def test_the_map_opens_in_every_mode_on_next_to_nothing(
    mode: str, count: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = _dataset(_images("random", count))
    monkeypatch.setitem(DATASETS, "odd", Entry("Odd", lambda: dataset))
    run = Run("odd", FLAVORS["vae"](latent=2), width=32, epochs=2, batch_size=4)
    Store(home / "runs").save(deque(train(run, dataset), maxlen=1)[0])
    visit("manifold", run=run.id, mode=mode)


@pytest.mark.parametrize("page", ["denoise", "search"])
def test_only_classes_that_the_split_has_are_offered(page: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = _images("random", 9)
    splits = (Split(images, np.arange(9) % 3), Split(images[:4], np.array([0, 2, 0, 2])))
    dataset = Dataset("odd", *splits, classes=("ant", "bee", "cat"))
    monkeypatch.setitem(DATASETS, "odd", Entry("Odd", lambda: dataset))
    run = Run("odd", FLAVORS["vanilla"](latent=2), width=32, epochs=1, batch_size=4)
    Store(home / "runs").save(deque(train(run, dataset), maxlen=1)[0])
    app = visit(page, run=run.id)
    classes = app.button_group(key="class")
    assert [option.content for option in classes.proto.options] == ["ant", "cat"]
    classes.set_value("cat").run()
    assert not app.exception
    assert app.button_group(key="class").value == "cat"
