"""What visitors may start and keep; none of it costs anybody else anything."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

from aecore.models import Vanilla
from aecore.process import visitors
from aecore.process.jobs import Job, tell
from aecore.runs import Run
from aecore.store import Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store in which nothing really starts."""
    monkeypatch.setattr(Job, "start", lambda job: (job.folder / "started").touch())
    return Store(tmp_path / "runs")


def _run(seed: int, epochs: int = 2) -> Run:
    return Run("digits", Vanilla(latent=2), "shallow", epochs=epochs, seed=seed)


def _started(job: Job) -> bool:
    return (job.folder / "started").exists()


def _leave(job: Job, hours: float) -> None:
    """Nobody has watched this run, or saved it, for so long."""
    when = time.time() - 3600 * hours
    for path in (*job.folder.iterdir(), job.folder):
        os.utime(path, (when, when))


def test_a_run_belongs_to_who_started_it_and_the_owners_to_nobody_else(store: Store) -> None:
    ann, owner = visitors.start(_run(0), store, "ann"), visitors.start(_run(1), store)
    assert _started(ann)
    assert ann.belongs_to("ann")
    assert _started(owner)
    assert not owner.owner


def test_what_is_somebody_elses_is_neither_started_nor_taken(store: Store) -> None:
    theirs = Job(store.create(_run(0)))  # from a terminal: nobody's by token
    assert not _started(visitors.start(_run(0), store, "ann"))
    assert not theirs.belongs_to("ann")
    visitors.start(_run(1), store, "ann")
    job = visitors.start(_run(1), store, "ben")
    assert job.belongs_to("ann")
    assert not job.belongs_to("ben")


def test_a_visitor_has_limits_and_the_owner_has_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_MAX_RUNS", "2")
    for seed in (0, 1):
        visitors.start(_run(seed), store, "ann")
    with pytest.raises(ValueError, match="3 saved runs of one visitor; this server allows 2"):
        visitors.start(_run(2), store, "ann")
    assert len(store.ids()) == 0
    assert len(list(store.folder.iterdir())) == 2
    assert _started(visitors.start(_run(2), store, "ben"))
    assert _started(visitors.start(_run(3, epochs=900), store))
    with pytest.raises(ValueError, match="900 epochs in one training"):
        visitors.start(_run(4, epochs=900), store, "ben")


def test_a_visitor_who_fills_the_disk_is_stopped(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_MAX_MB", "1")
    job = visitors.start(_run(0), store, "ann")
    (job.folder / "weights").write_bytes(bytes(2_000_000))
    with pytest.raises(ValueError, match=r"2 megabytes saved for one visitor; this server allows 1 \(AECORE_MAX_MB\)"):
        visitors.start(_run(1), store, "ann")
    assert _started(visitors.start(_run(1), store, "ben"))


@pytest.mark.parametrize("name", ["AECORE_MAX_ALL_RUNS", "AECORE_MAX_ALL_MB"])
def test_when_all_is_full_the_run_that_was_left_longest_makes_room(
    name: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, {"AECORE_MAX_ALL_RUNS": "3", "AECORE_MAX_ALL_MB": "2.5"}[name])
    old, older, mine = (visitors.start(_run(seed), store, f"visitor {seed}") for seed in range(3))
    theirs = Job(store.create(_run(9)))
    for job, hours in ((old, 2), (older, 3), (mine, 4), (theirs, 99)):
        (job.folder / "weights").write_bytes(bytes(1_000_000))
        _leave(job, hours)
    visitors.start(_run(3), store, "visitor 2")
    assert old.folder.exists()
    assert not older.folder.exists(), "the one that was left longest"
    assert mine.folder.exists(), "one's own never goes without a word"
    assert theirs.folder.exists(), "the owner's stays"


def test_what_is_watched_does_not_make_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_MAX_ALL_RUNS", "1")
    job = visitors.start(_run(0), store, "ann")
    _leave(job, 2)
    job.watched()
    with pytest.raises(ValueError, match="AECORE_MAX_ALL_RUNS"):
        visitors.start(_run(1), store, "ben")
    assert job.folder.exists()


def test_a_training_too_large_for_the_host_is_refused_with_its_size(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = Run("digits", Vanilla(latent=1024), width=4096, batch_size=4096)
    with pytest.raises(ValueError, match=r"megabytes of memory for one training; this server allows 250 \(AECORE"):
        visitors.start(wide, store, "ann")
    monkeypatch.setattr(visitors, "free", lambda: 500.0)
    with pytest.raises(
        ValueError, match=r"needs about \d,?\d+ MB of memory, and 400 MB are free here: choose a smaller"
    ):
        visitors.start(wide, store)
    assert not store.folder.exists(), "nothing is left of it"
    assert _started(visitors.start(_run(0), store))


def test_what_a_training_takes_is_known_without_its_images_and_without_large_imports() -> None:
    """A server that looked at it once by reading them anew, and with what torch imports for that, lost 110 MB."""
    look = """if True:
        import sys
        from aecore import Run, load_dataset
        from aecore.data import DATASETS, shape_of
        from aecore.models import VAE
        from aecore.networks import NETWORKS
        from aecore.training import memory
        load_dataset("digits")
        DATASETS.clear()
        for kind in NETWORKS:
            assert memory(Run("digits", VAE(), network=kind), shape_of("digits"))[1] > 0
        print({"sympy", "torch._dynamo"} & {*sys.modules})
    """
    found = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout == "set()\n", found.stderr


def test_so_many_trainings_are_under_way_at_most(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that waits has a process already."""
    monkeypatch.setenv("AECORE_MAX_TRAININGS", "2")
    monkeypatch.setattr(Job, "state", property(lambda job: "waiting" if _started(job) else "idle"))
    jobs = [visitors.start(_run(seed), store, f"visitor {seed}") for seed in (0, 1)]
    with pytest.raises(ValueError, match="3 runs of all visitors that are training or waiting"):
        visitors.start(_run(2), store, "ann")
    visitors.start(_run(1), store, "visitor 1")  # it is under way already
    assert _started(visitors.start(_run(3), store)), "the owner's do not count, and have no limit"
    (jobs[0].folder / "started").unlink()
    visitors.start(_run(2), store, "ann")


def test_what_is_under_way_is_found_however_little_memory_is_left(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Job, "state", property(lambda job: "running" if _started(job) else "idle"))
    job = visitors.start(_run(0), store)
    monkeypatch.setattr(visitors, "free", lambda: 0.0)
    assert visitors.start(_run(0), store).id == job.id
    with pytest.raises(ValueError, match="choose a smaller width"):
        visitors.start(_run(1), store)


def test_a_server_may_train_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_JOBS", "0")
    for token in ("", "ann"):
        with pytest.raises(ValueError, match=r"trains no networks \(AECORE_JOBS=0\)"):
            visitors.start(_run(0), store, token)


def test_several_runs_are_allowed_together_or_none_begins(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    several = [_run(seed) for seed in range(8)]
    for name, most in (("AECORE_MAX_RUNS", "6"), ("AECORE_MAX_TRAININGS", "7"), ("AECORE_MAX_ALL_RUNS", "5")):
        with monkeypatch.context() as patch:
            patch.setenv("AECORE_MAX_RUNS", "9")
            patch.setenv(name, most)
            with pytest.raises(
                ValueError, match=rf"8 .*; this server allows {most} \({name}\): train fewer at a time, or"
            ):
                visitors.start_all(several, store, "ann")
            assert not store.folder.exists(), "nothing is left of it"
    jobs = visitors.start_all(several[:6], store, "ann")
    assert all(_started(job) and job.belongs_to("ann") for job in jobs)
    assert len(visitors.start_all(several, store)) == 8, "the owner has no limit"


def test_of_several_runs_those_that_are_trained_or_somebody_elses_take_no_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AECORE_MAX_RUNS", "2")
    theirs, mine = visitors.start(_run(0), store, "ben"), visitors.start(_run(1), store, "ann")
    for job in (theirs, mine):
        (job.folder / "started").unlink()
        tell(job.folder, {"state": "done"})
    jobs = visitors.start_all([_run(seed) for seed in range(3)], store, "ann")
    assert [_started(job) for job in jobs] == [False, False, True]
    with pytest.raises(ValueError, match="3 saved runs of one visitor"):
        visitors.start_all([_run(seed) for seed in range(4)], store, "ann")


def test_of_what_is_cancelled_only_what_has_begun_stays(home: Path) -> None:
    """In real processes: one trains, two wait for it."""
    store = Store(home / "runs")
    runs = [Run("digits", Vanilla(latent=latent), epochs=1000, batch_size=8) for latent in (1, 2, 3)]
    jobs = visitors.start_all(runs, store)
    deadline = time.monotonic() + 60
    while not store.ids() or any(job.progress.get("pid") is None for job in jobs):
        assert time.monotonic() < deadline, [job.progress for job in jobs]
        time.sleep(0.05)
    (begun,) = store.ids()
    visitors.cancel(jobs, store)
    assert [path.name for path in sorted(store.folder.glob("digits-*"))] == [begun]
    assert Job(store.path(begun)).state == "stopped"
