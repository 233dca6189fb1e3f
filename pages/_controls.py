"""Controls that are handed their value from the view and hand changes back: the name of each is its parameter's.

Each is told its value twice: through the session, which moves a control that is on screen, and as its default. When the
next run of a page overtakes a message on its way, the first is lost; the control would come up at its lowest value, and
hand that back as if the visitor had chosen it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from pages import _view
from pages._words import plain

Scope = _view.Scope


def segments(
    name: str, label: str, options: Mapping[Any, str] | Sequence[Any], default: Any, scope: Scope = (), **look: Any
) -> Any:
    """One of a few, side by side; options by their key, with the words on screen."""
    value = _hand(name, default, scope, lambda value: value in options)
    _draw(
        st.segmented_control, name, scope, default, label, list(options), default=value, required=True,
        format_func=_words(options), **look,
    )  # fmt: skip
    return value


def choice(
    name: str, label: str, options: Mapping[Any, str] | Sequence[Any], default: Any, scope: Scope = (), **look: Any
) -> Any:
    """One of many, in a list."""
    value = _hand(name, default, scope, lambda value: value in options)
    place = list(options).index(value) if value in options else 0
    _draw(st.selectbox, name, scope, default, label, list(options), place, format_func=_words(options), **look)
    return value


def several(name: str, label: str, options: Mapping[str, str], default: list[str], scope: Scope, **look: Any) -> Any:
    """Any of a few, as pills."""
    value = [key for key in _view.get(name, default, scope) if key in options]
    _give(name, value, [options[key] for key in value])
    _draw(
        st.pills, name, scope, default, label, list(options), default=value, selection_mode="multi",
        format_func=lambda key: plain(options[key]), **look,
    )  # fmt: skip
    return value


def many(name: str, label: str, options: Mapping[str, str], most: int, **look: Any) -> list[str]:
    """Any of many, at most so many, in a list; at first none."""
    value = [key for key in _view.get(name, []) if key in options][:most]
    _give(name, value, [options[key] for key in value])
    _draw(
        st.multiselect, name, (), [], label, list(options), value, format_func=options.get, max_selections=most, **look
    )
    return value


def number(
    name: str, label: str, low: float | None, high: float | None, default: float, scope: Scope = (), **look: Any
) -> Any:
    """A number in a field; whole where its default is whole."""
    value = _hand(name, default, scope, lambda value: _within(value, low, high, default), type(default))
    value = type(default)(value)
    _draw(st.number_input, name, scope, default, label, low, high, value, **look)
    return value


def slider(
    name: str, label: str, low: float, high: float, default: float, step: Any = None, scope: Scope = (), **look: Any
) -> Any:
    """A number on a line; whole where its default is whole."""
    value = _hand(name, default, scope, lambda value: _within(value, low, high, default), type(default))
    value = type(default)(value)
    _draw(st.slider, name, scope, default, label, low, high, value, step, **look)
    return value


def stops(name: str, label: str, options: Mapping[Any, str], default: Any, scope: Scope = (), **look: Any) -> Any:
    """One of many in their order, on a line."""
    value = _hand(name, default, scope, lambda value: value in options)
    _draw(st.select_slider, name, scope, default, label, list(options), value, format_func=options.get, **look)
    return value


def toggle(name: str, label: str, default: bool, scope: Scope = (), **look: Any) -> bool:
    """Yes or no."""
    value = _hand(name, default, scope, lambda value: value in (True, False))
    _draw(st.toggle, name, scope, default, label, value, **look)
    return value


def tabs(name: str, options: Mapping[str, str]) -> tuple[str, Sequence[Any]]:
    """The key of the open tab, and all tabs; only the open one needs to be drawn."""
    keys, first = list(options), next(iter(options))
    value = _hand(name, first, (), lambda value: value in options, options.get)

    def changed() -> None:
        label = st.session_state.get(name)
        _view.put(name, next((key for key in keys if options[key] == label), first), (), first, page)

    page = _view.page()
    return value, st.tabs(list(options.values()), key=name, on_change=changed)


def _hand(
    name: str, default: Any, scope: Scope, fits: Callable[[Any], bool], shown: Callable[[Any], Any] = lambda key: key
) -> Any:
    """The value of the view, given to the control of this name; the default where the value does not fit."""
    value = _view.get(name, default, scope)
    if value != default and not fits(value):
        value = default
        _view.put(name, None, scope)
    _give(name, shown(value))
    return value


def _give(name: str, shown: Any, words: Any = None) -> None:
    """Hand a control its value, where the page has it."""
    if _view.shows(name):
        _view.hand(name, shown, words)


def _draw(control: Callable[..., Any], name: str, scope: Scope, default: Any, /, *given: Any, **look: Any) -> None:
    """Draw a control, where the page has it: a lesson shows few, and the others have their values all the same."""
    if _view.shows(name):
        control(*given, key=name, on_change=_changed, args=(_view.page(), name, scope, default), **look)


def _changed(page: str, name: str, scope: Scope, default: Any) -> None:
    if name in st.session_state:
        _view.put(name, st.session_state[name], scope, default, page)


def _within(value: Any, low: float | None, high: float | None, default: float) -> bool:
    kind = int if isinstance(default, int) else (int, float)
    return isinstance(value, kind) and (low is None or value >= low) and (high is None or value <= high)


def _words(options: Mapping[Any, str] | Sequence[Any]) -> Callable[[Any], str]:
    return options.get if hasattr(options, "get") else str
