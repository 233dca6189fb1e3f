"""A warm parent: its children are trainings like any other, and nothing depends on it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import aecore
from aecore.models import Vanilla
from aecore.process import nursery
from aecore.process.jobs import LIVE, Job

RUN = aecore.Run("digits", Vanilla(latent=2), "shallow", epochs=1)
LONG = aecore.Run("digits", Vanilla(latent=2), "shallow", epochs=1000, batch_size=8)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks a warm parent")


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[psutil.Process]:
    """The warm parent of all jobs that this process starts."""
    monkeypatch.setenv("AECORE_HOME", str(tmp_path))
    before = set(psutil.Process().children())
    assert nursery.open_nursery()
    (parent,) = set(psutil.Process().children()) - before
    yield parent
    children = parent.children() if parent.is_running() else []
    nursery.close_nursery()
    for child in children:
        child.kill()
    _until(lambda: not parent.is_running())


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _job(run: aecore.Run) -> Job:
    job = Job(aecore.Store().create(run))
    job.start()
    return job


def test_a_child_trains_what_a_new_interpreter_trains(parent: psutil.Process, tmp_path: Path) -> None:
    job = _job(RUN)
    _until(lambda: job.state not in LIVE)
    assert job.state == "done", (job.folder / "log.txt").read_text()
    assert psutil.Process().pid != job.progress["pid"] != parent.pid
    forked = aecore.Store().load(RUN.id)
    other = aecore.Store(tmp_path / "other" / "runs")
    other.create(RUN)
    environment = {**os.environ, "AECORE_HOME": str(tmp_path / "other")}
    subprocess.run([sys.executable, "-m", "aecore", "train", "--resume", RUN.id], env=environment, check=True)
    ours, theirs = forked.network.state_dict(), other.load(RUN.id).network.state_dict()
    assert all(ours[name].equal(theirs[name]) for name in theirs)


def test_a_child_writes_into_its_log(parent: psutil.Process, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    pid = nursery.start(["runs", "--no-such-flag"], tmp_path, log)
    _until(lambda: not psutil.pid_exists(pid))
    assert "no-such-flag" in log.read_text()


def test_the_parent_holds_no_file_of_the_server(tmp_path: Path) -> None:
    with (tmp_path / "open.txt").open("wb") as file:
        before = set(psutil.Process().children())
        assert nursery.open_nursery()
        (parent,) = set(psutil.Process().children()) - before
        held = {os.readlink(path) for path in Path(f"/proc/{parent.pid}/fd").iterdir()}
        assert file.name not in held
    nursery.close_nursery()
    _until(lambda: not parent.is_running())


def test_a_training_outlives_the_parent_and_the_next_one_does_without(parent: psutil.Process) -> None:
    job = _job(LONG)
    _until(lambda: job.progress.get("step", 0) > 0)
    os.kill(parent.pid, signal.SIGKILL)
    _until(lambda: not parent.is_running())
    step = job.progress["step"]
    _until(lambda: job.progress["step"] > step)
    job.stop()
    _until(lambda: job.state == "stopped" and not job.alive)
    job.start()
    _until(lambda: job.state == "running")
    assert "aecore" in psutil.Process(job.progress["pid"]).cmdline(), "a new interpreter"
    job.stop()
    _until(lambda: not job.alive)


def test_no_parent_is_forked_while_a_module_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock would never open in the children, and they would wait for ever."""
    begun, go_on = threading.Event(), threading.Event()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(threading, "slowly_imported", (begun, go_on), raising=False)
    (tmp_path / "slowly_imported.py").write_text(
        "import threading\nbegun, go_on = threading.slowly_imported\nbegun.set()\ngo_on.wait()\n"
    )
    thread = threading.Thread(target=lambda: __import__("slowly_imported"))
    thread.start()
    begun.wait()
    monkeypatch.setattr(nursery, "TRIES", 2)
    assert not nursery.open_nursery()
    go_on.set()
    thread.join()
    assert nursery.open_nursery()
    nursery.close_nursery()


def test_a_parent_whose_children_cannot_compute_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nursery, "PATIENCE", 1)
    monkeypatch.setattr(nursery, "_try_out", lambda line: time.sleep(60))
    before = set(psutil.Process().children())
    assert not nursery.open_nursery()
    assert set(psutil.Process().children()) <= before


def test_a_child_that_hangs_while_it_is_tried_out_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a library's lock was held at the instant of the fork; one trial is enough, and jobs go on meanwhile."""
    trials = tmp_path / "trials"

    def hang() -> None:
        with trials.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(600)

    monkeypatch.setattr(nursery, "PATIENCE", 5)
    monkeypatch.setattr(nursery, "_compute", hang)
    thread = threading.Thread(target=nursery.open_nursery)
    thread.start()
    _until(lambda: trials.exists() and trials.read_text().endswith("\n"))
    assert nursery.start(["runs"], tmp_path, tmp_path / "log.txt")
    thread.join()
    (pid,) = map(int, trials.read_text().split())
    _until(lambda: not psutil.pid_exists(pid))


def test_what_computes_waits_until_the_parent_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    from pages import _cached

    found: list[object] = []
    monkeypatch.setattr(nursery.quiet, "wait", lambda: found.append("waited"))
    _cached.dataset.__wrapped__(_cached.Known("digits", 1))
    assert found == ["waited"]
    _cached.checkpoint.__wrapped__(_cached.newest(aecore.RECIPES["digits-map"].run.id))
    assert found == ["waited"] * 2
