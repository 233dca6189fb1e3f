"""The lessons: their files, their figures, their words."""

import re
from functools import cache
from pathlib import Path

import pytest

from aecore.lesson_files import check_lessons, read_lesson
from aecore.lessons import FORMS, VARIABLE, BrokenLesson, Lesson, lesson_names
from aecore.lessons import facts_of_id as measured
from pages._syllabus import FOLDER, GRAMMAR

facts_of_id = cache(measured)
LESSONS = {name: read_lesson(FOLDER / f"{name}.md", GRAMMAR) for name in lesson_names(FOLDER)}
each_lesson = pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)

BROKEN = """---
title: A lesson
abuot: Its key is wrong.
about: A sentence.
figures:
  error: no-such-run/reconstruction/code/MSE
  wrong: blocks-map/reconstruction/code/nothing
steps:
  - view: {page: manifold, run: no-such-run, mode: sideways}
    show: statue
    controls: [wheel]
---

## One

It has an error of {eror}.
"""


def texts(lesson: Lesson) -> list[str]:
    """All that a lesson says, with its figures still in braces."""
    said = [lesson.title, lesson.about]
    for step in lesson.steps:
        said += [step.title, step.text, step.reveal]
        said += [step.question.ask, *(choice.say for choice in step.question.choices)] if step.question else []
        said += [step.point.ask] if step.point else []
    return [text for text in said if text]


def sentences(text: str) -> list[str]:
    plain = re.sub(r"[*_`]", "", VARIABLE.sub("seven", text))
    return [part for part in re.split(r"(?<=[.?!:])\s+|\n\n|\n- ", plain) if part.strip()]


def reading_ease(said: list[str]) -> float:
    """Flesch's: from 100, very easy, down to 0; groups of vowels count as syllables."""
    words = re.findall(r"[A-Za-z]+", " ".join(said))
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"e$", "", word.lower())))) for word in words)
    return 206.835 - 1.015 * len(words) / len(said) - 84.6 * syllables / len(words)


def test_nothing_is_wrong_with_a_lesson() -> None:
    assert check_lessons(FOLDER, GRAMMAR, facts_of_id) == []


def test_what_is_wrong_is_named_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "odd.md").write_text(BROKEN)
    told = [str(problem) for problem in check_lessons(tmp_path, GRAMMAR, facts_of_id)]
    for line, words in (
        (3, "unknown key 'abuot'"), (6, "no run 'no-such-run'"), (7, "has no 'nothing'; it has MSE, nats"),
        (9, "no run 'no-such-run'"), (9, "mode cannot be 'sideways'"), (10, "unknown part 'statue'"),
        (11, "unknown control 'wheel'"), (16, "no figure 'eror'"),
    ):  # fmt: skip
        assert any(each.startswith(f"odd.md, line {line}: ") and words in each for each in told), (line, words, told)


@pytest.mark.parametrize("text", ["", "# Words", "---\nsteps: [\n---\n", "---\n- 1\n---\n", "---\n---\n"])
def test_what_is_no_lesson_is_told_too(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.md").write_text(text)
    with pytest.raises(BrokenLesson, match=r"odd\.md, line \d+: "):
        read_lesson(tmp_path / "odd.md", GRAMMAR)


@pytest.mark.parametrize(("share", "said"), [(0.0008, "0.1%"), (0.0066, "0.7%"), (0.024, "2%"), (1.0, "100%")])
def test_a_share_that_is_small_is_not_written_as_none(share: float, said: str) -> None:
    assert FORMS["percent"](share) == said


@each_lesson
def test_no_figure_is_typed_by_hand(lesson: Lesson) -> None:
    for text in texts(lesson):
        assert not re.search(r"\d", VARIABLE.sub("", text)), text


@each_lesson
def test_every_question_has_one_right_answer_by_what_was_measured(lesson: Lesson) -> None:
    for step in lesson.steps:
        if step.question:
            assert lesson.right(step.question, facts_of_id) is not None, step.question.ask
        assert "(not measured)" not in lesson.filled(step.text + step.reveal, facts_of_id)


@each_lesson
def test_its_sentences_are_short(lesson: Lesson) -> None:
    said = [sentence for text in texts(lesson) for sentence in sentences(text)]
    print(f"{lesson.name}: reading ease {reading_ease(said):.0f}")
    for sentence in said:
        assert len(sentence.split()) <= 25, sentence
