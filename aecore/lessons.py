"""Lessons: Markdown files with a YAML head, read, checked, and filled with measured figures.

The head says what each step shows and asks; below it each step has a section of words. What is wrong in a file is told
with its line, all at once. No text of a lesson holds a figure: it names one of the head's, which is looked up in the
evaluation of a run.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from aecore.folders import SHIPPED, folder_of, own_runs, run_folders
from aecore.measure.metrics import written
from aecore.recipes import RECIPES
from aecore.runs import Checkpoint
from aecore.store import store_at

Facts = Callable[[str], Mapping[str, Any]]
"""Id of a run -> its settings under "run", and the parts of its evaluation."""


class Problem(NamedTuple):
    """What is wrong in a lesson, and where."""

    file: str
    line: int
    words: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.words}"


class BrokenLesson(ValueError):
    """A lesson that cannot be played; `problems` says why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class Grammar(NamedTuple):
    """What the app can show: page -> key of its address -> how its word is read; page -> its parts."""

    keys: Mapping[str, Mapping[str, Callable[[str], Any]]]
    parts: Mapping[str, Collection[str]]


class Choice(NamedTuple):
    """An answer: its figure, where figures are compared, or the range [low, high) of the figure that makes it right."""

    say: str
    figure: str = ""
    low: float = float("-inf")
    high: float = float("inf")


@dataclass(frozen=True)
class Question:
    """A question with choices. right: "largest" or "smallest" of their figures; else the range that `figure` is in.

    form: how that figure is written, one of FORMS; empty for the usual way.
    """

    ask: str
    choices: tuple[Choice, ...]
    right: str = ""
    figure: str = ""
    form: str = ""


@dataclass(frozen=True)
class Point:
    """A question that is answered on the map: where is the image of this row? Right within so many units of it."""

    ask: str
    row: int
    within: float


@dataclass(frozen=True)
class Step:
    """What is seen (a page, its parts, a run, the values of its address), what can be moved, what is asked and told.

    after: parts that are seen after the guess only, because they hold the answer.
    """

    title: str
    page: str
    run: str
    view: Mapping[str, Any]
    show: tuple[str, ...]
    after: tuple[str, ...]
    controls: tuple[str, ...]
    question: Question | None
    point: Point | None
    text: str
    reveal: str


@dataclass(frozen=True)
class Lesson:
    """A lesson; figures: the name of each -> where it is looked up."""

    name: str
    title: str
    about: str
    order: float
    steps: tuple[Step, ...]
    figures: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str, facts: Facts) -> float | None:
        """A figure, as it was measured; None where it was not. Raises LookupError where there can be none."""
        if found := COMBINED.fullmatch(self.figures[name]):
            first, sign, second = found.groups()
            a, b = self.value(first, facts), self.value(second, facts)
            if a is None or b is None:
                return None
            return a - b if sign == "-" else a / b if b else None
        return _looked_up(self.figures[name], facts)

    def written(self, name: str, facts: Facts, form: str = "") -> str:
        """The same as people read it."""
        value = self.value(name, facts)
        if value is None:
            return "(not measured)"
        if form:
            return FORMS[form](value)
        combined = COMBINED.fullmatch(self.figures[name])
        if combined and combined[2] == "/":
            return FORMS["times" if value >= 1 else "percent"](value)
        path = self.figures[combined[1] if combined else name]
        return written(path.split("/")[-1], value)

    def filled(self, text: str, facts: Facts) -> str:
        """A text with its figures."""
        return VARIABLE.sub(lambda found: self.written(found[1], facts, found[2] or ""), text)

    def right(self, question: Question, facts: Facts) -> int | None:
        """The place of the right choice, by what was measured; None where that is not known."""
        if question.right:
            values = [self.value(choice.figure, facts) for choice in question.choices]
            if None in values:
                return None
            return values.index(max(values) if question.right == "largest" else min(values))
        value = self.value(question.figure, facts)
        fits = [value is not None and choice.low <= value < choice.high for choice in question.choices]
        return fits.index(True) if any(fits) else None


FORMS: dict[str, Callable[[float], str]] = {
    "percent": lambda value: f"{value:.0%}" if value >= 0.01 else f"{value:.1%}",
    "times": lambda value: f"{value:.2g}" if value < 10 else f"{value:,.0f}",
    "whole": lambda value: f"{value:,.0f}",
}
"""How a figure can be written: {accuracy:percent} in a text, accuracy:percent in a question."""
VARIABLE = re.compile(r"\{(\w+)(?::(\w+))?\}")
COMBINED = re.compile(r"(\w+) ([/-]) (\w+)")


def facts_of(checkpoint: Checkpoint, parts: Mapping[str, Any]) -> dict[str, Any]:
    """What lessons can say of a run: the numbers of its settings and its images under "run", and its evaluation."""
    channels, height, width = checkpoint.network.shape
    settings = checkpoint.run.to_dict()
    settings |= settings.pop("model") | {"pixels": channels * height * width, "side": height}
    return {"run": {name: value for name, value in settings.items() if isinstance(value, int | float)}} | parts


def facts_of_id(run: str) -> dict[str, Any]:
    """The same of a run by its id, from the store."""
    from aecore.measure.evaluate import measured

    store = store_at(folder_of(run))
    return facts_of(store.load(run), measured(store, run).get("parts", {}))


def known_runs() -> dict[str, str]:
    """Id of every run that a lesson can name, by its id and by the name of its recipe."""
    ids = {path.name for root in (SHIPPED, own_runs()) for path in run_folders(root)}
    recipes = {name: recipe.run.id for name, recipe in RECIPES.items() if recipe.run.id in ids}
    return {id: id for id in ids} | recipes


def lesson_names(folder: Path) -> list[str]:
    """Names of all lessons of a folder, those that cannot be played, too."""
    return sorted(path.stem for path in folder.glob("*.md"))


def _looked_up(path: str, facts: Facts) -> float | None:
    run, *keys = path.split("/")
    ids = known_runs()
    if run not in ids:
        raise LookupError(f"there is no run {run!r}")
    found: Any = facts(ids[run])
    for place, key in enumerate(keys):
        if place == 1 and "rows" in found:
            found = found["rows"]
        if key not in found:
            if place == 0:
                return None  # this part has not been measured
            raise LookupError(f"{'/'.join([run, *keys[:place]])} has no {key!r}; it has {', '.join(map(str, found))}")
        found = found[key]
        if found is None:
            raise LookupError(f"{'/'.join([run, *keys[: place + 1]])} does not apply to this run")
        if not isinstance(found, dict):
            break
    if not isinstance(found, int | float) or place < len(keys) - 1:
        raise LookupError(f"{path} is not one number")
    return float(found) if not isinstance(found, int) else found
