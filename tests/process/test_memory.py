"""How much memory is free, as Linux says it: of the machine and of the containers around this process."""

from pathlib import Path

import pytest

from aecore.process import memory

MB = 2**20


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system that says nothing yet."""
    monkeypatch.setattr(memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "cgroup")
    (tmp_path / "proc" / "self").mkdir(parents=True)
    return tmp_path


def _group(folder: Path, names: tuple[str, str, str], limit: str, used: int, files: int) -> None:
    folder.mkdir(parents=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used * MB}\n")
    stat = f"anon 5\n{names[2]}inactive_file {files * MB}\n{names[2]}active_file {20 * MB}\n"
    (folder / "memory.stat").write_text(stat)


V2 = ("memory.max", "memory.current", "")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")


def test_where_the_system_does_not_say_there_is_no_limit(system: Path) -> None:
    assert memory.free() == float("inf")
    assert not memory.scarce()


def test_a_machine_has_what_is_available(system: Path) -> None:
    (system / "proc" / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable: 51200 kB\n")
    assert memory.free() == 50
    assert memory.scarce()


@pytest.mark.parametrize("inside", [True, False], ids=["its own root", "below the root"])
@pytest.mark.parametrize(("line", "base", "names"), [("0::/box", "", V2), ("4:memory:/box", "memory", V1)])
def test_a_container_has_less_than_its_machine(
    system: Path, inside: bool, line: str, base: str, names: tuple[str, str, str]
) -> None:
    """Files that were read and can be read again are no loss; of those in use, half."""
    (system / "proc" / "meminfo").write_text("MemAvailable: 8192000 kB\n")
    (system / "proc" / "self" / "cgroup").write_text(f"9:pids:/box\n{line}\n")
    _group(system / "cgroup" / base / ("" if inside else "box"), names, str(690 * MB), 600, 70)
    assert memory.free() == 170


@pytest.mark.parametrize(("free", "spared"), [(4000, 937.5), (250, 0), (100, 0)])
def test_what_only_saves_time_leaves_room_for_pages(system: Path, free: int, spared: float) -> None:
    (system / "proc" / "meminfo").write_text(f"MemAvailable: {free * 1024} kB\n")
    assert memory.to_spare() == spared


def test_a_container_without_a_limit_is_none(system: Path) -> None:
    (system / "proc" / "meminfo").write_text("MemAvailable: 102400 kB\n")
    (system / "proc" / "self" / "cgroup").write_text("0::/\n")
    _group(system / "cgroup", V2, "max", 600, 70)
    assert memory.free() == 100


def test_this_system_has_memory() -> None:
    assert memory.free() > 0


def test_a_process_knows_its_own(system: Path) -> None:
    assert memory.own() == 0
    (system / "proc" / "self" / "status").write_text("Name: python\nRssAnon:\t  51200 kB\nRssFile:\t 99 kB\n")
    assert memory.own() == 50
