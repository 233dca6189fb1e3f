"""How a job gets a process: from a warm parent where there is one, else from a new interpreter.

Importing the libraries takes seconds and 200 MB. A server that has imported them forks a parent that does nothing but
wait; its children start at once and share that memory. The parent is forked from a thread of its own, which has never
computed anything, since OpenMP cannot be used in the child of a thread that has.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import _bootstrap
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NoReturn

PATIENCE = 20
"""Seconds in which a parent has to show that its children can compute, and then to answer every request."""

PACKAGE = Path(__file__).parents[1]

TRIES = 100
"""How often a parent is forked before jobs do without: none is of use that was forked while a module was imported."""

quiet = threading.Event()
"""Set unless a parent is about to be forked. What computes waits for it: a lock inside a library that a thread holds at
that instant would never open in the children."""
quiet.set()

_parent: socket.socket | None = None
_one_at_a_time = threading.Lock()


def start(words: Sequence[str], home: Path, log: Path) -> int:
    """Run `python -m aecore` with these words in a process that outlives this one; returns its id.

    It works in this AECORE_HOME and appends what it prints to the file `log`.
    """
    environment = {**os.environ, "AECORE_HOME": str(home)}
    request = {"words": list(words), "environment": environment, "log": str(log)}
    with _one_at_a_time:
        return _ask(request) or _new_interpreter(**request)


def open_nursery() -> bool:
    """Fork the warm parent of all jobs from here on; whether it works. Only Linux forks without surprises."""
    if sys.platform != "linux":
        return False
    close_nursery()
    for _ in range(TRIES):
        found: list[bool | None] = []
        thread = threading.Thread(target=lambda found=found: found.append(_found()))
        thread.start()
        thread.join()
        if found != [None]:
            return found == [True]
        time.sleep(0.1)
    return False


def close_nursery() -> None:
    """Let the warm parent end; its children go on."""
    global _parent
    with _one_at_a_time:
        if _parent:
            _parent.close()
        _parent = None


def _found() -> bool | None:
    """Fork the parent and keep the line to it, if a child of it can compute; None if it was forked at a bad moment."""
    global _parent
    here, there = socket.socketpair()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork with other threads: the test below is for that
        pid = os.fork()
    if not pid:
        _be_the_parent(there)
    there.close()
    here.settimeout(PATIENCE)
    try:
        answer = here.recv(1)
    except OSError:
        answer = b"-"
    if answer == b"+":
        with _one_at_a_time:
            _parent = here
        threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()  # reaps it when it ends
        return True
    here.close()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False if answer else None


def _ask(request: dict[str, Any]) -> int:
    """The id of a process that the parent starts; 0 where there is no parent any more."""
    global _parent
    if _parent is None:
        return 0
    try:
        _parent.sendall(json.dumps(request).encode() + b"\n")
        if answer := _parent.recv(32):
            return int(answer)
    except OSError:
        pass
    _parent.close()
    _parent = None
    return 0


def _new_interpreter(words: Sequence[str], environment: dict[str, str], log: str) -> int:
    with Path(log).open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", PACKAGE.name, *words],
            cwd=PACKAGE.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # reaps it when it ends
    return process.pid


def _be_the_parent(line: socket.socket) -> NoReturn:
    """The life of the parent: fork a child for every request, until the other end of the line is closed."""
    try:
        _let_go(line.fileno())
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps the children
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        if _importing():
            os._exit(1)
        _try_out(line)
        for request in line.makefile("r"):
            pid = os.fork()
            if not pid:
                _be_a_child(line, **json.loads(request))
            line.sendall(str(pid).encode())
    finally:
        os._exit(0)


def _let_go(kept: int) -> None:
    """Point every inherited file but the standard ones at nothing.

    They are not closed: an object that is thrown away later would close the number again, which may be another's then.
    """
    signal.set_wakeup_fd(-1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in (kept, nothing):
            with suppress(OSError):
                os.dup2(nothing, int(name), inheritable=False)
    os.dup2(nothing, 0)


def _importing() -> bool:
    """Whether a thread was importing a module when this process was forked: its lock would never open here."""
    locks = [reference() for reference in _bootstrap._module_locks.values()]
    return any(lock is not None and lock.owner is not None for lock in locks)


def _try_out(line: socket.socket) -> None:
    """Have a child compute with all threads, and tell the other end when it has."""
    if not os.fork():
        signal.alarm(PATIENCE)  # one that hangs would stay
        _compute()
        line.sendall(b"+")
        os._exit(0)


def _compute() -> None:
    import numpy as np
    import torch

    many = torch.ones(400, 400)
    np.ones((400, 400)) @ (many @ many).numpy()


def _be_a_child(line: socket.socket, words: list[str], environment: dict[str, str], log: str) -> NoReturn:
    code = 1
    try:
        line.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        with Path(log).open("ab", buffering=0) as file:
            for number in (1, 2):
                os.dup2(file.fileno(), number)
        sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(PACKAGE.parent)
        code = resolve_name(f"{PACKAGE.name}.__main__:main")(words)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
