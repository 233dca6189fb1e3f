"""A lesson: one act a step, a question, and what was measured."""

import streamlit as st

from aecore.lessons import BrokenLesson
from aecore.store import DamagedRun
from pages import _cached, _syllabus, _view
from pages._address import PARAMETERS, words_of
from pages._widgets import PAGES, go, need_dataset
from pages._words import sentence
from pages.acts import guess, stage
from pages.components.keys import keys

WIDE = 130  # pixels of the button that leads on, whatever it says: so the next press is at the same place


def move(name: str, step: int) -> None:
    """Go to a step; what was changed stays as it is, unless the step says how it begins."""
    now = _syllabus.lesson(name)
    other = name != _view.get("name")
    _view.forget(PARAMETERS["lesson"] if other else now.steps[step - 1].view)
    _view.put("name", name)
    _view.put("step", step, default=1)


name = _view.get("name", "")
try:
    lesson = _syllabus.lesson(name)
except KeyError:
    st.title("There is no such lesson")
    st.write("Choose one from the list.")
    st.page_link(PAGES / "lessons.py", label="All lessons")
    _view.stop()
except BrokenLesson as error:
    st.title("This lesson cannot be played yet")
    st.write("Its file has to be mended first:")
    for problem in error.problems:
        st.text(str(problem))
    _view.stop()

count = len(lesson.steps)
number = min(_view.get("step", 1), count)
step = lesson.steps[number - 1]
_view.open_on(step.view, step.controls)
left = _view.get("left", {})
if left.get(name) != count:  # who goes through it once more has read it to its end all the same
    _view.put("left", {**left, name: number})
after = _syllabus.after(lesson)

with st.container(horizontal=True, vertical_alignment="center", key="lesson-head"):
    st.page_link(PAGES / "lessons.py", label="All lessons", width="content")
    next_one = f" · next lesson: {after.title}" if number == count and after else ""
    st.caption(f"{lesson.title} · step {number} of {count}{next_one}", width="stretch")
    st.button("Back", key="lesson-back", disabled=number == 1, on_click=move, args=(name, number - 1),
              help="Or the left arrow key.")  # fmt: skip
    if number < count:
        st.button("Next", key="lesson-next", type="primary", width=WIDE, on_click=move, args=(name, number + 1),
                  help="Or the right arrow key.")  # fmt: skip
    elif after:
        st.button("Next lesson", key="lesson-next", type="primary", width=WIDE, on_click=move, args=(after.name, 1))
    elif st.button("All lessons", key="lesson-end", type="primary", width=WIDE):  # the press that led here was of Next
        go("lessons")
choices = [f"choice-{place}" for place in range(1, 6)]
keys(
    "lesson",
    {"ArrowLeft": "lesson-back", "ArrowRight": "lesson-next" if number < count or after else "lesson-end"}
    | {key[-1]: key for key in choices},
    dict.fromkeys(choices, "guess-again") | {"guess-again": "choice-1"},
)

shown, told = st.columns([3, 2], gap="large")
with told, st.container(key="lesson-words"):
    st.title(step.title)
    st.markdown(lesson.filled(step.text, _syllabus.facts))
    if step.question:
        guess.choose(lesson, step, number)
    asked = st.container()
    words = words_of(step.page, {**step.view, "run": step.run}) | {"lesson": f"{name}.{number}"}
    st.page_link(PAGES / f"{step.page}.py", label=f"Open in {step.page.capitalize()}", query_params=words)
with shown:
    try:
        view = _cached.newest(step.run)
        need_dataset(_cached.checkpoint(view).run.dataset)
    except DamagedRun as error:
        st.text(sentence(error))
        _view.stop()
    marks = {}
    if step.point:
        with asked:
            marks = guess.point(lesson, step, number, view)
    parts = step.show + (step.after if guess.guessed_at(lesson, number) else ())
    if parts:
        stage.play(step.page, view, parts, marks)
    else:
        st.caption("Guess first: what was measured is shown after that.")
