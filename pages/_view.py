"""What a visitor looks at, and its only owner: reads the address, holds the view of every page, writes the address.

A view is a handful of named values: which run, which split, which row. The controls are handed these values and hand
changes back. What stands at its default is not held and not in the address, so an address tells what differs from the
opening view of its page.
"""

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn
from urllib.parse import parse_qsl, urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from aecore.decks import LONGEST
from pages._address import known, parameters, words_of
from pages.components.progress import TOLD

Scope = tuple[Any, ...]
"""What a value belongs to. Another map has another selection, another set another row."""

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
    recalled: bool = False

    def of(self, page: str, name: str) -> dict[tuple[str, Scope], Any]:
        return self.values.setdefault("" if known(page, name).shared else page, {})


def _held() -> _Held:
    if _STATE not in st.session_state:
        st.session_state[_STATE] = _Held()
    return st.session_state[_STATE]


def enter(page: str, earlier: str = "") -> None:
    """Before a page is drawn: take what the address says where it was opened, followed, or walked back to.

    The menu leads to a page without parameters; there the page shows what it showed before. earlier: the `progress` of
    an earlier visit, from which this one goes on.
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
        if "run" in address and "run" in parameters(page) and page != "train" and (first or held.page == "train"):
            pick(address["run"])
    elif page != held.page:  # by the menu
        held.lesson = ""
    if not held.recalled:
        held.recalled = True
        _recall(earlier)
    if page != held.page or not held.whole:  # a run that was cut off may have given values to controls it never drew
        held.page, held.handed = page, {}
    held.drawn, held.whole = set(), False
    held.opening, held.shown = {}, None
    write()


def _recall(progress: str) -> None:
    """Know again what an earlier visit left of the lessons, but for what the address says by now."""
    shared = _held().values.setdefault("", {})
    for name, word in parse_qsl(progress):
        if parameter := parameters("lessons").get(name):
            with suppress(ValueError, KeyError, OverflowError):
                shared[name, _NOT_KNOWN_YET] = parameter.read(word) | shared.get((name, _NOT_KNOWN_YET), {})


def progress() -> str:
    """How far the visitor came in the lessons and what was guessed there, as it stands in an address."""
    return urlencode({name: word for name, word in words("lessons").items() if name in parameters("lessons")})


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
    for name, parameter in parameters(page).items():
        if parameter.shared:
            for key in [key for key in shared if key[0] == name]:
                del shared[key]
    held.values[page] = {}
    for name, word in list(address.items())[:60]:
        parameter = known(page, name[:40])
        if parameter is None:
            continue
        try:
            held.of(page, name[:40])[name[:40], _NOT_KNOWN_YET] = parameter.read(word)
        except (ValueError, KeyError, OverflowError):
            continue
    if held.pick and "run" in parameters(page) and "run" not in address:
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
            parameter = parameters(page).get(name) if place == "" else known(page, name)
            if place == "" and not (parameter and parameter.shared):
                continue
            if parameter and scope in ((), _NOT_KNOWN_YET, held.scopes.get((page, name))):
                found[name] = parameter.write(value)
    if held.pick and "run" in parameters(page):
        found.setdefault("run", held.pick)
    if held.presenting:
        found["present"] = "1"
    if held.deck:
        found |= {"deck": held.deck, "slide": str(held.slide)}
    if held.lesson and page not in ("lesson", "lessons"):
        found["lesson"] = held.lesson
    return {name: word for name, word in found.items() if word}


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
    """Every page back to its opening view; what the visitor drew, uploaded or guessed is forgotten."""
    for key in [key for key in st.session_state if key not in ("visitor-token", TOLD)]:
        del st.session_state[key]
    st.query_params.clear()
    st.session_state[_STATE] = _Held(recalled=True)
