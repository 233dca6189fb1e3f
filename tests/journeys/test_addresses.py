"""Hostile addresses: whatever a parameter holds, its page opens without an exception."""

import dataclasses
from pathlib import Path

import pytest
from conftest import matrix, visit

import aecore
from pages._address import PARAMETERS

WORDS = {
    "nan": "nan",
    "1e999": "1e999",
    "empty": "",
    "huge": "1" + "0" * 30,
    "long": "x" * 10_000,
    "markup": "<img src=x onerror=alert(1)>![](http://example.org/x)**",
    "path": "../../../etc/passwd",
    "foreign": "١٢\u202e\x00\ud7ff",
}
MORE = ("inf", "-1", "1e-400", "0x10", "true", "[1]", "~", "-", ":", "1:2~")
KNOBS = [
    *(item.name for kind in aecore.FLAVORS.values() for item in dataclasses.fields(kind)),
    *(item.name for item in dataclasses.fields(aecore.Run) if item.metadata),
]
ADDRESSES = [(page, name) for page, names in PARAMETERS.items() for name in names]
ADDRESSES += [("train", name) for name in dict.fromkeys(KNOBS)]


@pytest.mark.parametrize(("word", "page"), matrix(WORDS, PARAMETERS.keys()))
def test_every_parameter_at_once(
    word: str, page: str, home_with_runs: Path, digits_runs: list[aecore.Checkpoint]
) -> None:
    """All but the run, so that there is something to look at."""
    names = [name for other, name in ADDRESSES if other == page]
    visit(page, **dict.fromkeys(names, word) | {"run": digits_runs[0].run.id})


@pytest.mark.fuzz
@pytest.mark.parametrize("word", [*WORDS.values(), *MORE, "9" * 10_000], ids=[*WORDS, *MORE, "digits"])
@pytest.mark.parametrize(("page", "name"), ADDRESSES, ids="-".join)
def test_one_parameter(
    page: str, name: str, word: str, home_with_runs: Path, digits_runs: list[aecore.Checkpoint]
) -> None:
    """The others are as a visitor leaves them."""
    app = visit(page, **{"run": digits_runs[1].run.id, name: word})
    assert app.title[0].value
