"""Limits for the visitors of a server."""

import math

import pytest

from aecore.process.limits import LIMITS, check, jobs, limit, public


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*LIMITS, "AECORE_JOBS", "AECORE_PUBLIC", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_has_a_default_and_can_be_lifted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check(name, LIMITS[name].default)
    with pytest.raises(ValueError, match=name):
        check(name, 2 * LIMITS[name].default)
    monkeypatch.setenv(name, "inf")
    assert limit(name) == math.inf
    check(name, 1e12)


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_that_is_hit_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "20")
    check(name, 20)
    with pytest.raises(ValueError, match=rf"^21 {LIMITS[name].what}; this server allows 20 \({name}\): "):
        check(name, 21)


@pytest.mark.parametrize("text", ["x", "-1", "0", "nan"])
def test_a_limit_that_is_no_number_is_an_error_with_its_name(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_MAX_EPOCHS", text)
    with pytest.raises(ValueError, match=f"AECORE_MAX_EPOCHS is '{text}'; set it to a number above 0"):
        limit("AECORE_MAX_EPOCHS")


def test_one_training_at_a_time_unless_more_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert jobs() == 1
    for text, number in (("3", 3), ("0", 0), (" ", 1)):
        monkeypatch.setenv("AECORE_JOBS", text)
        assert jobs() == number


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({"AECORE_PUBLIC": "1"}, True),
        ({"SPACE_ID": "somebody/something"}, True),
        ({"SPACE_ID": "somebody/something", "AECORE_PUBLIC": "0"}, False),
    ],
)
def test_a_server_is_public_where_it_is_said_or_known(
    variables: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert public() is expected
