"""The process's side of a job, driven in this process: orders, turns, limits, a full disk."""

import errno
import hashlib
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aecore.models import VAE, Vanilla
from aecore.moments import kept, moment_steps
from aecore.process import worker as worker_module
from aecore.process.jobs import Job
from aecore.process.limits import LIMITS
from aecore.process.queue import tickets
from aecore.process.worker import Worker, attend, working
from aecore.runs import Checkpoint, Run
from aecore.store import Store
from aecore.training import train

RUN = Run("digits", VAE(latent=2), "shallow", epochs=3, batch_size=300)  # 5 batches an epoch


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("AECORE_HOME", str(tmp_path))
    monkeypatch.setattr(worker_module, "give_way", lambda _: None)
    return Store()


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give these orders, one each time the paused process looks; after the last one it would wait forever."""

    def give(*words: str) -> None:
        left = deque(words)
        monkeypatch.setattr(worker_module, "_patient", lambda _: left.popleft())

    return give


def _attended(store: Store, run: Run = RUN, first: str = "go", background: bool = False) -> Iterator[Checkpoint]:
    folder = store.create(run)
    with working(folder, background=background) as worker:
        (folder / "orders.txt").write_text(first + "\n")
        yield from attend(worker)


def _weights(checkpoint: Checkpoint) -> str:
    state = checkpoint.network.state_dict()
    return hashlib.sha256(b"".join(weight.numpy().tobytes() for weight in state.values())).hexdigest()


def _undisturbed(run: Run = RUN) -> str:
    return _weights(deque(train(run), maxlen=1)[0])


def test_steps_are_exactly_one_batch_and_one_epoch_and_change_nothing(
    store: Store, orders: Callable[..., None]
) -> None:
    orders("batch", "epoch", "epoch", "batch", "go")
    job = Job(store.create(RUN))
    paused = []
    for checkpoint in _attended(store, first="batch"):
        if job.progress.get("state") == "paused" and (not paused or paused[-1] != checkpoint.step):
            paused.append(checkpoint.step)
    assert paused == [1, 2, 5, 10, 11]
    assert checkpoint.done
    assert job.state == "done"
    assert _weights(checkpoint) == _undisturbed() == _weights(store.load(RUN.id))


def test_what_is_paused_is_saved_and_can_be_stopped(store: Store, orders: Callable[..., None]) -> None:
    orders("stop")
    assert [checkpoint.step for checkpoint in _attended(store, first="epoch")][-1] == 5
    assert Job(store.path(RUN.id)).state == "stopped"
    assert store.load(RUN.id).step == 5


def test_a_restart_is_the_same_training_once_more(store: Store, orders: Callable[..., None]) -> None:
    orders("epoch", "restart")
    deque(_attended(store, first="epoch"), maxlen=0)
    assert store.load(RUN.id).done
    assert _weights(store.load(RUN.id)) == _undisturbed()
    (store.path(RUN.id) / "evaluation.json").write_text("{}")
    first = next(_attended(store, first="restart"))
    assert first.step == 15, "it begins where it was"
    orders()
    *_, last = _attended(store, first="restart")
    assert last.done
    assert not (store.path(RUN.id) / "evaluation.json").exists(), "figures of weights that are gone"


def test_a_paused_training_that_is_forgotten_saves_and_ends(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "PATIENCE", 0.0)
    *_, last = _attended(store, first="batch")
    job = Job(store.path(RUN.id))
    assert (last.step, job.state, job.progress["note"][:31]) == (1, "stopped", "Saved and stopped after a pause")


def test_twenty_moments_are_kept_at_their_exact_steps(store: Store) -> None:
    run = replace(RUN, epochs=40)
    deque(_attended(store, run), maxlen=0)
    moments = kept(store.path(run.id))
    assert {moment.step for moment in moments} == moment_steps(200)
    assert moments[-1].epoch == 40


def test_orders_are_read_one_by_one_and_strange_words_are_none(tmp_path: Path) -> None:
    worker = Worker(tmp_path, background=True)
    assert worker.order() is None
    (tmp_path / "orders.txt").write_text("batch\nfly\npause\n")
    assert [worker.order() for _ in range(5)] == ["batch", None, "pause", None, None]
    with (tmp_path / "orders.txt").open("a") as file:
        file.write("go\n")
    assert [worker.order() for _ in range(2)] == ["go", None]
    (tmp_path / "orders.txt").write_bytes(b"\xff\xfe")
    assert worker.order() is None


def test_an_unknown_order_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="order is 'fly'; choose one of go, pause"):
        Job(store.create(RUN)).ask("fly")


# A full disk.


def _full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_takes_snapshots_not_the_training(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "SAVE_EVERY", 0.0)
    training, job = _attended(store), Job(store.create(RUN))
    first = next(training)
    assert store.load(RUN.id).step == first.step == 0
    with monkeypatch.context() as full:
        full.setattr("aecore.store.write_folder", _full)
        checkpoint = next(training)
        assert "No space left on device" in job.progress["warning"]
        assert job.state == "running"
        assert store.load(RUN.id).step == 0, "the snapshot before is kept"
    last = deque(training, maxlen=1)[0]
    assert last.step > checkpoint.step
    assert "warning" not in job.progress
    assert store.load(RUN.id).done


def test_when_even_the_last_snapshot_does_not_fit_the_run_fails_with_the_way_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, job = _attended(store), Job(store.create(RUN))
    next(training)
    monkeypatch.setattr("aecore.store.write_folder", _full)
    with pytest.raises(OSError, match="free some disk space"):
        deque(training, maxlen=0)
    assert job.state == "failed"
    assert "No space left on device" in job.error
    assert store.load(RUN.id).step == 0


def test_reports_and_moments_that_do_not_fit_are_left_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aecore.process.jobs.write_file", _full)
    monkeypatch.setattr("aecore.moments.write_file", _full)
    *_, last = _attended(store)
    assert store.load(RUN.id).step == last.step == last.steps


def test_too_little_memory_is_said_in_a_sentence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("aecore.models.VAE.terms", refuse)
    with pytest.raises(RuntimeError):
        deque(_attended(store), maxlen=0)
    assert Job(store.path(RUN.id)).error.startswith("Not enough memory for this training; choose a smaller width")


# Limits.


def test_a_training_ends_at_the_minutes_allowed_and_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_MAX_MINUTES", "1e-9")
    job = Job(store.create(RUN))
    job.claim("a visitor")
    *_, last = _attended(store, background=True)
    assert 0 < last.step < last.steps
    assert job.state == "stopped"
    assert "(AECORE_MAX_MINUTES)" in job.progress["note"]
    assert store.load(RUN.id).step == last.step


def test_a_training_that_would_take_far_longer_than_allowed_ends_at_once_with_the_figures(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AECORE_MAX_MINUTES", "0.01")
    monkeypatch.setattr(worker_module, "FIRST_LOOK", 0.0)
    run = replace(RUN, epochs=1000, batch_size=8)
    job = Job(store.create(run))
    job.claim("a visitor")
    *_, last = _attended(store, run, background=True)
    assert last.epoch < 100
    assert job.state == "stopped"
    assert re.search(r"would take about \d+ (min|h), and this server allows 0.01 min", job.progress["note"])


def test_the_owner_has_no_limits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LIMITS:
        monkeypatch.setenv(name, "1e-9")
    store.create(RUN)
    assert deque(_attended(store, background=True), maxlen=1)[0].done


def test_a_training_that_nobody_watches_ends_where_that_is_wanted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AECORE_UNWATCHED_MINUTES", "1")
    job = Job(store.create(RUN))
    job.claim("a visitor")
    job.watched()
    training = _attended(store, background=True)
    next(training)
    later, monotonic = 0.0, time.monotonic
    monkeypatch.setattr(worker_module.time, "monotonic", lambda: monotonic() + later)
    monkeypatch.setattr(worker_module.time, "time", lambda: 1e12)
    assert next(training).step > 0, "somebody watches, and the system's clock is of no account"
    later = 61.0
    os.utime(job.folder / "watched", (1, 1))
    assert next(training).step > 0, "somebody watches again, even if the clock was set back"
    later = 122.0
    assert not deque(training, maxlen=1)[0].done
    assert job.progress["note"] == "Saved and stopped: nobody watched for 1 min (AECORE_UNWATCHED_MINUTES)."


def test_more_images_than_allowed_are_refused_with_the_name_of_the_limit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AECORE_MAX_IMAGES", "1000")
    Job(store.create(RUN)).claim("a visitor")
    with pytest.raises(ValueError, match=r"1,437 training images; this server allows 1,000 \(AECORE_MAX_IMAGES\)"):
        next(_attended(store, background=True))
    assert "AECORE_MAX_IMAGES" in Job(store.path(RUN.id)).error
    assert next(_attended(store)).step == 0, "a terminal has no limits"


# The queue.


def _ticket(store: Store, number: int, seed: int, owner: str = "") -> str:
    folder = store.create(Run("digits", Vanilla(), seed=seed))
    if owner:
        Job(folder).claim(owner)
    (store.folder / ".queue").mkdir(exist_ok=True)
    (store.folder / ".queue" / f"{number}-{folder.name}").touch()
    return folder.name


def test_nobodys_second_run_goes_before_anybodys_first(store: Store) -> None:
    ann = [_ticket(store, number, number, "ann") for number in (1, 2, 3)]
    ben = [_ticket(store, number, number, "ben") for number in (4, 5)]
    assert tickets(store.folder) == [ann[0], ben[0], ann[1], ben[1], ann[2]]


def test_who_has_the_turn_keeps_it_and_runs_of_nobody_go_by_time(store: Store) -> None:
    third = _ticket(store, 30, 3)
    second = _ticket(store, 20, 2)
    has_it = _ticket(store, 0, 9, "ann")
    late = _ticket(store, 40, 4, "ann")
    assert tickets(store.folder) == [has_it, second, third, late]


def test_an_owner_is_known_by_the_secret_alone(store: Store) -> None:
    job = Job(store.create(RUN))
    assert not job.belongs_to("")
    job.claim("secret")
    job.claim("another")
    assert job.belongs_to("secret")
    assert not job.belongs_to("another")
    assert "secret" not in (job.folder / "owner").read_text()
    assert not job.belongs_to(job.owner), "what is written there opens nothing"
    (job.folder / "owner").write_bytes(b"\xff")
    assert not job.belongs_to("secret")
