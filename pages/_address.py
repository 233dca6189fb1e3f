"""What stands in the address of each page: the names, and how the word of each is read and written."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

NOBODYS = {"reset", "present", "deck", "slide", "lesson", "embed", "embed_options"}
"""Parameters that belong to no page."""


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


def parameters(page: str) -> dict[str, Parameter]:
    """What is in the address of a page, by name."""
    return PARAMETERS.get(page, {"run": _text(120)})


def known(page: str, name: str) -> Parameter | None:
    """The parameter of this name; None where the page has none. On Train, any name may be a knob's."""
    return parameters(page).get(name) or (_any_number() if page == "train" and name not in NOBODYS else None)


def reader(page: str, name: str) -> Callable[[str], Any] | None:
    """How the word of a parameter is read; None where the page has none of this name."""
    parameter = known(page, name)
    return parameter.read if parameter else None


def words_of(page: str, values: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of an address that shows these values of a page, and for the rest its opening view."""
    return {name: known(page, name).write(value) for name, value in values.items() if value is not None}
