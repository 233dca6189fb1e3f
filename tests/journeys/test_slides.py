"""A deck of addresses, played as slides."""

import re

import pytest
from conftest import PAGES, settle, texts, visit
from playwright.sync_api import Page, expect

DECK = """# Two steps of a lesson, and the page About
https://any.example/lesson?name=bottleneck
/lesson?name=bottleneck&step=2
https://en.wikipedia.org/wiki/Autoencoder
/lesson?name=<img src=x onerror=alert(1)>
/about
"""


@pytest.mark.browser
@pytest.mark.fashion
def test_a_file_of_addresses_plays_as_slides(page: Page) -> None:
    page.goto("/lessons")
    settle(page)
    file = {"name": "deck.txt", "mimeType": "text/plain", "buffer": DECK.encode()}
    page.locator(".st-key-deck-file input[type=file]").set_input_files(file)
    expect(page.get_by_label("Addresses of the slides")).to_have_value(DECK)
    expect(page.get_by_text("Line 4: this app has no page 'wiki/Autoencoder'")).to_be_visible()
    expect(page.get_by_text("Line 5: name cannot be '<img src=x onerror=alert(1)>'")).to_be_visible()
    page.get_by_role("button", name="Play the 3 other slides").click()

    place, head = page.locator(".st-key-stage-bar"), page.locator("h1")
    expect(place).to_contain_text("1 of 3")
    expect(head).to_have_text("An image is a list of numbers")
    settle(page)
    page.keyboard.press("ArrowRight")
    expect(place).to_contain_text("2 of 3")
    expect(head).to_have_text("Through the narrow place")
    settle(page)
    page.keyboard.press("1")  # a guess, which going back and forth keeps
    expect(page).to_have_url(re.compile("guesses=bottleneck.2"))
    page.keyboard.press("PageDown")
    expect(place).to_contain_text("3 of 3")
    expect(page).to_have_url(re.compile("/about"))
    settle(page)
    page.keyboard.press("ArrowLeft")
    expect(place).to_contain_text("2 of 3")
    expect(page.locator(".st-key-lesson-words")).to_contain_text("Your guess:")
    settle(page)
    page.reload()
    expect(place).to_contain_text("2 of 3")
    expect(head).to_have_text("Through the narrow place")
    settle(page)
    page.wait_for_function("window.aecoreKeysHeard")
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "deck" not in url and "present" not in url)
    expect(place).to_have_count(0)
    expect(page.get_by_role("link", name="Manifold", exact=True)).to_be_visible()


def test_what_is_typed_stays_when_the_page_is_left(home: object) -> None:
    app = visit("lessons")
    app.text_area[0].set_value("/about\n/nowhere").run()
    assert "Line 2: this app has no page 'nowhere'" in texts(app)
    app.switch_page(str(PAGES / "about.py")).run()
    app.switch_page(str(PAGES / "lessons.py")).run()
    assert app.text_area[0].value == "/about\n/nowhere"


@pytest.mark.parametrize("deck", ["x", "eJwDAAAAAAE", "<b>", "a" * 9000])
def test_a_damaged_deck_is_no_deck(home: object, deck: str) -> None:
    app = visit("about", deck=deck, slide="x")
    assert not app.exception
    assert "deck" not in app.query_params
