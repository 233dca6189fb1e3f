"""Tags that are kept with a dataset."""

from pathlib import Path

import pytest

from aecore.tags import MOST, MOST_IMAGES, tag, tags, untag


def test_tags_are_kept_by_id_and_split_and_can_be_taken_back(home: Path) -> None:
    assert tags("digits") == {}
    tag("digits", " odd  ones ", "train", ["7", "3"])
    tag("digits", "odd ones", "train", ["3", "11"])
    tag("digits", "odd ones", "test", ["5"])
    tag("digits", "<b>", "test", ["5"])
    assert tags("digits") == {"odd ones": {"train": ["11", "3", "7"], "test": ["5"]}, "<b>": {"test": ["5"]}}
    assert tags("blocks") == {}
    untag("digits", "odd ones")
    assert tags("digits") == {"<b>": {"test": ["5"]}}


@pytest.mark.parametrize("label", ["", "  ", "x" * 41])
def test_a_tag_has_letters_and_is_short(label: str, home: Path) -> None:
    with pytest.raises(ValueError, match="1 to 40 characters"):
        tag("digits", label, "train", ["1"])


def test_what_one_visitor_tags_no_other_sees_or_removes(home: Path) -> None:
    tag("digits", "odd", "test", ["5"])
    tag("digits", "odd", "test", ["6"], "ann")
    assert tags("digits", "ben") == {}
    untag("digits", "odd", "ben")
    assert tags("digits") == {"odd": {"test": ["5"]}}
    assert tags("digits", "ann") == {"odd": {"test": ["6"]}}


def test_there_are_only_so_many_tags(home: Path) -> None:
    for number in range(MOST):
        tag("digits", f"tag {number}", "test", ["5"])
    with pytest.raises(ValueError, match=f"{MOST + 1} tags on {MOST + 1} images; keep to {MOST} tags"):
        tag("digits", "one more", "test", ["5"])
    with pytest.raises(ValueError, match="remove a tag first"):
        tag("digits", "tag 0", "train", map(str, range(MOST_IMAGES)))
    assert len(tags("digits")) == MOST


@pytest.mark.parametrize("whose", ["..", "a/b", "A"])
def test_no_visitor_leads_out_of_the_folder(whose: str, home: Path) -> None:
    with pytest.raises(ValueError, match="whose is"):
        tag("digits", "label", "train", ["1"], whose)


def test_no_name_leads_out_of_the_folder(home: Path) -> None:
    with pytest.raises(ValueError, match="lowercase letters"):
        tag("../x", "label", "train", ["1"])


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 3}', '{"a": {"train": 3}}', "{" * 5000])
def test_a_broken_file_is_no_labels(content: str, home: Path) -> None:
    (home / "tags").mkdir(parents=True)
    (home / "tags" / "digits.json").write_text(content)
    assert tags("digits") == {}
