"""A run as a file: it comes back as it was, and nothing else comes in."""

import io
import json
import zipfile
from collections import deque
from pathlib import Path

import pytest

import aecore
from aecore.folders import name_of, rename
from aecore.models import Vanilla
from aecore.parcels import MOST, Refused, pack, unpack
from aecore.process import visitors
from aecore.process.jobs import Job
from aecore.store import DamagedRun, Store

RUN = aecore.Run("digits", Vanilla(latent=2), "shallow", epochs=2)


@pytest.fixture(scope="module")
def parcel(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    store = Store(tmp_path_factory.mktemp("packed"))
    store.save(deque(aecore.train(RUN), maxlen=1)[0])
    return pack(store, RUN.id)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def _changed(parcel: bytes, **files: bytes | None) -> bytes:
    """A parcel with other files; None leaves one out. `run_json` stands for run.json."""
    out, others = io.BytesIO(), {name.replace("_", "."): content for name, content in files.items()}
    with zipfile.ZipFile(io.BytesIO(parcel)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in {*old.namelist(), *others}:
            content = others.get(name, old.read(name) if name in old.namelist() else None)
            if content is not None:
                new.writestr(name, content)
    return out.getvalue()


def test_a_run_comes_back_as_it_was_and_training_continues(parcel: bytes, store: Store) -> None:
    assert unpack(parcel, store) == RUN
    found = store.load(RUN.id, training=True)
    expected = deque(aecore.train(RUN), maxlen=1)[0]
    ours, theirs = found.network.state_dict(), expected.network.state_dict()
    assert all(ours[name].equal(theirs[name]) for name in theirs)
    assert found.history == expected.history
    assert [path.name for path in store.folder.iterdir()] == [RUN.id]
    with pytest.raises(Refused, match="is here already"):
        unpack(parcel, store)


def test_its_name_goes_along_as_one_line(store: Store, tmp_path: Path) -> None:
    store.save(deque(aecore.train(RUN), maxlen=1)[0])
    rename(store.path(RUN.id), "My tiny digits")
    other = Store(tmp_path / "elsewhere")
    unpack(pack(store, RUN.id), other)
    assert name_of(other.path(RUN.id)) == "My tiny digits"
    other.delete(RUN.id)
    unpack(_changed(pack(store, RUN.id), name_txt=b"a\nb\xff" + 300 * b"x"), other)
    assert name_of(other.path(RUN.id)).startswith("a b")


def test_a_large_run_leaves_its_training_state_at_home(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aecore.parcels.LIGHT", 1000)
    store.save(deque(aecore.train(RUN), maxlen=1)[0])
    light = pack(store, RUN.id)
    store.delete(RUN.id)
    unpack(light, store)
    assert store.load(RUN.id).done
    with pytest.raises(DamagedRun, match="without its training state"):
        store.load(RUN.id, training=True)


def test_a_shipped_run_is_not_taken_along() -> None:
    shipped = aecore.showcase()
    with pytest.raises(DamagedRun, match="came with the app"):
        pack(shipped, shipped.ids()[0])


SETTINGS = RUN.to_dict()


@pytest.mark.parametrize(
    "files",
    [
        {"run_json": None},
        {"manifest_json": None},
        {"evil_py": b"import os"},
        {"../evil_txt": b"x"},
        {"run_json": b"{"},
        {"run_json": b"[" * 100_000},
        {"run_json": json.dumps(SETTINGS | {"dataset": "../../evil"}).encode()},
        {"run_json": json.dumps(SETTINGS | {"dataset": ["digits"]}).encode()},
        {"run_json": json.dumps(SETTINGS | {"epochs": 10**9}).encode()},
        {"run_json": json.dumps(SETTINGS | {"width": 64, "network": "dense"}).encode()},
        {"run_json": json.dumps(SETTINGS | {"model": {"flavor": "__init__"}}).encode()},
        {"weights_safetensors": b"\x00" * 100},
        {"weights_safetensors": b"\xff" * 100},
        {"history_json": b"[]"},
        {"manifest_json": b"{}"},
        {"manifest_json": b'{"schema": 99}'},
    ],
)
def test_what_is_no_sound_run_is_refused_and_leaves_nothing(
    files: dict[str, bytes | None], parcel: bytes, store: Store
) -> None:
    with pytest.raises(Refused):
        unpack(_changed(parcel, **files), store)
    assert not store.folder.exists() or not list(store.folder.iterdir())
    assert not (store.folder.parent.parent / "evil").exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04" + bytes(100), b"no zip"])
def test_what_is_no_zip_is_refused(content: bytes, store: Store) -> None:
    with pytest.raises(Refused, match="zip"):
        unpack(content, store)


def test_a_bomb_is_stopped(parcel: bytes, store: Store) -> None:
    with pytest.raises(Refused, match="unpacks to more than 64 MiB"):
        unpack(_changed(parcel, history_json=bytes(MOST + 1)), store)


def test_flipped_bits_are_seen(parcel: bytes, store: Store) -> None:
    for place in range(40, len(parcel), len(parcel) // 40):
        damaged = bytearray(parcel)
        damaged[place] ^= 0x10
        try:
            unpack(bytes(damaged), store)
        except Refused:
            assert not store.folder.exists() or not list(store.folder.iterdir())
        else:  # a bit that says nothing: a date, or a name that is written twice
            assert store.load(RUN.id, training=True).done
            store.delete(RUN.id)


def test_a_run_that_is_brought_belongs_to_who_brought_it_and_counts(
    parcel: bytes, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitors.bring(parcel, store, "ann")
    assert Job(store.path(RUN.id)).belongs_to("ann")
    store.delete(RUN.id)
    monkeypatch.setenv("AECORE_MAX_RUNS", "1e-9")
    with pytest.raises(ValueError, match="AECORE_MAX_RUNS"):
        visitors.bring(parcel, store, "ann")
    assert not store.ids()
    visitors.bring(parcel, store)
    assert not Job(store.path(RUN.id)).owner


def test_what_is_no_run_costs_nobody_theirs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_MAX_ALL_RUNS", "1")
    monkeypatch.setattr(visitors, "IDLE", -1.0)
    theirs = Job(store.create(RUN))
    theirs.claim("ben")
    with pytest.raises(Refused):
        visitors.bring(b"no zip", store, "ann")
    assert theirs.folder.exists()
