"""Lessons, played to their end as a visitor does: by mouse and by keyboard, with right and with wrong guesses."""

import re
from functools import cache
from urllib.parse import quote

import pytest
from conftest import Server, settle, texts, visit
from playwright.sync_api import Page, expect

from aecore.lesson_files import read_lesson
from aecore.lessons import Lesson, Step, lesson_names
from aecore.lessons import facts_of_id as measured
from pages._syllabus import FOLDER, GRAMMAR

facts_of_id = cache(measured)
ALWAYS = ("bottleneck", "nonlinear", "denoising")
"""By keys and by mouse, with choices and with a place to point at."""
LESSONS = [read_lesson(FOLDER / f"{name}.md", GRAMMAR) for name in lesson_names(FOLDER)]


def guess(page: Page, lesson: Lesson, step: Step, right: bool, by_keys: bool) -> None:
    """Answer the question of a step, and see the verdict; the text then has its figures."""
    count = len(step.question.choices)
    place = lesson.right(step.question, facts_of_id) if right else None
    if place is None:
        place = (lesson.right(step.question, facts_of_id) + 1) % count
    button = page.locator(f".st-key-choice-{place + 1} button")
    expect(button).to_be_visible()
    if by_keys:
        page.keyboard.press(str(place + 1))
    else:
        button.click()
    words = page.locator(".st-key-lesson-words")
    expect(words).to_contain_text("Right." if right else "Not quite.")
    expect(words).to_contain_text(f"Your guess: {step.question.choices[place].say}")
    expect(page).to_have_url(re.compile(rf"guesses=.*{lesson.name}\."))


def place_of_next(page: Page) -> tuple[int, ...]:
    """Where the button that leads on stands, as whole pixels: left, top, width, height."""
    return tuple(
        round(side) for side in page.locator(".st-key-lesson-next, .st-key-lesson-end").bounding_box().values()
    )


@pytest.mark.browser
def test_the_focus_goes_on_at_what_comes_after_a_guess(page: Page) -> None:
    page.goto("/lesson?name=nonlinear&step=2")
    settle(page)
    page.wait_for_function("window.aecoreKeysHeard")
    page.get_by_role("button", name="PCA", exact=True).press("Enter")
    expect(page.get_by_role("button", name="Guess again")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="PCA", exact=True)).to_be_focused()


@pytest.mark.browser
def test_a_page_that_a_lesson_opened_leads_back_to_its_step(page: Page) -> None:
    page.goto("/lesson?name=nonlinear&step=4")
    settle(page)
    page.get_by_role("link", name="Open in Manifold").click()
    page.wait_for_url(re.compile(r"/manifold\?.*lesson=nonlinear\.4"))
    settle(page)
    page.reload()
    page.get_by_role("link", name="Back to the lesson").click()
    page.wait_for_url(re.compile(r"/lesson\?.*name=nonlinear&step=4"))
    expect(page.locator(".st-key-lesson-words h1")).to_have_text("Draw from the map")
    expect(page.get_by_role("link", name="Back to the lesson")).to_have_count(0)


def test_a_lesson_is_done_once_its_last_step_was_seen(home: object) -> None:
    last = visit("lesson", name="nonlinear", step="5")
    assert last.button(key="lesson-next").label == "Next lesson"
    last.button(key="lesson-back").click().run()
    assert last.query_params["left"] in ("nonlinear.5", ["nonlinear.5"])
    told = texts(visit("lessons", left="nonlinear.5~walking.2"))
    assert told.count("Done") == 1
    assert "At step 2 of 3" in told


@pytest.mark.browser
def test_a_new_tab_goes_on_where_a_lesson_was_left(page: Page) -> None:
    page.goto("/lesson?name=nonlinear&step=2")
    page.get_by_role("button", name="PCA", exact=True).click()
    expect(page.locator(".st-key-lesson-words")).to_contain_text("Your guess: PCA")
    page.wait_for_function("document.cookie.includes('aecore-lessons')")
    other = page.context.new_page()
    other.goto("/")
    other.get_by_role("link", name="Lessons", exact=True).click()
    expect(other.get_by_text("At step 2 of 5")).to_be_visible()
    other.goto("/lessons?left=walking.2")  # an address of somebody else adds to it
    expect(other.get_by_text("At step 2 of 3")).to_be_visible()
    expect(other.get_by_text("At step 2 of 5")).to_be_visible()
    page.get_by_role("link", name="Home", exact=True).click()
    page.get_by_role("button", name="Reset all pages").click()
    page.wait_for_function("!document.cookie.includes('aecore-lessons')")


@pytest.mark.parametrize(("word", "told"), [
    ("left=nonlinear.2~gone.3&guesses=nonlinear.2:1&name=sparse", "At step 2 of 5"),
    ("left=nonlinear&guesses=nonlinear.2:1", "5 steps"), ("left=%s&%;=", "5 steps"), ("\0" * 5000, "5 steps"),
])  # fmt: skip
def test_what_a_browser_remembers_is_read_with_care(
    home: object, monkeypatch: pytest.MonkeyPatch, word: str, told: str
) -> None:
    monkeypatch.setattr("streamlit.runtime.context.ContextProxy.cookies", {"aecore-lessons": quote(word)})
    assert told in texts(visit("lessons"))


@pytest.mark.fashion
def test_the_last_step_of_the_last_lesson_leads_to_all_lessons(home: object) -> None:
    last = max(LESSONS, key=lambda lesson: lesson.order)
    app = visit("lesson", name=last.name, step=str(len(last.steps) - 1))
    app.button(key="lesson-next").click().run()
    assert app.title[0].value == last.steps[-1].title, "one press is one step"
    assert app.button(key="lesson-end").label == "All lessons"


@pytest.mark.fashion
@pytest.mark.parametrize(("lesson", "by_keys"), [
    pytest.param(lesson, number % 2 == 0, id=lesson.name, marks=[] if lesson.name in ALWAYS else pytest.mark.matrix)
    for number, lesson in enumerate(LESSONS)
])  # fmt: skip
def test_a_lesson_is_played_to_its_end(page: Page, server: Server, lesson: Lesson, by_keys: bool) -> None:
    page.goto(f"{server.url}/lesson?name={lesson.name}")
    page.wait_for_function("window.aecoreKeysHeard")
    right, places = by_keys, set()
    for number, step in enumerate(lesson.steps, start=1):
        expect(page.locator(".st-key-lesson-words h1")).to_have_text(step.title)
        settle(page)
        if step.question:
            guess(page, lesson, step, right, by_keys)
            right = not right
        if step.point:
            page.locator(".st-key-choice-1 button").click()
            expect(page.locator(".st-key-lesson-words")).to_contain_text("away from the right place")
        settle(page)
        places.add(place_of_next(page))
        if number < len(lesson.steps):
            if by_keys:
                page.keyboard.press("ArrowRight")
            else:
                page.locator(".st-key-lesson-next").get_by_role("button", name="Next", exact=True).click()
            expect(page).to_have_url(re.compile(rf"step={number + 1}\b"))
    assert len(places) == 1, "the next press may miss"
    page.reload()
    expect(page.locator(".st-key-lesson-words h1")).to_have_text(lesson.steps[-1].title)
    if lesson.steps[-1].question:
        expect(page.locator(".st-key-lesson-words")).to_contain_text("Your guess:")
    settle(page)
    page.wait_for_function("window.aecoreKeysHeard")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".st-key-lesson-words h1")).to_have_text(lesson.steps[-2].title)


@pytest.mark.parametrize("words", [
    {}, {"name": "nothing"}, {"name": "../bottleneck"}, {"name": "bottleneck", "step": "98"},
    {"name": "bottleneck", "step": "-1", "guesses": "bottleneck.1:9~~x", "left": "bottleneck"},
    {"name": "bottleneck", "step": "2", "guesses": "bottleneck.2:7", "left": "bottleneck.99"},
])  # fmt: skip
def test_an_odd_address_of_a_lesson_opens(home: object, words: dict[str, str]) -> None:
    app = visit("lesson", **words)
    missing = not words.get("name", "").startswith("bottleneck")
    assert (app.title[0].value == "There is no such lesson") == missing
