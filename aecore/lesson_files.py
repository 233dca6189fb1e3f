"""Reading a lesson's file: a YAML head between two lines of three hyphens, and below it a section for each step."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from aecore.lessons import (
    COMBINED,
    FORMS,
    VARIABLE,
    BrokenLesson,
    Choice,
    Facts,
    Grammar,
    Lesson,
    Point,
    Problem,
    Question,
    Step,
    known_runs,
)

REVEAL = "### Reveal"
"""The line below which a section says what is told after the guess."""
RUNS = ("run", "compare", "sweep")
"""Keys of a view that name runs: by id, or by the name of a recipe; several with ~ between them."""


class Section(NamedTuple):
    """The words of a step: its heading, what comes before the guess and after it, and the line of the heading."""

    title: str
    text: str
    reveal: str
    line: int


def read_lesson(path: Path, grammar: Grammar, facts: Facts | None = None) -> Lesson:
    """A lesson from its file; with `facts`, it is checked that there is each figure, too.

    Raises BrokenLesson with everything that is wrong.
    """
    try:
        return _Reader(path, grammar).lesson(facts)
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenLesson([Problem(path.name, 1, f"the file cannot be read: {error}")]) from None


def check_lessons(folder: Path, grammar: Grammar, facts: Facts) -> list[Problem]:
    """What is wrong in the lessons of a folder."""
    found = []
    for path in sorted(folder.glob("*.md")):
        try:
            read_lesson(path, grammar, facts)
        except BrokenLesson as error:
            found += error.problems
    return found


class _Reader:
    """Reads one file; what is wrong is noted, and reading goes on."""

    def __init__(self, path: Path, grammar: Grammar) -> None:
        self.path, self.grammar = path, grammar
        self.problems: list[Problem] = []
        self.runs = known_runs()
        self.lines = path.read_text(encoding="utf-8").splitlines()

    def wrong(self, line: int, words: str) -> None:
        self.problems.append(Problem(self.path.name, line, words))

    def lesson(self, facts: Facts | None) -> Lesson:
        head, body = self.parts()
        known = self.mapping(head, ("title", "about", "order", "figures", "steps"), ("title", "about", "steps"))
        given = known.get("figures")
        places = self.mapping(given) if given else {}
        figures = {name: self.text(node) for name, node in places.items()}
        nodes = self.items(known.get("steps"))
        if len(nodes) != len(body):
            line = body[-1].line if body else len(self.lines)
            self.wrong(line, f"the head has {len(nodes)} steps, the text {len(body)} sections (## Title); give as many")
        steps = [self.step(node, section, figures) for node, section in zip(nodes, body, strict=False)]
        for section in body:
            self.variables(section, figures)
        order = self.number(known["order"]) if "order" in known else 1e9
        found = Lesson(
            self.path.stem, self.text(known.get("title")), self.text(known.get("about")), order,
            tuple(steps), figures,
        )  # fmt: skip
        for name, path in figures.items():
            self.figure(found, name, path, self.line(places[name]), facts)
        if self.problems:
            raise BrokenLesson(sorted(self.problems, key=lambda problem: problem.line))
        return found

    def parts(self) -> tuple[yaml.Node | None, list[Section]]:
        """The head as nodes, and the sections below it."""
        ends = [number for number, line in enumerate(self.lines) if line.rstrip() == "---"]
        if len(ends) < 2 or ends[0] != 0:
            self.wrong(1, "a lesson begins with its head, between two lines of ---")
            raise BrokenLesson(self.problems)
        try:
            head = yaml.compose("\n".join(self.lines[1 : ends[1]]), Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.wrong(mark.line + 2 if mark else 1, f"this is not YAML: {error.problem or error.context}")
            raise BrokenLesson(self.problems) from None
        return head, list(self.sections(ends[1] + 1))

    def sections(self, start: int) -> list[Section]:
        found: list[tuple[str, int, list[str], list[str]]] = []
        for number, line in enumerate(self.lines[start:], start + 1):
            if line.startswith("## "):
                found.append((line[3:].strip(), number, [], []))
                words = found[-1][2]
            elif not found:
                if line.strip():
                    self.wrong(number, "words before the first section; begin each step with ## Title")
                    break
            elif line.rstrip() == REVEAL:
                words = found[-1][3]
            else:
                words.append(line)
        return [
            Section(title, "\n".join(text).strip(), "\n".join(told).strip(), line) for title, line, text, told in found
        ]

    def step(self, node: yaml.Node, section: Section, figures: Mapping[str, str]) -> Step:
        known = self.mapping(node, ("view", "show", "after", "controls", "question", "point"), ("view",))
        page, run, view = self.view(known.get("view"))
        keys = self.grammar.keys.get(page, {})
        show = self.names(known.get("show"), self.grammar.parts.get(page, ()), "part")
        after = self.names(known.get("after"), self.grammar.parts.get(page, ()), "part")
        if not show and not after:
            self.wrong(self.line(node), "'show' is missing")
        if after and "question" not in known:
            self.wrong(self.line(known["after"]), "'after' needs a question: it names what is seen after the guess")
        controls = self.names(known.get("controls"), keys, "control")
        question = self.question(known["question"], figures) if "question" in known else None
        point = self.point(known["point"]) if "point" in known else None
        if bool(question or point) != bool(section.reveal):
            missing = f"{REVEAL} is missing below" if question or point else f"{REVEAL} needs a question in the head"
            self.wrong(section.line, f"{missing}: {section.title}")
        return Step(
            section.title, page, run, view, show, after, controls, question, point, section.text, section.reveal
        )

    def view(self, node: yaml.Node | None) -> tuple[str, str, dict[str, Any]]:
        """Page, run, and the values of the page's address."""
        given = self.mapping(node) if node else {}
        pages = list(self.grammar.parts)
        page = self.text(given.pop("page", None))
        if page not in pages:
            self.wrong(self.line(node), f"the page is {page!r}; choose one of {', '.join(pages)}")
            return "", "", {}
        keys, found = self.grammar.keys[page], {}
        for key, value in given.items():
            if key not in keys:
                self.wrong(self.line(value), f"the page {page} has no {key!r}; it has {', '.join(keys)}")
                continue
            word = self.text(value)
            if key in RUNS:
                word = "~".join(self.run(part, value) for part in word.split("~"))
            try:
                found[key] = keys[key](word)
            except (ValueError, KeyError, OverflowError):
                self.wrong(self.line(value), f"{key} cannot be {word!r} on the page {page}")
        run = found.pop("run", "")
        if "run" not in given:
            self.wrong(self.line(node), "the view names no run")
        return page, run, found

    def run(self, name: str, node: yaml.Node) -> str:
        if name not in self.runs:
            self.wrong(self.line(node), f"there is no run {name!r}; `python -m aecore runs` lists all runs")
        return self.runs.get(name, "")

    def question(self, node: yaml.Node, figures: Mapping[str, str]) -> Question:
        known = self.mapping(node, ("ask", "choices", "right", "figure"), ("ask", "choices"))
        right, (figure, _, form) = self.text(known.get("right")), self.text(known.get("figure")).partition(":")
        if (right in ("largest", "smallest")) == bool(figure):
            self.wrong(self.line(node), "a question has either right: largest or smallest, or the figure that decides")
        if figure:
            self.known(figure, figures, self.line(known["figure"]))
        self.form(form, self.line(node))
        choices = tuple(self.choice(item, figures, bool(figure)) for item in self.items(known.get("choices")))
        if not 2 <= len(choices) <= 5:
            self.wrong(self.line(node), f"a question has two to five choices, not {len(choices)}")
        return Question(self.text(known.get("ask")), choices, right, figure, form)

    def choice(self, node: yaml.Node, figures: Mapping[str, str], ranges: bool) -> Choice:
        known = self.mapping(node, ("say", "from", "to") if ranges else ("say", "figure"), ("say",))
        if ranges:
            low = self.number(known["from"]) if "from" in known else float("-inf")
            return Choice(
                self.text(known.get("say")), "", low, self.number(known["to"]) if "to" in known else float("inf")
            )
        figure = self.text(known.get("figure"))
        self.known(figure, figures, self.line(node))
        return Choice(self.text(known.get("say")), figure)

    def point(self, node: yaml.Node) -> Point:
        known = self.mapping(node, ("ask", "row", "within"), ("ask", "row", "within"))
        row, within = self.number(known.get("row")), self.number(known.get("within"))
        return Point(self.text(known.get("ask")), int(row), within)

    def known(self, name: str, figures: Mapping[str, str], line: int) -> None:
        if name not in figures:
            self.wrong(line, f"there is no figure {name!r} in the head; it has {', '.join(figures) or 'none'}")

    def variables(self, section: Section, figures: Mapping[str, str]) -> None:
        """The figures in the words of a section: are they in the head?"""
        for number, line in enumerate(self.lines[section.line - 1 :], section.line):
            if number > section.line and line.startswith("## "):
                break
            for found in VARIABLE.finditer(line):
                self.known(found[1], figures, number)
                self.form(found[2], number)

    def form(self, word: str | None, line: int) -> None:
        if word and word not in FORMS:
            self.wrong(line, f"a figure cannot be written as {word!r}, but as {', '.join(FORMS)}")

    def figure(self, lesson: Lesson, name: str, path: str, line: int, facts: Facts | None) -> None:
        """Where a figure is looked up: is there a run, and what was measured of it?"""
        if found := COMBINED.fullmatch(path):
            for part in (found[1], found[3]):
                self.known(part, lesson.figures, line)
            return
        run = path.split("/")[0]
        if run not in self.runs:
            self.wrong(line, f"there is no run {run!r}; `python -m aecore runs` lists all runs")
        elif facts:
            try:
                if lesson.value(name, facts) is None:
                    self.wrong(line, f"{path} has not been measured; `python -m aecore evaluate` does that")
            except LookupError as error:
                self.wrong(line, str(error.args[0]))

    # Nodes.

    def line(self, node: yaml.Node | None) -> int:
        return node.start_mark.line + 2 if node else 1

    def mapping(
        self, node: yaml.Node | None, allowed: Collection[str] = (), needed: Collection[str] = ()
    ) -> dict[str, yaml.Node]:
        """Key -> value; keys that are not allowed, come twice or are missing are noted."""
        if not isinstance(node, yaml.MappingNode):
            self.wrong(self.line(node), "here must be keys with their values")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self.text(key)
            if allowed and name not in allowed:
                self.wrong(self.line(key), f"unknown key {name!r}; known are {', '.join(allowed)}")
            elif name in found:
                self.wrong(self.line(key), f"{name!r} is there twice")
            else:
                found[name] = value
        for name in needed:
            if name not in found:
                self.wrong(self.line(node), f"{name!r} is missing")
        return found

    def items(self, node: yaml.Node | None) -> list[yaml.Node]:
        if node is not None and not isinstance(node, yaml.SequenceNode):
            self.wrong(self.line(node), "here must be a list")
            return []
        return node.value if node else []

    def text(self, node: yaml.Node | None) -> str:
        """A word as it stands there: no is no, and 0.50 is 0.50."""
        if node is not None and not isinstance(node, yaml.ScalarNode):
            self.wrong(self.line(node), "here must be a word or a number")
            return ""
        return node.value if node else ""

    def number(self, node: yaml.Node | None) -> float:
        word = self.text(node)
        if not re.fullmatch(r"-?\d+(\.\d+)?", word):
            if node is not None:
                self.wrong(self.line(node), f"here must be a number, not {word!r}")
            return 0.0
        return float(word)

    def names(self, node: yaml.Node | None, known: Collection[str], kind: str) -> tuple[str, ...]:
        """One name, or a list of them."""
        nodes = [node] if isinstance(node, yaml.ScalarNode) else self.items(node)
        for item in nodes:
            if known and self.text(item) not in known:
                self.wrong(self.line(item), f"unknown {kind} {self.text(item)!r}; known are {', '.join(known)}")
        return tuple(self.text(item) for item in nodes)
