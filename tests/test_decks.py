"""Decks of slides: what is read from a text, what is refused and why, and what travels in an address."""

import pytest
from hostile import HOSTILE

from aecore.decks import LONGEST, MOST, Deck, Reader, Slide, read_deck, read_slide, unpacked

PAGES = ("home", "lesson", "manifold")
TEXT = """# Monday

http://localhost:8501/lesson?name=bottleneck&step=2&present=1&deck=abc&slide=7
/manifold   # the map of blocks
https://example.org/
localhost:8501/lesson?name=a%20b%26c
"""


def known(page: str, key: str) -> Reader | None:
    return {("lesson", "name"): str, ("lesson", "step"): int}.get((page, key))


def read(text: str) -> Deck:
    return read_deck(text, PAGES, known)


def test_addresses_of_any_server_become_slides_and_notes_do_not() -> None:
    deck = read(TEXT)
    assert deck.problems == ()
    assert deck.slides == (
        Slide("lesson", {"name": "bottleneck", "step": "2"}),
        Slide("manifold", {}),
        Slide("home", {}),
        Slide("lesson", {"name": "a b&c"}),
    )
    assert [slide.address for slide in deck.slides[1:]] == ["/manifold", "/", "/lesson?name=a+b%26c"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_what_is_no_slide_is_named_by_its_line_and_the_others_are_kept(ending: str) -> None:
    lines = ["\ufeff/manifold", "", "https://example.org/wiki/Autoencoder", "/lesson?step=two", "/lesson?color=red",
             "javascript:alert(1)", "http://[::1/lesson", "/lesson?name=x"]  # fmt: skip
    deck = read(ending.join(lines))
    assert [str(problem) for problem in deck.problems] == [
        "Line 3: this app has no page 'wiki/Autoencoder'; it has home, lesson, manifold.",
        "Line 4: step cannot be 'two' on the page lesson.",
        "Line 5: the page lesson has no 'color'.",
        "Line 6: javascript:alert(1) is not an address of this app; one looks like /lesson?name=bottleneck.",
        "Line 7: http://[::1/lesson is not an address.",
    ]
    assert [slide.page for slide in deck.slides] == ["manifold", "lesson"]


def test_a_path_below_which_the_app_is_served_is_left_out() -> None:
    for address in ("https://example.org/apps/lesson?name=x", "/apps/lesson?name=x", "/lesson?name=x"):
        assert read_slide(address, PAGES, known, "/apps") == Slide("lesson", {"name": "x"})
    assert read_slide("/apps", PAGES, known, "apps").page == "home"
    with pytest.raises(ValueError, match="no page 'appslesson'"):
        read_slide("/appslesson", PAGES, known, "apps")


def test_a_deck_travels_in_an_address() -> None:
    deck = read(TEXT)
    assert unpacked(deck.word, PAGES, known) == deck
    assert not set(deck.word) & set("&=?#+/%")


def test_a_deck_is_never_longer_than_an_address_may_be() -> None:
    deck = read("/manifold\n" * (MOST + 1))
    assert len(deck.slides) == MOST
    assert str(deck.problems[0]) == f"Line {MOST + 1}: a deck has at most {MOST} slides."
    random = "".join(chr(0x4E00 + (n * 7919) % 20000) for n in range(900))
    deck = read("\n".join(f"/lesson?name={random[n:] + random[:n]}" for n in range(0, 900, 30)))
    assert 0 < len(deck.word) <= LONGEST
    assert "make two decks" in str(deck.problems[0])


@pytest.mark.parametrize("word", ["", "x", "!!!", "eJwDAAAAAAE", "AAAA", "é", "a" * 100_000])
def test_a_damaged_word_of_an_address_is_no_deck(word: str) -> None:
    with pytest.raises(ValueError, match=r"in this address"):
        unpacked(word, PAGES, known)


def test_hostile_lines_are_problems_of_one_line_each() -> None:
    for text in HOSTILE:
        deck = read(text)
        assert all(str(problem).isprintable() and len(str(problem)) < 200 for problem in deck.problems)
        assert all(slide.page in PAGES for slide in deck.slides)
