"""Text from anywhere is fit for where it goes, and keeps its meaning where it can."""

from pathlib import Path

import pytest

from aecore.export import Cargo
from aecore.export.names import file_names, markdown
from aecore.text import one_line, sound


def test_file_names_are_safe_different_and_stay_in_their_folder(hostile: Cargo, tmp_path: Path) -> None:
    names = file_names([*hostile.dataset.classes, *hostile.dataset.classes, "é" * 100, "e\u0301"])
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert name == name.strip(" .")
        assert len(name.encode()) <= 90
        assert not set(name) & set('/\\:*?"<>|\0\n\r\t\u202e')
        assert name.casefold().partition(".")[0] not in ("con", "prn", "aux", "nul")
        (tmp_path / name).write_bytes(b"")
    assert len(list(tmp_path.iterdir())) == len(names)


def test_good_names_stay_as_they_are() -> None:
    assert file_names(["T-shirt", "Schöne Äpfel", "7x12", "cat 1.v2"]) == [
        "T-shirt",
        "Schöne Äpfel",
        "7x12",
        "cat 1.v2",
    ]
    assert file_names(["a", "a-2", "a", "A"]) == ["a", "a-2", "a-3", "A-4"]


def test_many_equal_names_take_no_time() -> None:
    assert file_names(["same"] * 20_000)[-1] == "same-20000"


def test_a_line_is_one_line_that_can_be_seen(hostile: Cargo) -> None:
    for name in hostile.dataset.classes:
        assert one_line(name).isprintable()
        assert len(one_line(name)) <= 200
        assert sound(name).encode("utf-8")
    assert one_line("T-shirt/top") == "T-shirt/top"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Alpaydin (1998), CC BY 4.0.", "Alpaydin (1998), CC BY 4.0."),
        ("[x](http://e.e)", r"\[x\](http\://e.e)"),
        ("<b>|`", r"\<b\>\|\`"),
        ("1. one", r"1\. one"),
        ("- one", r"\- one"),
        ("www.evil.example", r"www\.evil.example"),
    ],
)
def test_markdown_shows_text_as_text(text: str, expected: str) -> None:
    assert markdown(text) == expected
