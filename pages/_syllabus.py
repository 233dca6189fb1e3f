"""The lessons of the app: where they lie, and what they can show."""

import logging
from functools import cache
from pathlib import Path
from typing import Any

from aecore.lesson_files import check_lessons, read_lesson
from aecore.lessons import BrokenLesson, Grammar, Lesson, facts_of, facts_of_id, lesson_names
from pages import _cached
from pages._address import PARAMETERS
from pages.acts.stage import PARTS

FOLDER = Path(__file__).parent / "lessons"
GRAMMAR = Grammar(
    {page: {name: parameter.read for name, parameter in PARAMETERS[page].items()} for page in PARTS}, PARTS
)


def lesson(name: str) -> Lesson:
    """A lesson by its name. Raises KeyError where there is none, BrokenLesson for one that cannot be played."""
    if name not in lesson_names(FOLDER):  # what an address says is never joined into a path
        raise KeyError(name)
    return read_lesson(FOLDER / f"{name}.md", GRAMMAR)


def lessons() -> tuple[list[Lesson], list[BrokenLesson]]:
    """All lessons in their order, and what is wrong with the others."""
    found, broken = [], []
    for name in lesson_names(FOLDER):
        try:
            found.append(lesson(name))
        except BrokenLesson as error:
            broken.append(error)
    return sorted(found, key=lambda each: (each.order, each.name)), broken


def facts(run: str) -> dict[str, Any]:
    """What can be said of a run by its id."""
    view = _cached.newest(run)
    return facts_of(_cached.checkpoint(view), _cached.measured(view))


def report() -> None:
    """Tell the log what is wrong with lessons, by file and line."""
    for problem in check_lessons(FOLDER, GRAMMAR, cache(facts_of_id)):
        logging.getLogger("aecore.lessons").warning("lesson %s", problem)


def after(lesson: Lesson) -> Lesson | None:
    """The lesson that comes next."""
    found = [each for each in lessons()[0] if (each.order, each.name) > (lesson.order, lesson.name)]
    return found[0] if found else None
