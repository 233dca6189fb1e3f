"""A guess before the answer: asked, kept in the address, and compared with what was measured."""

from typing import Any

import numpy as np
import streamlit as st

from aecore.charts import guessed
from aecore.lessons import Lesson, Step
from pages import _syllabus, _view
from pages._view import View
from pages._widgets import plot
from pages.acts.stage import truth


def guessed_at(lesson: Lesson, step: int) -> tuple[float, ...]:
    """What was guessed at a step; empty before."""
    return _view.get("guesses", {}).get((lesson.name, step), ())


def _keep(lesson: Lesson, step: int, guess: tuple[float, ...]) -> None:
    """Keep a guess of a step; an empty one takes it back."""
    here = (lesson.name, step)
    kept = {place: found for place, found in _view.get("guesses", {}).items() if place != here}
    _view.put("guesses", kept | ({here: guess} if guess else {}), (), {})


def choose(lesson: Lesson, step: Step, number: int) -> None:
    """The choices of a question; after the guess, the figures they are about, and the answer."""
    question = step.question
    st.markdown(f"**{question.ask}**")
    guess = guessed_at(lesson, number)
    if len(guess) != 1 or guess[0] not in range(len(question.choices)):
        for place, choice in enumerate(question.choices):
            st.button(choice.say, key=f"choice-{place + 1}", width="stretch", on_click=_keep,
                      args=(lesson, number, (float(place),)))  # fmt: skip
        return
    place, right = int(guess[0]), lesson.right(question, _syllabus.facts)
    _verdict(question.choices[place].say, None if right is None else place == right)
    if question.right and right is not None:
        rows = [
            (choice.say, lesson.value(choice.figure, _syllabus.facts), lesson.written(choice.figure, _syllabus.facts))
            for choice in question.choices
        ]
        plot(
            guessed(rows, right, place),
            letters=0.95,
            height=40 * len(rows) + 10,
            alt="What was measured for each choice",
        )
        st.caption(f"The {question.right} number is the answer.")
    elif right is not None:
        measured = lesson.written(question.figure, _syllabus.facts, question.form)
        st.markdown(f"Measured: **{measured}**. {question.choices[right].say}.")
    _tell(lesson, step, number)


def point(lesson: Lesson, step: Step, number: int, view: View) -> dict[str, Any]:
    """The place that is guessed on the map; after the guess the right one, and how far it is; returns their marks."""
    st.markdown(f"**{step.point.ask}**")
    guess = guessed_at(lesson, number)
    if len(guess) != 2:
        here = tuple(float(_view.get(axis, 0.0, (view.run,))) for axis in "xy")
        st.caption("Press the map, or type the place. Then:")
        st.button("This is my guess", key="choice-1", width="stretch", on_click=_keep, args=(lesson, number, here))
        return {"place": list(here)}
    right = truth(view, step.point.row)
    off = float(np.linalg.norm(right - np.array(guess)))
    _verdict(f"{off:.2f} away from the right place", off <= step.point.within)
    _tell(lesson, step, number)
    return {"path": [list(guess), right.tolist()], "place": right.tolist()}


def _verdict(guess: str, right: bool | None) -> None:
    words = {True: "Right", False: "Not quite", None: "This has not been measured on this server"}[right]
    st.markdown(f"**{words}.** Your guess: {guess}.")


def _tell(lesson: Lesson, step: Step, number: int) -> None:
    st.markdown(lesson.filled(step.reveal, _syllabus.facts))
    st.button("Guess again", key="guess-again", type="tertiary", on_click=_keep, args=(lesson, number, ()))
