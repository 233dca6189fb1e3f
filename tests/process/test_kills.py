"""kill -9 at any moment of a training, saving included: nothing is lost but the last moments, nothing is different."""

import os
import random
import signal
import time
from collections import deque
from pathlib import Path

import pytest
import torch
from conftest import rarely

from aecore.__main__ import main
from aecore.models import FLAVORS
from aecore.process import worker
from aecore.runs import Run
from aecore.store import Store
from aecore.training import train

KILLS = {"vae": 20}
"""Of a training whose next step depends on most; of the others 8, or more where the machine is slow."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("flavor", [name if name in KILLS else rarely(name) for name in FLAVORS])
def test_after_many_kills_the_weights_are_those_of_an_undisturbed_training(
    flavor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AECORE_HOME", str(tmp_path))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a forked process has the threads of its parent no more
    chance = random.Random(flavor)
    run = Run("digits", FLAVORS[flavor](latent=2), width=32, epochs=60, batch_size=200)
    store, steps = Store(), [0]
    store.create(run)
    undisturbed = deque(train(run), maxlen=1)[0]  # and what it imports, the children have already
    kills = 0
    with monkeypatch.context() as often:
        often.setattr(worker, "PULSE", 0.0)  # a snapshot after every batch, so that most kills hit one
        often.setattr(worker, "SAVE_EVERY", 0.0)
        while kills < KILLS.get(flavor, 8) or (len(set(steps)) < 4 and kills < 60):
            kills += 1
            child = os.fork()
            if not child:
                _train_and_leave(run.id)
            time.sleep(chance.uniform(0.0, 0.4))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            if run.id in store.ids():
                steps.append(store.load(run.id, training=True).step)
    assert steps == sorted(steps), "what was saved is never lost"
    assert len(set(steps)) > 2, "the kills hit a training that goes on, however slow the machine is"
    assert main(["train", "--resume", run.id, "--json"]) == 0
    torch.set_num_threads(threads)
    resumed = store.load(run.id)
    assert resumed.done
    assert [row["epoch"] for row in resumed.history] == [row["epoch"] for row in undisturbed.history]
    ours, theirs = resumed.network.state_dict(), undisturbed.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def _train_and_leave(id: str) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    try:
        main(["train", "--resume", id, "--json"])
    finally:
        os._exit(0)
