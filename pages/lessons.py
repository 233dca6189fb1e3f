"""All lessons: the idea in small steps, each with a question before the answer."""

import streamlit as st

from pages import _syllabus, _view
from pages._widgets import PAGES
from pages._words import counted
from pages.acts.slides import offer

st.title("Lessons")
st.write("Each lesson takes a few minutes. Look, guess, and compare your guess with what was measured.")
lessons, broken = _syllabus.lessons()
left = _view.get("left", {})
with st.grid(3, min_column_width=260):
    for place, lesson in enumerate(lessons, start=1):
        with st.container(border=True, height="stretch"):
            words = _view.words("lessons") | {"name": lesson.name}
            count, step = len(lesson.steps), left.get(lesson.name, 1)
            if 1 < step < count:
                words["step"] = str(step)
            st.page_link(PAGES / "lesson.py", label=f"**{place}. {lesson.title}**", query_params=words)
            st.write(lesson.about)
            here = counted(count, "step") if step == 1 else f"At step {step} of {count}"
            st.caption("**Done**" if step >= count else here)
for error in broken:
    for problem in error.problems:
        st.text(f"This lesson cannot be played: {problem}")
offer()
