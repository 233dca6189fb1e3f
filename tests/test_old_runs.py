"""Runs of every earlier layout still load, say what they are, and go on under their old ids."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import texts, visit

import aecore
from aecore.measure.evaluate import measured
from aecore.moments import kept
from aecore.store import DamagedRun

OLD = Path(__file__).parent / "old_runs"
CODES = {
    "digits-vae-9c89a3c3": [[-0.1135, -0.1385], [-0.6154, -0.3229], [-1.4003, -0.3698]],
    "digits-vae-5efb3ea2": [[-0.1119, -0.142], [-0.6146, -0.3271], [-1.4014, -0.372]],
    "digits-denoising-d6be2383": [[0.2436, 0.0192], [0.4361, -0.0543], [0.5073, 0.3083]],
}
"""Of the first three test images, as they were when the run was saved.

In order: written before runs had a width; with 8-bit weights that are not packed; with moments, and with figures that
have no versions.
"""


@pytest.fixture
def store(home: Path) -> aecore.Store:
    shutil.copytree(OLD, home / "runs")
    return aecore.Store()


def test_every_old_folder_is_asked(store: aecore.Store) -> None:
    assert set(store.ids()) == CODES.keys()


@pytest.mark.parametrize("id", CODES)
def test_it_loads_with_the_codes_that_it_had(id: str, store: aecore.Store) -> None:
    checkpoint = store.load(id)
    assert checkpoint.run.id == id
    assert (checkpoint.epoch, checkpoint.done) == (1, True)
    images = aecore.load_dataset("digits").test.images[:3]
    np.testing.assert_allclose(checkpoint.encode(images), CODES[id], atol=2e-4)
    assert not measured(store, id).get("parts"), "figures without a version count as not measured"


@pytest.mark.parametrize("id", CODES)
def test_its_page_says_what_it_is(id: str, store: aecore.Store) -> None:
    app = visit("train", run=id)
    assert "Trained" in texts(app) or "Done" in texts(app)
    flavor = store.run(id).model.title
    assert any(option.startswith(f"Digits · {flavor} · 2 units") for option in app.selectbox(key="run").options)


@pytest.mark.parametrize("id", ["digits-vae-9c89a3c3", "digits-denoising-d6be2383"])
def test_it_is_saved_where_it_was(id: str, store: aecore.Store, tmp_path: Path) -> None:
    checkpoint = store.load(id, training=True)
    store.save(checkpoint)
    assert set(store.ids()) == CODES.keys()
    other = aecore.Store(tmp_path / "elsewhere")
    other.save(checkpoint)
    assert other.load(id).run == checkpoint.run


def test_one_without_its_training_state_cannot_go_on(store: aecore.Store) -> None:
    with pytest.raises(DamagedRun, match="train it again from the start"):
        store.load("digits-vae-5efb3ea2", training=True)


def test_its_moments_are_still_a_replay(store: aecore.Store) -> None:
    assert [moment.step for moment in kept(store.path("digits-denoising-d6be2383"))] == [0, 1, 2, 12]
