"""Limits of a public page."""

import math

import pytest

from aecore.process.limits import check, limit


def test_without_a_setting_nothing_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AECORE_MAX_EPOCHS", "AECORE_MAX_RUNS", "AECORE_MAX_IMAGES"):
        monkeypatch.delenv(name, raising=False)
    assert limit("AECORE_MAX_EPOCHS") == math.inf
    assert limit("AECORE_JOBS", 1) == 1
    check(epochs=10**6, runs=10**6, images=10**9)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("EPOCHS", "epochs requested"),
        ("RUNS", "runs, including this one"),
        ("IMAGES", "training images in this dataset"),
    ],
)
def test_a_limit_that_is_hit_is_named(name: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AECORE_MAX_{name}", "20")
    check(**{name.lower(): 20})
    with pytest.raises(ValueError, match=rf"^21 {what}; this server allows 20 \(AECORE_MAX_{name}\): "):
        check(**{name.lower(): 21})


@pytest.mark.parametrize("text", ["x", "-1", "0", "nan"])
def test_a_limit_that_is_no_number_is_an_error_with_its_name(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_MAX_EPOCHS", text)
    with pytest.raises(ValueError, match=f"AECORE_MAX_EPOCHS is '{text}'; set it to a number above 0"):
        limit("AECORE_MAX_EPOCHS")
