"""Lessons, played to their end as a visitor does: by mouse and by keyboard, with right and with wrong guesses."""

import re
from functools import cache

import pytest
from conftest import Server, settle, visit
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


@pytest.mark.fashion
@pytest.mark.parametrize(("lesson", "by_keys"), [
    pytest.param(lesson, number % 2 == 0, id=lesson.name, marks=[] if lesson.name in ALWAYS else pytest.mark.matrix)
    for number, lesson in enumerate(LESSONS)
])  # fmt: skip
def test_a_lesson_is_played_to_its_end(page: Page, server: Server, lesson: Lesson, by_keys: bool) -> None:
    page.goto(f"{server.url}/lesson?name={lesson.name}")
    page.wait_for_function("window.aecoreKeysHeard")
    right = by_keys
    for number, step in enumerate(lesson.steps, start=1):
        expect(page.locator(".st-key-lesson-words h1")).to_have_text(step.title)
        settle(page)
        if step.question:
            guess(page, lesson, step, right, by_keys)
            right = not right
        if step.point:
            page.locator(".st-key-choice-1 button").click()
            expect(page.locator(".st-key-lesson-words")).to_contain_text("away from the right place")
        if number < len(lesson.steps):
            settle(page)
            if by_keys:
                page.keyboard.press("ArrowRight")
            else:
                page.locator(".st-key-lesson-next").get_by_role("button", name="Next").click()
            expect(page).to_have_url(re.compile(rf"step={number + 1}\b"))
    settle(page)
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
