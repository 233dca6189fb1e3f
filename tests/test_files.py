"""Files that survive: a save that is killed, dies at any operation, finds the disk full or is read while it happens."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_runs import RUN, checkpoint_at, same

from aecore import files, folders
from aecore import store as store_module
from aecore.runs import Checkpoint
from aecore.store import Store

ROOT = Path(__file__).parents[1]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home" / "runs")


KILLS = """
import os, random, signal, sys, time
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[2])
from test_runs import RUN, Store, checkpoint_at, same
store, rng, died = Store(sys.argv[1]), random.Random(0), 0
store.save(checkpoint_at(0))
last = 0
for _ in range(50):
    child = os.fork()
    if not child:
        step = last
        while True:
            step += 1
            store.save(checkpoint_at(step))
    time.sleep(rng.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    loaded = store.load(RUN.id, training=True)
    assert store.ids() == [RUN.id]
    assert last <= loaded.step, (last, loaded.step)
    assert same(loaded, checkpoint_at(loaded.step)), "a mixture of two moments"
    stumps = [path for path in (store.path(RUN.id) / "snapshots").iterdir() if path.name[0] == "."]
    died += bool(stumps)
    last = loaded.step
store.save(checkpoint_at(last + 1))
left = [path.name for path in (store.path(RUN.id) / "snapshots").iterdir()]
assert left == [store.stamp(RUN.id)], left
print(died, last)
"""


@pytest.mark.timeout(120)
@pytest.mark.slow
def test_a_run_killed_50_times_while_saving_always_loads(tmp_path: Path) -> None:
    """Children forked from one warm process save without end until SIGKILL meets them somewhere in between."""
    result = subprocess.run(
        [sys.executable, "-c", KILLS, str(tmp_path), str(Path(__file__).parent)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    died, steps = map(int, result.stdout.split())
    assert died > 5, "hardly any kill met a half-written snapshot"
    assert steps > 1, "the kills met one and the same save"


class Death(BaseException):
    """Nothing runs after it, no cleaning up either."""


class Mortal:
    """Counts operations on files, and dies before or after the k-th: from then on none succeeds."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, after: bool) -> None:
        self.count, self.at, self.after = 0, at, after
        for owner, name in (
            *((os, name) for name in ("fsync", "open", "rename", "replace", "mkdir", "unlink", "rmdir", "write")),
            (Path, "open"),
        ):
            patch.setattr(owner, name, self.wrapped(getattr(owner, name)))

    def wrapped(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            self.count += 1
            if self.count > self.at or (self.count == self.at and not self.after):
                raise Death
            result = operation(*args, **options)
            if self.count == self.at:
                if hasattr(result, "close"):
                    result.close()
                raise Death
            return result

        return run


def _die_saving(store: Store, checkpoint: Checkpoint, at: int, after: bool) -> int:
    """Save with a death at this operation; how many operations there were until then."""
    with pytest.MonkeyPatch.context() as patch:
        mortal = Mortal(patch, at, after)
        with contextlib.suppress(Death):
            store.save(checkpoint)
        return mortal.count


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_any_file_operation_leaves_a_whole_snapshot(store: Store, after: bool) -> None:
    store.save(checkpoint_at(0))
    operations = _die_saving(store, checkpoint_at(1), 10**9, after)
    assert operations > 12
    for at in range(1, operations + 1):
        before = store.load(RUN.id, training=True).step
        _die_saving(store, checkpoint_at(before + 1), at, after)
        assert store.ids() == [RUN.id]
        loaded = store.load(RUN.id, training=True)
        assert loaded.step in (before, before + 1)
        assert same(loaded, checkpoint_at(loaded.step))
        store.save(checkpoint_at(before + 2))
        assert same(store.load(RUN.id, training=True), checkpoint_at(before + 2))
    assert [path.name for path in (store.path(RUN.id) / "snapshots").iterdir()] == [store.stamp(RUN.id)]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_in_the_very_first_save_leaves_no_run_or_a_whole_one(tmp_path: Path, after: bool) -> None:
    operations = _die_saving(Store(tmp_path / "count"), checkpoint_at(1), 10**9, after)
    for at in range(1, operations + 1):
        store = Store(tmp_path / str(at))
        _die_saving(store, checkpoint_at(1), at, after)
        if store.ids():
            assert same(store.load(RUN.id, training=True), checkpoint_at(1))
        store.save(checkpoint_at(2))
        assert same(store.load(RUN.id, training=True), checkpoint_at(2))


@pytest.mark.parametrize("operation", ["fsync", "rename", "open"])
def test_a_full_disk_keeps_the_snapshot_before_and_leaves_no_stump(store: Store, operation: str) -> None:
    store.save(checkpoint_at(1))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, operation, full)
        with pytest.raises(OSError, match="the disk is full; free some space"):
            store.save(checkpoint_at(2))
    assert same(store.load(RUN.id, training=True), checkpoint_at(1))
    store.save(checkpoint_at(3))
    assert [path.name for path in (store.path(RUN.id) / "snapshots").iterdir()] == [store.stamp(RUN.id)]


@pytest.mark.parametrize("ask", [Store.ids, Store.stamp, Store.load], ids=lambda ask: ask.__name__)
def test_a_save_in_the_middle_of_a_question_is_no_error(store: Store, ask: Callable[..., Any]) -> None:
    """The snapshot that was just listed is gone when it is looked at: a newer one has taken its place."""
    store.save(checkpoint_at(1))
    listing, saved = store_module._snapshots, []

    def listed_then_replaced(path: Path) -> list[Path]:
        found = listing(path)
        if not saved:
            saved.append(True)
            store.save(checkpoint_at(2))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "_snapshots", listed_then_replaced)
        assert ask(store, *([] if ask is Store.ids else [RUN.id]))
    assert saved
    assert store.load(RUN.id).step == 2


@pytest.mark.timeout(60)
def test_readers_never_stumble_over_a_training_that_saves(store: Store) -> None:
    checkpoints = [checkpoint_at(step) for step in range(60)]
    store.save(checkpoints[0])
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for checkpoint in checkpoints[1:]:
                store.save(checkpoint)
        except BaseException as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    before = 0
    while writer.is_alive():
        assert store.ids() == [RUN.id]
        assert store.stamp(RUN.id)
        loaded = store.load(RUN.id, training=True)
        assert loaded.step >= before
        assert same(loaded, checkpoints[loaded.step])
        before = loaded.step
    writer.join()
    assert failures == []


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    files.write_file(path, b"old")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="the disk is full; free some space"):
            files.write_file(path, b"new")
    assert path.read_bytes() == b"old"
    files.write_file(path, b"new", durable=False)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_removing_what_is_gone_is_no_error(tmp_path: Path) -> None:
    files.remove(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_holds_no_runs(tmp_path: Path) -> None:
    assert folders.run_folders(tmp_path / "nowhere") == []
    with pytest.raises(KeyError, match="there is no run"):
        folders.find_run(tmp_path / "nowhere", "x")
