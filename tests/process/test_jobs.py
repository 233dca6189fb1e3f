"""Trainings as processes: real ones, on digits, in a home of the test's own."""

import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from aecore.__main__ import main
from aecore.data.intake import bring_in
from aecore.data.own import Wishes
from aecore.folders import forget
from aecore.measure.evaluate import PARTS, measured
from aecore.models import VAE, Vanilla
from aecore.process.jobs import Job
from aecore.process.queue import active
from aecore.process.worker import measuring, working
from aecore.runs import Run
from aecore.store import Store
from aecore.training import train

SHORT = Run("digits", Vanilla(latent=2), "shallow", epochs=1)
LONG = Run("digits", VAE(latent=2), "shallow", epochs=120, batch_size=32)
ENDLESS = Run("digits", Vanilla(latent=3), "shallow", epochs=1000, batch_size=1)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store whose trainings use one thread, as this process does; whatever still runs at the end is ended."""
    monkeypatch.setenv("AECORE_HOME", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Store()
    torch.set_num_threads(threads)
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "--background" in child.cmdline():
                child.kill()


def _job(store: Store, run: Run) -> Job:
    return Job(store.create(run))


def _until(condition: Callable[[], object], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _reaches(job: Job, *states: str) -> str:
    _until(lambda: job.state in states or job.state == "failed")
    assert job.state in states, (job.progress, (job.folder / "log.txt").read_text())
    return job.state


def _trains(job: Job) -> bool:
    return job.state == "running" and job.progress.get("step", 0) > 0


def _weights(store: Store, run: Run) -> str:
    content = (store.path(run.id) / "snapshots" / store.stamp(run.id) / "weights.safetensors").read_bytes()
    return hashlib.sha256(content).hexdigest()


def _undisturbed_weights(store: Store) -> str:
    other = Store(store.folder.with_name("undisturbed"))
    other.save(deque(train(LONG), maxlen=1)[0])
    return _weights(other, LONG)


@pytest.mark.timeout(300)
def test_a_started_job_reports_itself_and_comes_to_its_end(store: Store) -> None:
    job = _job(store, SHORT)
    assert job.state == "idle"
    assert not job.alive
    job.start()
    assert job.state in ("waiting", "running")
    job.start()  # once more changes nothing
    _reaches(job, "done")
    _until(lambda: not job.alive)
    assert job.error is None
    assert job.progress["step"] == job.progress["steps"] == store.load(SHORT.id).step
    assert job.progress["history"] == list(store.load(SHORT.id).history)
    assert job.progress["pid"] != os.getpid()
    assert store.load(SHORT.id).done
    assert active(store.folder) == []
    log = (job.folder / "log.txt").read_text()
    assert "Traceback" not in log
    assert log.count("\n") < 3


@pytest.mark.timeout(300)
def test_a_job_stopped_and_then_killed_goes_on_as_if_never_disturbed(store: Store) -> None:
    job = _job(store, LONG)
    job.start()
    _until(lambda: _trains(job) or job.state == "failed")
    job.stop()
    _reaches(job, "stopped")
    kept = store.load(LONG.id)
    assert 0 < kept.step < kept.steps
    assert kept.step == job.progress["step"]
    assert active(store.folder) == []
    _until(lambda: not job.alive)

    job.start()
    assert job.state in ("waiting", "running")
    _until(lambda: job.progress["step"] > kept.step or job.state == "failed")
    os.kill(job.progress["pid"], signal.SIGKILL)
    _reaches(job, "interrupted")
    assert active(store.folder) == []
    assert not store.load(LONG.id).done

    job.start()
    _reaches(job, "done")
    assert _weights(store, LONG) == _undisturbed_weights(store)


@pytest.mark.timeout(300)
def test_jobs_run_one_after_the_other_in_the_order_of_their_start(store: Store) -> None:
    first, second = _job(store, ENDLESS), _job(store, dataclasses.replace(ENDLESS, seed=1))
    third = _job(store, SHORT)
    seen: list[list[str]] = []

    def states() -> list[str]:
        seen.append([job.state for job in (first, second, third)])
        assert seen[-1].count("running") <= 1, seen[-3:]
        return seen[-1]

    first.start()
    _until(lambda: _trains(first))
    second.start()
    _until(lambda: states() and second.progress.get("ahead") == 1)
    third.start()
    _until(lambda: states() and third.progress.get("ahead") == 2)
    assert states() == ["running", "waiting", "waiting"]
    assert [job.id for job in active(store.folder)] == [first.id, second.id, third.id]

    second.stop()  # one that waits needs no turn to be stopped
    _until(lambda: states()[1] == "stopped")
    assert [job.id for job in active(store.folder)] == [first.id, third.id]
    assert second.id not in store.ids()

    second.start()  # and has to wait at the end again
    _until(lambda: states() and second.progress.get("ahead") == 2)
    assert [job.id for job in active(store.folder)] == [first.id, third.id, second.id]

    os.kill(first.progress["pid"], signal.SIGKILL)  # a death passes the turn on
    _until(lambda: states()[2] == "done")
    assert states()[0] == "interrupted"
    _until(lambda: states()[1] == "running")
    second.stop()
    _until(lambda: states() == ["interrupted", "stopped", "done"])
    assert active(store.folder) == []


@pytest.mark.timeout(300)
def test_a_run_is_trained_by_one_process_at_a_time(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    job = _job(store, SHORT)
    before = json.dumps(job.progress)
    with working(job.folder):
        assert job.alive
        assert main(["train", "--resume", SHORT.id]) == 2
        said = capsys.readouterr().err
        assert said == f"aecore: run '{SHORT.id}' is being trained by another process; stop that process first\n"
        assert json.dumps(job.progress) == before
    assert not job.alive


@pytest.mark.timeout(300)
def test_a_stop_asked_for_before_the_process_is_up_is_heard(store: Store) -> None:
    job = _job(store, ENDLESS)
    job.start()
    job.stop()
    _reaches(job, "stopped")
    _until(lambda: not job.alive)


@pytest.mark.timeout(300)
def test_a_job_that_cannot_train_fails_with_a_sentence(store: Store) -> None:
    job = _job(store, Run("nowhere", Vanilla()))
    job.start()
    _until(lambda: job.state == "failed")
    assert job.error.startswith("dataset is 'nowhere'; choose one of blocks, shapes_1")
    assert active(store.folder) == []


@pytest.mark.timeout(300)
def test_an_evaluation_is_a_process_that_can_be_stopped_and_goes_on(store: Store, tmp_path: Path) -> None:
    """On images without classes: with few labels it takes half a minute."""
    np.savez(tmp_path / "in.npz", x=np.random.default_rng(0).integers(0, 256, (600, 8, 8), np.uint8))
    bring_in(tmp_path / "in.npz", "plain", Wishes(8, 1))
    run = dataclasses.replace(SHORT, dataset="plain")
    store.save(deque(train(run), maxlen=1)[0])
    job = Job(store.path(run.id))
    assert not job.measuring
    job.measure()
    assert job.measuring
    job.measure()  # once more changes nothing
    _until(lambda: measured(store, run.id))
    job.stop_measuring()
    _until(lambda: not job.measuring)
    first = measured(store, run.id)["parts"]
    assert 0 < len(first) < len(PARTS), "what was finished is kept"
    with measuring(job.folder, background=False):
        assert main(["evaluate", run.id]) == 2, "one process at a time"
    job.stop_measuring()  # nobody measures: nobody is hit
    job.measure()
    _until(lambda: len(measured(store, run.id)["parts"]) == len(PARTS))
    assert {name: measured(store, run.id)["parts"][name] for name in first} == first
    _until(lambda: not job.measuring)


@pytest.mark.skipif(sys.platform != "linux", reason="files that Linux has")
def test_a_training_gives_way_to_the_server(store: Store) -> None:
    """It is ended first where memory runs out, and gets what the others leave of the processor."""
    job = _job(store, ENDLESS)
    job.start()
    _until(lambda: _trains(job) or job.state == "failed")
    said = lambda pid, name: Path(f"/proc/{pid}/{name}").read_text()  # noqa: E731
    pid = job.progress["pid"]
    assert int(said(pid, "oom_score_adj")) > int(said("self", "oom_score_adj")) + 500
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    with contextlib.suppress(FileNotFoundError):  # a kernel without groups of sessions
        assert said(pid, "autogroup").endswith("nice 19\n")
    job.stop()
    _reaches(job, "stopped")


# Without a process.


def test_a_process_that_died_before_its_first_word_is_not_waited_for_forever(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _job(store, SHORT)
    monkeypatch.setattr("aecore.process.jobs.start", lambda *_: os.getpid())
    job.start()
    assert job.state == "waiting"
    monkeypatch.setattr("aecore.process.jobs.START", 0.0)
    assert job.state == "interrupted"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"null"])
def test_a_damaged_report_is_no_report(store: Store, content: bytes) -> None:
    job = _job(store, SHORT)
    (job.folder / "progress.json").write_bytes(content)
    assert job.state == "idle"
    assert job.error is None
    assert active(store.folder) == []


@pytest.mark.parametrize(
    ("entry", "kept"),
    [
        ({"state": "done"}, {"state": "done"}),
        ({"state": ["done"]}, {}),
        ({"state": "dancing"}, {}),
        ({"epoch": 1.5}, {}),
        ({"epoch": 1.5, "epochs": 2, "step": 3, "steps": 4}, {"epoch": 1.5, "epochs": 2, "step": 3, "steps": 4}),
        ({"epoch": "1.5", "epochs": 2, "step": 3, "steps": 4}, {}),
        ({"saved": float("nan")}, {}),
        ({"saved": True}, {}),
        ({"error": {"a": 1}, "note": "ends soon"}, {"note": "ends soon"}),
        ({"history": [{"epoch": 0, "test": {"mse": 0.5}}]}, {"history": [{"epoch": 0, "test": {"mse": 0.5}}]}),
        ({"history": [{"epoch": 0}]}, {}),
        ({"history": [{"epoch": None, "test": {}}]}, {}),
        ({"history": "long"}, {}),
        ({"from the future": 1}, {}),
    ],
)
def test_of_a_report_only_what_is_understood_is_kept(store: Store, entry: dict, kept: dict) -> None:
    job = _job(store, SHORT)
    (job.folder / "progress.json").write_text(json.dumps(entry))
    assert job.progress == kept
    assert job.state in ("idle", "done")


def test_looking_at_a_run_that_is_gone_brings_nothing_back(store: Store) -> None:
    job = _job(store, SHORT)
    store.delete(SHORT.id)
    assert not job.alive
    assert job.state == "idle"
    assert list(store.folder.iterdir()) == []


def test_a_ticket_left_behind_holds_nobody_up(store: Store) -> None:
    dead, job = _job(store, ENDLESS), _job(store, SHORT)
    queue = store.folder / ".queue"
    queue.mkdir()
    (queue / f"1-{dead.id}").touch()
    (queue / "2-a-run-that-was-deleted").touch()
    with working(job.folder, background=True) as worker:
        assert list(worker.turns()) == []
    assert not any(path.name.endswith(job.id) for path in queue.iterdir())


def test_nothing_is_active_where_there_is_no_store(tmp_path: Path) -> None:
    assert active(tmp_path / "nowhere") == []


def test_forgetting_leaves_what_the_processes_of_a_run_need(tmp_path: Path) -> None:
    """Training again while the run is measured: the measuring can still be stopped."""
    lasting = ("run.json", "owner", "lock", "measuring", "measuring.pid", "log.txt", "orders.txt", "progress.json")
    for name in (*lasting, "evaluation.json", "live.safetensors", "watched"):
        (tmp_path / name).touch()
    (tmp_path / "snapshots" / "000000001-aaaaaaaaaaaa").mkdir(parents=True)
    forget(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(lasting)
