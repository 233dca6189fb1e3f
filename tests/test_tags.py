"""Tags that are kept with a dataset."""

from pathlib import Path

import pytest

from aecore.tags import tag, tags, untag


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


def test_no_name_leads_out_of_the_folder(home: Path) -> None:
    with pytest.raises(ValueError, match="lowercase letters"):
        tag("../x", "label", "train", ["1"])


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 3}', '{"a": {"train": 3}}', "{" * 5000])
def test_a_broken_file_is_no_labels(content: str, home: Path) -> None:
    (home / "tags").mkdir(parents=True)
    (home / "tags" / "digits.json").write_text(content)
    assert tags("digits") == {}
