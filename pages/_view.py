"""What a visitor looks at, and its only owner: reads the address, holds the view of every page, writes the address.

A view is a handful of named values: which run, which split, which row. The controls are handed these values and hand
changes back. What stands at its default is not held and not in the address, so an address tells what differs from the
opening view of its page.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from aecore.decks import LONGEST

Scope = tuple[Any, ...]
"""What a value belongs to. Another map has another selection, another set another row."""

NOBODYS = {"reset", "present", "deck", "slide", "lesson", "embed", "embed_options"}
"""Parameters that belong to no page."""

_NOT_KNOWN_YET = ("from the address",)
_STATE, _NEVER = "view", object()


class View(NamedTuple):
    """What is looked at: a run as it was at a stamp, a split of its images, and the way in which they are laid out.

    Where split or way do not matter they are empty. Streamlit's caches hash it as it is.
    """

    run: str
    stamp: str
    split: str = ""
    way: str = ""

    def at(self, split: str = "", way: str = "") -> "View":
        """The same run, with another split and way."""
        return View(self.run, self.stamp, split, way)

    def half(self, name: str) -> str:
        """The id of the "encoder" or the "decoder" of the run, in the browser."""
        return f"{self.run} {self.stamp} {name}"


class Parameter(NamedTuple):
    """One thing that is looked at: how its word in an address is read (ValueError: not at all) and written."""

    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    shared: bool = False


def _one_of(*keys: str) -> Parameter:
    def read(word: str) -> str:
        if word not in keys:
            raise ValueError(word)
        return word

    return Parameter(read)


def _whole(low: int = 0, high: int = 10**9) -> Parameter:
    def read(word: str) -> int:
        if len(word) > 12 or not low <= int(word) <= high:
            raise ValueError(word)
        return int(word)

    return Parameter(read)


def _real(low: float, high: float) -> Parameter:
    def read(word: str) -> float:
        number = float(word)
        if not low <= number <= high:  # false for nan, too
            raise ValueError(word)
        return number

    return Parameter(read, "{:.6g}".format)


def _flag() -> Parameter:
    return _one_of("yes", "no")._replace(read=lambda word: {"yes": True, "no": False}[word], write=_yes_or_no)


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def _text(most: int = 80) -> Parameter:
    return Parameter(lambda word: word[:most])


def _several() -> Parameter:
    """Words, none as a hyphen."""
    return Parameter(lambda word: [part[:120] for part in word.split("~") if part not in ("", "-")][:20], _joined)


def _joined(words: list[str]) -> str:
    return "~".join(words) or "-"


def _numbers() -> Parameter:
    """Numbers by their unit: 3:0.52~17:-1.2."""

    def read(word: str) -> dict[int, float]:
        pairs = [part.split(":") for part in word.split("~")]
        found = {int(unit): float(number) for unit, number in pairs}
        if not all(math.isfinite(number) and 0 <= unit < 10_000 for unit, number in found.items()):
            raise ValueError(word)
        return found

    return Parameter(read, lambda given: "~".join(f"{unit}:{number:.6g}" for unit, number in given.items()))


def _guesses() -> Parameter:
    """What was guessed in all lessons, by lesson and step: bottleneck.2:1~nonlinear.4:0.5,-1.2."""

    def read(word: str) -> dict[tuple[str, int], tuple[float, ...]]:
        found = {}
        for part in word[:4000].split("~"):
            place, _, guess = part.partition(":")
            lesson, _, step = place.rpartition(".")
            found[lesson, _whole(1, 99).read(step)] = tuple(_real(-1e6, 1e6).read(each) for each in guess.split(","))
        return found

    def write(guesses: dict[tuple[str, int], tuple[float, ...]]) -> str:
        return "~".join(
            f"{lesson}.{step}:{','.join(f'{number:.6g}' for number in guess)}"
            for (lesson, step), guess in guesses.items()
        )

    return Parameter(read, write)


def _steps() -> Parameter:
    """At which step each lesson was left: bottleneck.4~nonlinear.2."""

    def read(word: str) -> dict[str, int]:
        parts = [part.rpartition(".") for part in word[:2000].split("~")]
        return {lesson: _whole(1, 99).read(step) for lesson, _, step in parts}

    return Parameter(read, lambda left: "~".join(f"{lesson}.{step}" for lesson, step in left.items()))


def _any_number() -> Parameter:
    """A knob of a flavor or a run; its control knows what it may be."""

    def read(word: str) -> int | float | str:
        for kind in (int, float):
            try:
                number = kind(word[:24])
            except ValueError:
                continue
            if math.isfinite(number):
                return number
            raise ValueError(word)
        return word[:24]

    return Parameter(read, lambda value: f"{value:.6g}" if isinstance(value, float) else str(value))


_SPLIT = _one_of("train", "test")
_QUERY = {
    "source": _one_of("test", "train", "upload", "camera", "drawing")._replace(shared=True),
    "image": _whole()._replace(shared=True),
    "invert": _flag()._replace(shared=True),
}
PARAMETERS: dict[str, dict[str, Parameter]] = {
    "home": {"unit-1": _real(-2, 2), "unit-2": _real(-2, 2)},
    "train": {
        "run": _text(120), "recipe": _text(), "dataset": _text(), "flavor": _text(),
        "moment": _whole(), "log": _flag(), "compare": _several(), "form": _text(), "taken": _SPLIT,
        "upto": _whole(2, 16),
    },
    "images": {"set": _text(), "of": _SPLIT, "only": _text(6), "tag": _text(40), "from": _whole(), "row": _whole()},
    "manifold": {
        "run": _text(120), "mode": _one_of("images", "points", "decoder", "units"), "of": _SPLIT, "color": _text(),
        "tile": _whole(), "by": _one_of("pca", "tsne"), "row": _whole(), "area": _text(4000),
        "beside": _text(120), "beside-area": _text(4000),
        "tool": _one_of("image", "path", "selection", "dice", "trust"),
        "a": _whole(), "b": _whole(), "line": _one_of("straight", "slerp"), "frame": _real(1, 9),
        "x": _real(-1e6, 1e6), "y": _real(-1e6, 1e6), "units": _numbers(), "dice": _whole(0, 10_000),
        "sort": _one_of("activity", "variance", "purity", "number"), "unit": _whole(1, 10_000),
        "sheet": _whole(1, 1000),
    },
    "denoise": {
        "run": _text(120), **_QUERY, "noise": _text(), "level": _real(0, 1), "noise-seed": _whole(0, 10_000),
        "clip": _flag(), "repair": _text(120), "act": _one_of("again", "levels", "set"), "times": _whole(1, 10),
        "sweep": _several(),
    },
    "search": {
        "run": _text(120), **_QUERY, "gallery": _SPLIT, "space": _one_of("code", "whitened", "pixels", "map"),
        "metric": _text(), "k": _whole(1, 100), "examples": _text(600), "group": _whole(),
        "act": _one_of("scores", "duplicates", "outliers"), "near": _real(0, 1e6), "odd": _one_of("error", "far"),
    },
    "classify": {"run": _text(120), "labels": _whole(), "draw": _whole(0, 1000)},
    "lessons": {"left": _steps()._replace(shared=True), "guesses": _guesses()._replace(shared=True)},
}  # fmt: skip
"""page -> name -> what is in its address. Every other name on Train is a knob. A page that is not here has a run."""
PARAMETERS["lesson"] = {
    name: parameter._replace(shared=False)
    for page in ("train", "classify", "denoise", "search", "manifold")
    for name, parameter in PARAMETERS[page].items()
    if name != "run"
} | {"name": _text(), "step": _whole(1, 99), **PARAMETERS["lessons"]}
"""A lesson plays the parts of these pages, each at the values of its step; of "act" it shows what the step says."""


def _parameters(page: str) -> dict[str, Parameter]:
    return PARAMETERS.get(page, {"run": _text(120)})


def _known(page: str, name: str) -> Parameter | None:
    return _parameters(page).get(name) or (_any_number() if page == "train" and name not in NOBODYS else None)


@dataclass
class _Held:
    """The views of one visit: page -> (name, scope) -> value; "" holds what all pages share."""

    page: str = ""
    pick: str | None = None
    presenting: bool = False
    deck: str = ""
    slide: int = 1
    lesson: str = ""
    values: dict[str, dict[tuple[str, Scope], Any]] = field(default_factory=dict)
    scopes: dict[tuple[str, str], Scope] = field(default_factory=dict)
    handed: dict[str, Any] = field(default_factory=dict)
    drawn: set[str] = field(default_factory=set)
    whole: bool = True
    opening: Mapping[str, Any] = field(default_factory=dict)
    shown: Collection[str] | None = None

    def of(self, page: str, name: str) -> dict[tuple[str, Scope], Any]:
        return self.values.setdefault("" if _known(page, name).shared else page, {})


def _held() -> _Held:
    if _STATE not in st.session_state:
        st.session_state[_STATE] = _Held()
    return st.session_state[_STATE]


def enter(page: str) -> None:
    """Before a page is drawn: take what the address says where it was opened, followed, or walked back to.

    The menu leads to a page without parameters; there the page shows what it showed before.
    """
    if "reset" in st.query_params:
        reset()
    held, address = _held(), st.query_params.to_dict()
    walked = bool(get_script_run_ctx().is_history_navigation)
    first = not held.page
    if first or walked or (page != held.page and address):
        held.presenting |= address.get("present") == "1"
        _take_deck(address, walked)
        held.lesson = word if re.fullmatch(r"[\w-]{1,80}\.[1-9][0-9]?", word := address.get("lesson", "")) else ""
        _read(page, address)
        if "run" in address and "run" in _parameters(page) and page != "train" and (first or held.page == "train"):
            pick(address["run"])
    elif page != held.page:  # by the menu
        held.lesson = ""
    if page != held.page or not held.whole:  # a run that was cut off may have given values to controls it never drew
        held.page, held.handed = page, {}
    held.drawn, held.whole = set(), False
    held.opening, held.shown = {}, None
    write()


def _take_deck(address: Mapping[str, str], walked: bool) -> None:
    """The deck and the slide that an address says; who walks back to before the deck does not play it any more."""
    held, word = _held(), address.get("deck", "")
    if walked and held.deck and not word:
        present(False)
    if 0 < len(word) <= LONGEST:
        held.presenting, held.deck = True, word
        held.slide = int(slide) if re.fullmatch(r"[0-9]{1,3}", slide := address.get("slide", "")) else 1


def open_on(values: Mapping[str, Any], shown: Collection[str]) -> None:
    """Until the page ends, it opens on these values instead of its defaults, and has only the controls `shown`."""
    held = _held()
    held.opening, held.shown = values, shown


def shows(name: str) -> bool:
    """Whether the page has the control of this name: on most pages, each."""
    shown = _held().shown
    return shown is None or name in shown


def leave() -> None:
    """After a page is drawn: a control that was left out is new when it comes again."""
    held = _held()
    held.handed = {key: shown for key, shown in held.handed.items() if key in held.drawn}
    held.whole = True
    write()


def stop() -> NoReturn:
    """End a page early, as `st.stop` does; what the page shows is in the address all the same."""
    leave()
    st.stop()


def _read(page: str, address: Mapping[str, str]) -> None:
    held = _held()
    shared = held.values.setdefault("", {})
    for name, parameter in _parameters(page).items():
        if parameter.shared:
            for key in [key for key in shared if key[0] == name]:
                del shared[key]
    held.values[page] = {}
    for name, word in list(address.items())[:60]:
        parameter = _known(page, name[:40])
        if parameter is None:
            continue
        try:
            held.of(page, name[:40])[name[:40], _NOT_KNOWN_YET] = parameter.read(word)
        except (ValueError, KeyError, OverflowError):
            continue
    if held.pick and "run" in _parameters(page) and "run" not in address:
        held.values[page]["run", ()] = ""  # walked back to before the pick


def write() -> None:
    """Bring the address to what the page in front shows."""
    wanted = words(_held().page)
    if wanted != st.query_params.to_dict():
        st.query_params.from_dict(wanted)


def words(page: str) -> dict[str, str]:
    """The parameters that an address of the page as it is now has."""
    held, found = _held(), {}
    for place in (page, ""):
        for (name, scope), value in held.values.get(place, {}).items():
            parameter = _parameters(page).get(name) if place == "" else _known(page, name)
            if place == "" and not (parameter and parameter.shared):
                continue
            if parameter and scope in ((), _NOT_KNOWN_YET, held.scopes.get((page, name))):
                found[name] = parameter.write(value)
    if held.pick and "run" in _parameters(page):
        found.setdefault("run", held.pick)
    if held.presenting:
        found["present"] = "1"
    if held.deck:
        found |= {"deck": held.deck, "slide": str(held.slide)}
    if held.lesson and page not in ("lesson", "lessons"):
        found["lesson"] = held.lesson
    return {name: word for name, word in found.items() if word}


def reader(page: str, name: str) -> Callable[[str], Any] | None:
    """How the word of a parameter is read; None where the page has none of this name."""
    parameter = _known(page, name)
    return parameter.read if parameter else None


def words_of(page: str, values: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of an address that shows these values of a page, and for the rest its opening view."""
    return {name: _known(page, name).write(value) for name, value in values.items() if value is not None}


def link(page: str, **changes: Any) -> dict[str, str]:
    """The parameters of a link to a page: its view as it was left, but for these values; None for the default."""
    kept = {name: word for name, word in words(page).items() if name not in changes}
    return kept | words_of(page, changes)


def get(name: str, default: Any = None, scope: Scope = ()) -> Any:
    """A value of the page in front, or its default."""
    held = _held()
    values = held.of(held.page, name)
    held.scopes[held.page, name] = scope
    if (name, _NOT_KNOWN_YET) in values:
        values[name, scope] = values.pop((name, _NOT_KNOWN_YET))
    return values.get((name, scope), held.opening.get(name, default))


def put(name: str, value: Any, scope: Scope = (), default: Any = None, page: str | None = None) -> None:
    """Change a value; the default is not held."""
    held = _held()
    page = page or held.page
    values = held.of(page, name)
    values.pop((name, _NOT_KNOWN_YET), None)
    held.scopes[page, name] = scope
    if page == held.page:
        default = held.opening.get(name, default)
    if value is None or value == default:
        values.pop((name, scope), None)
    else:
        values[name, scope] = value
    if page == held.page and get_script_run_ctx().fragment_ids_this_run:  # the rest of the page does not run
        write()


def forget(names: Collection[str]) -> None:
    """These values of the page in front are at their defaults again, whatever they belong to."""
    values = _held().values.get(_held().page, {})
    for key in [key for key in values if key[0] in names]:
        del values[key]


def hand(key: str, value: Any, shown: Any = None) -> None:
    """Give the control with this key its value; before it is drawn. shown: its words on screen, where they can change.

    After a change of the page the session still knows the value of a control of the same name on the page before, and
    the new control does not: so it is given once in any case, and then only when it or its words differ, since that
    would take what the visitor is typing.
    """
    held = _held()
    held.drawn.add(key)
    if held.handed.get(key, _NEVER) != shown or key not in st.session_state or st.session_state[key] != value:
        held.handed[key] = shown
        st.session_state[key] = value


def page() -> str:
    """The page in front."""
    return _held().page


def picked() -> str | None:
    """The run that the visitor has chosen for all pages."""
    return _held().pick


def pick(run: str | None) -> None:
    """Choose a run for all pages that can show it; what one page was led to before is over."""
    held = _held()
    held.pick = run
    for values in held.values.values():
        for key in [key for key in values if key[0] == "run"]:
            del values[key]


def presenting() -> bool:
    """Whether pages are shown to a room: large, and without what is around them."""
    return _held().presenting


def letters() -> float:
    """Of the width of a large window, the share that the style sheets give to a letter: in `look`, or in `present`."""
    return 0.013 if presenting() else 0.007


def present(on: bool) -> None:
    """Begin or end that, on all pages; what is played ends with it."""
    held = _held()
    held.presenting, held.deck, held.slide = on, "", 1


def deck() -> tuple[str, int]:
    """The deck that is played, as its word in the address, empty for none; and the place of the slide, from 1."""
    return _held().deck, _held().slide


def lesson() -> dict[str, str]:
    """The parameters of the lesson from which the page in front was opened, at its step; empty where there is none."""
    held = _held()
    name, _, step = held.lesson.rpartition(".")
    return link("lesson", name=name, step=int(step)) if name and held.page not in ("lesson", "lessons") else {}


def play(deck: str, slide: int) -> None:
    """Be at a slide of a deck; the page that is led to next opens as its address says."""
    held = _held()
    held.presenting, held.deck, held.slide, held.page = True, deck, slide, ""


def reset() -> None:
    """Every page back to its opening view; what the visitor drew or uploaded is forgotten, too."""
    for key in [key for key in st.session_state if key != "visitor-token"]:
        del st.session_state[key]
    st.query_params.clear()
