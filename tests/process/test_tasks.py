"""Long computations: asked once, answered to all who wait, ended when nobody does."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

import aecore
from aecore.process import questions, tasks
from aecore.process.tasks import MOST, Busy, Task, queue, work
from aecore.search import all_nearest


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def question(home_with_runs: Path, digits_runs: list[aecore.Checkpoint]) -> Task:
    """The nearest codes of a run on digits."""
    run = digits_runs[1].run.id
    return questions.nearest(run, aecore.Store().stamp(run), "test", "cosine")


@pytest.fixture
def endless(home_with_runs: Path, digits_runs: list[aecore.Checkpoint]) -> Task:
    """A question that nobody answers soon."""
    run = digits_runs[1].run.id
    return questions.tsne(run, aecore.Store().stamp(run), "train")


def test_an_answer_is_that_of_the_library_and_stays(question: Task, digits_runs: list[aecore.Checkpoint]) -> None:
    assert question.answer() is None
    question.ask("ann")
    _until(lambda: question.answer() is not None)
    codes = digits_runs[1].encode(aecore.load_dataset("digits").test.images)
    for found, expected in zip(question.answer(), all_nearest(codes), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    _until(lambda: not question.folder.exists())
    assert question.compute()[0].shape == question.answer()[0].shape


def test_who_asks_the_same_waits_for_the_same_process(endless: Task) -> None:
    endless.ask("ann")
    _until(lambda: "done" in endless.report)
    pid = endless.report["pid"]
    endless.ask("ben")
    assert endless.report["pid"] == pid
    assert endless.waits("ben")
    endless.leave("ann")
    endless.leave("ben")
    _until(lambda: not psutil.pid_exists(pid))
    assert not endless.folder.exists()
    assert endless.answer() is None


def test_what_waits_has_no_process_until_its_turn(endless: Task, question: Task) -> None:
    endless.ask("ann")
    _until(lambda: "done" in endless.report)
    question.ask("ben")
    _until(lambda: question.report.get("ahead") == 1)
    assert question.alive
    assert not tasks.held(question.folder / "lock")
    endless.leave("ann")
    _until(lambda: question.answer() is not None)


def test_where_the_usher_is_gone_who_waits_calls_another(
    endless: Task, question: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless.ask("ann")
    _until(lambda: "done" in endless.report)
    question.ask("ben")
    _until(lambda: question.report.get("ahead") == 1)
    psutil.Process(endless.report["pid"]).parent().kill()
    _until(lambda: not tasks._ushered())
    monkeypatch.setattr(tasks, "START", 0.0)
    assert not question.alive
    question.wait("ben")
    _until(tasks._ushered)
    assert endless.alive, "what has begun goes on"
    endless.leave("ann")
    _until(lambda: question.answer() is not None)


def test_who_says_nothing_any_more_does_not_wait_any_more(endless: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "PATIENCE", 0.2)
    monkeypatch.setattr(tasks.time, "sleep", lambda _: None)
    monkeypatch.setattr(tasks.os, "_exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))
    (endless.folder / "waiting").mkdir(parents=True)
    (endless.folder / "waiting" / "ann").touch()
    with pytest.raises(SystemExit):
        tasks._end_when_nobody_waits(endless.folder)
    assert not endless.folder.exists()


def test_while_somebody_waits_it_goes_on(endless: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(range(3))
    monkeypatch.setattr(tasks.time, "sleep", lambda _: next(looks))
    monkeypatch.setattr(tasks.os, "_exit", lambda _: pytest.fail("it ended"))
    (endless.folder / "waiting").mkdir(parents=True)
    for who in ("ann", "ben"):
        (endless.folder / "waiting" / who).touch()
    endless.leave("ann")
    with pytest.raises(StopIteration):
        tasks._end_when_nobody_waits(endless.folder)


def test_an_answer_of_another_version_is_not_known(question: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    question.compute()
    assert question.answer()
    monkeypatch.setitem(tasks.TASKS, "nearest", tasks.TASKS["nearest"]._replace(version=99))
    assert question.answer() is None


def test_a_new_interpreter_knows_every_task() -> None:
    """It knows a task by its import: where no warm parent has imported it for the pages, the command has to."""
    package = Path(tasks.__file__).parents[1]
    asked = {path.stem for path in (package / "process").glob("*.py") if "\n@task(" in path.read_text()}
    imported = re.search(r"from aecore.process import (.*), tasks  #", (package / "__main__.py").read_text())
    assert asked == set(imported[1].split(", "))


def test_a_process_that_dies_is_not_waited_for(endless: Task) -> None:
    endless.ask("ann")
    _until(lambda: "done" in endless.report)
    os.kill(endless.report["pid"], signal.SIGKILL)
    _until(lambda: endless.report.get("error") == tasks.ENDED)
    assert not endless.alive
    endless.leave("ann")


def test_a_task_that_fails_says_why(question: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tasks.TASKS, "nearest", tasks.TASKS["nearest"]._replace(find=lambda *_: 1 / 0))
    monkeypatch.setattr(tasks.threading.Thread, "start", lambda _: None)
    monkeypatch.setattr(tasks, "give_way", lambda _: None)
    monkeypatch.setattr(tasks, "start", lambda *_: os.getpid())
    question.ask("ann")
    with pytest.raises(ZeroDivisionError):
        work(question.name)
    assert question.report["error"] == "division by zero"
    assert not question.alive
    question.ask("ann")
    assert "error" not in question.report, "asked again, it starts again"


def test_everybodys_newest_task_precedes_what_anybody_asked_before(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for what the server asks, and what is quick waits for nobody."""
    monkeypatch.setitem(tasks.TASKS, "quick", tasks.Kind(lambda: [], 1, queued=False))
    asked = ((0.1, "server", "s1"), (1.0, "ann", "a1"), (2.0, "ann", "a2"), (3.0, "ben", "b1"), (4.0, "dan", "d1"))
    for came, who, name in (*asked, (0.5, "cleo", "c1"), (0.2, "eve", "q1")):
        folder = home / "tasks" / name
        folder.mkdir(parents=True)
        function = "quick" if name == "q1" else "nearest"
        (folder / "asked.json").write_text(json.dumps({"came": came, "who": who, "function": function}))
        if name == "c1":  # it failed
            (folder / "progress.json").write_text('{"error": "no"}')
    for name in ("b1", "s1"):
        (home / "tasks" / name / "working").touch()
    (home / "tasks" / "odd").mkdir()
    assert queue(home / "tasks") == ["b1", "a2", "d1", "a1", "s1"]


def test_where_memory_is_scarce_nothing_new_is_begun(question: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "scarce", lambda: True)
    with pytest.raises(Busy, match="short of memory"):
        question.ask("ann")
    assert not question.folder.exists()


def test_only_so_many_wait(question: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "queue", lambda _: ["task"] * MOST)
    monkeypatch.setattr(tasks, "_ushered", lambda: True)
    with pytest.raises(Busy, match="too many long computations"):
        question.ask("ann")
    assert not question.folder.exists()


@pytest.mark.parametrize("name", ["../runs", "nearest", ""])
def test_no_name_leads_out_of_the_folder(name: str, home: Path) -> None:
    (home / "tasks").mkdir(parents=True)
    with pytest.raises(ValueError, match="there is no task"):
        work(name)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the data of a process")
def test_a_task_that_reads_what_comes_from_outside_may_not_have_all_memory(
    question: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "from aecore.process import tasks\n"
        "tasks._limit_memory(2**26)\n"
        "bytearray(2**25)\n"
        "try:\n    bytearray(2**27)\nexcept MemoryError:\n    print('refused')"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "refused\n"
    limits: list[int] = []
    monkeypatch.setattr(tasks, "_limit_memory", limits.append)
    monkeypatch.setattr(tasks.threading.Thread, "start", lambda _: None)
    monkeypatch.setattr(tasks, "give_way", lambda _: None)
    monkeypatch.setattr(tasks, "start", lambda *_: os.getpid())
    kind = tasks.TASKS["nearest"]._replace(find=lambda *_: [np.zeros(1)])
    for version, memory in ((1, 0), (2, 77)):
        monkeypatch.setitem(tasks.TASKS, "nearest", kind._replace(version=version, memory=memory))
        question.ask("ann")
        work(question.name)
    assert limits == [77]
