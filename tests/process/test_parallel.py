"""A training in several processes is the training in one: on the same batches, with the same noise, to rounding."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

import aecore
from aecore.__main__ import main
from aecore.models import FLAVORS
from aecore.parallel import Group
from aecore.process.jobs import Job
from aecore.runs import Run
from aecore.store import Store
from aecore.training import train

ROOT = Path(__file__).parents[2]
KINDS = ("conv", "edges")


def several(count: int, command: Sequence[str], home: Path) -> list[subprocess.Popen]:
    """This command in so many processes, as torchrun starts them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    about = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1"}
    about |= {"AECORE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    return [
        subprocess.Popen(
            [sys.executable, *command], env=os.environ | about | {"RANK": str(rank)}, cwd=home,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in range(count)
    ]  # fmt: skip


def ended(processes: list[subprocess.Popen]) -> list[str]:
    """What they said, once all have ended well."""
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return said


def weights(checkpoint: aecore.Checkpoint) -> np.ndarray:
    return torch.cat([value.flatten() for value in checkpoint.network.state_dict().values()]).numpy()


def runs() -> list[Run]:
    """Of every flavor, 50 steps, and of every kind of network; batches that do not divide, and some of one image."""
    found = [Run("digits", flavor(latent=4), width=64, epochs=5, batch_size=145) for flavor in FLAVORS.values()]
    found += [Run("digits", FLAVORS["contractive"](latent=4), kind, epochs=1, batch_size=145) for kind in KINDS]
    return [*found, Run("digits", FLAVORS["vae"](latent=2), "shallow", epochs=1, batch_size=359)]


SCRIPT = """
import sys
from collections import deque
import numpy as np
from aecore.parallel import joined
from aecore.training import follow, train
sys.path.insert(0, {tests!r})
from test_parallel import runs, weights
with joined() as group:
    if group.first:
        last = [deque(train(run, group=group), maxlen=1)[0] for run in runs() for _ in range(2)]
        np.savez(sys.argv[1], *map(weights, last))
        assert all(int(checkpoint.state["processes"]) == 2 for checkpoint in last)
        group.tell()
    else:
        follow(group)
"""


def test_two_processes_take_the_steps_of_one_and_the_same_each_time(tmp_path: Path) -> None:
    script = SCRIPT.format(tests=str(Path(__file__).parent))
    ended(several(2, ["-c", script, "together.npz"], tmp_path))
    together = iter(np.load(tmp_path / "together.npz").values())
    for run, first, second in zip(runs(), together, together, strict=True):
        alone = weights(deque(train(run), maxlen=1)[0])
        assert np.abs(first - alone).max() < 1e-5, run
        np.testing.assert_array_equal(first, second, str(run))


def test_a_run_goes_on_with_another_number_of_processes_and_its_codes_are_the_same(tmp_path: Path) -> None:
    options = ["digits", "--latent", "4", "--width", "64", "--epochs", "4", "--seed", "3", "--json"]
    command = ["-m", "aecore", "train", *options]
    first, *_ = processes = several(2, command, tmp_path)
    store = Store(tmp_path / "runs")
    until(lambda: store.ids())
    first.send_signal(signal.SIGINT)
    said = ended(processes)
    assert [len(words.splitlines()) for words in said] == [1, 0], "the first process alone says something"
    (id,) = store.ids()
    assert json.loads(said[0])["state"] in ("stopped", "done")
    ended(several(3, ["-m", "aecore", "train", "--resume", id, "--json"], tmp_path))
    together = store.load(id, training=True)
    assert together.done
    assert int(together.state["processes"]) == 3
    alone = weights(deque(train(together.run), maxlen=1)[0])
    assert np.abs(weights(together) - alone).max() < 1e-5
    assert [row["epoch"] for row in together.history] == sorted({row["epoch"] for row in together.history})

    ended(several(2, ["-m", "aecore", "embed", id, "--out", "codes.npz"], tmp_path))
    codes = together.encode(aecore.load_dataset("digits").test.images)
    np.testing.assert_allclose(np.load(tmp_path / "codes.npz")["codes"], codes, atol=1e-5)


def test_a_process_that_dies_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    first, other = several(2, ["-m", "aecore", "train", "digits", "--epochs", "1000", "--latent", "2"], tmp_path)
    store = Store(tmp_path / "runs")
    until(lambda: store.ids() and Job(store.path(store.ids()[0])).state == "running")
    other.kill()
    other.communicate()
    said = first.communicate(timeout=60)[0]
    assert first.returncode == 2, said
    assert "another process of this training has ended" in said
    assert "Traceback" not in said
    (id,) = store.ids()
    job = Job(store.path(id))
    assert job.state == "failed"
    assert "continue with --resume" in job.progress["error"]
    step = store.load(id, training=True).step
    for checkpoint in train(store.run(id), resume=store.load(id, training=True)):
        assert checkpoint.step > step
        break


def test_the_shares_of_a_batch_are_all_of_it() -> None:
    for count in (1, 2, 3, 7, 128):
        for size in (1, 2, 3, 5):
            parts = [range(count)[Group(rank, size).share(count)] for rank in range(size)]
            assert [row for part in parts for row in part] == list(range(count))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_noise_for_a_share_is_that_of_the_whole_batch() -> None:
    def draws(count: int) -> list[torch.Tensor]:
        rng = torch.Generator().manual_seed(0)
        return [
            torch.rand(count, 1, 1, 1, generator=rng), torch.randn((count, 5), generator=rng),
            torch.randint(0, 2, torch.Size((count, 3)), generator=rng), torch.rand(4, 4, generator=rng),
        ]  # fmt: skip

    share = Group(1, 3).share(10)
    with Group(1, 3).drawing(10, share):
        found = draws(share.stop - share.start)
    for part, whole in zip(found, draws(10), strict=True):
        assert torch.equal(part, whole if len(whole) == 4 else whole[share])


@pytest.mark.parametrize(("name", "value"), [("WORLD_SIZE", "two"), ("RANK", "-1")])
def test_an_environment_that_torchrun_does_not_make_is_named(
    name: str, value: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv(name, value)
    assert main(["train", "digits"]) == 2
    assert f"{name} is '{value}'" in capsys.readouterr().err


def until(true: object) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
