"""Charts: the rows that they draw, and how."""

import json
from functools import partial
from typing import Any

import altair as alt
import numpy as np
import pytest

from aecore import charts
from aecore.manifold import bounds

HISTORY = [
    {"epoch": 0.0, "test": {"reconstruction": 0.5, "mse": 0.2}},
    {"epoch": 0.5, "reconstruction": 0.3, "test": {"reconstruction": 0.25, "mse": 0.1}},
    {"epoch": 1.0, "reconstruction": 0.2, "test": {"reconstruction": 0.0, "mse": 0.1}},
]
SWEEP = [
    {"name": name, "by": by, "level": level, "mean": 20.0 - level, "error": 0.5}
    for name, by in (("mine", "run"), ("median", "filter"))
    for level in (0.0, 0.5)
]
NOTHING = np.zeros(0, int)


def rows(chart: alt.Chart | alt.LayerChart, layer: int | None = None) -> list[dict[str, Any]]:
    """What a chart draws, or that one of its layers which has rows of its own."""
    spec = chart.to_dict()
    part = spec if layer is None else spec["layer"][layer]
    return spec["datasets"][part["data"]["name"]]


def test_curves_have_a_line_for_each_term_of_training_and_held_out_images() -> None:
    chart = charts.curves(HISTORY, cursor=0.5)
    assert {(row["images"], row["epoch"]): row["value"] for row in rows(chart)} == {
        ("held out", 0.0): 0.5,
        ("training", 0.5): 0.3,
        ("held out", 0.5): 0.25,
        ("training", 1.0): 0.2,
        ("held out", 1.0): 0.0,
    }
    assert rows(chart, 1) == [{"epoch": 0.5}]
    assert len(charts.curves(HISTORY).to_dict()["layer"]) == 1, "of a layer without data, vega would complain"
    clipped = [*HISTORY, {"epoch": 2.0, "clipped": 3, "test": {"mse": 0.1}}]
    assert rows(charts.curves(clipped), 1) == [{"epoch": 2.0, "clipped gradients": 3}]


def test_curves_beside_others_have_the_axes_and_colors_of_all() -> None:
    other = [{"epoch": 7.0, "kl": 3.0, "test": {"kl": 2.0, "mse": 0.1}}]
    for history in (HISTORY, other):
        encoding = charts.curves(history, beside=[HISTORY, other]).to_dict()["layer"][0]["encoding"]
        assert encoding["x"]["scale"]["domain"] == [0, 7.0]
        assert encoding["y"]["scale"]["domain"] == [0.0, 3.0]
        assert set(encoding["color"]["scale"]["domain"]) == {"reconstruction", "kl"}
        assert encoding["color"]["legend"]["columns"] == 1, "narrow charts cut the names of a second column"


@pytest.mark.parametrize("count", [0, 1, 2, 199, 200, 201, 1030])
def test_a_long_history_is_drawn_thinned_with_both_ends(count: int) -> None:
    history = [{"epoch": float(row), "test": {"reconstruction": 1.0, "mse": 1.0}} for row in range(count)]
    drawn = [row["epoch"] for row in rows(charts.curves(history))]
    assert drawn == sorted(set(drawn))
    assert drawn[:1] + drawn[-1:] == [float(row) for row in (0, count - 1) if count]
    assert len(drawn) == count if count < 400 else 200 <= len(drawn) <= 400


def test_a_log_axis_leaves_out_what_it_cannot_show() -> None:
    assert min(row["value"] for row in rows(charts.curves(HISTORY, log=True))) > 0


def test_a_tick_of_a_training_changes_the_rows_of_its_charts_and_nothing_else() -> None:
    """Then the browser puts the new rows into the chart that it has."""
    later = [*HISTORY, {"epoch": 1.5, "reconstruction": 0.1, "test": {"reconstruction": 0.1, "mse": 0.05}}]

    def small_map(history: list[dict[str, Any]]) -> alt.Chart:
        places = np.random.default_rng(0).random((5, 2)) ** len(history)
        return charts.small_map(places, bounds(places), ["a", "b", "a", "b", "c"], "class", ["a", "b", "c"])

    curves, overlay = partial(charts.curves, cursor=0.5), lambda history: charts.overlay({"a": history})
    for draw in (curves, overlay, small_map):
        specs = []
        for history in (HISTORY, later):
            spec = draw(history).to_dict()
            names = list(spec.pop("datasets"))
            text = json.dumps(spec)
            for number, name in enumerate(names):
                text = text.replace(name, str(number))
            specs.append(text)
        assert specs[0] == specs[1]


@pytest.mark.parametrize(("groups", "kind"), [(["a", "b", "a"], "nominal"), ([1.0, 2.5, 3.0], "quantitative")])
def test_a_small_map_colors_names_as_kinds_and_numbers_as_amounts(groups: list, kind: str) -> None:
    chart = charts.small_map(np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]), (0, 4, 1, 5), groups, "a: b")
    encoding = chart.to_dict()["encoding"]
    assert (encoding["color"]["field"], encoding["color"]["type"]) == ("a: b", kind)
    assert [row["a: b"] for row in rows(chart)] == groups
    assert [(row["x"], row["y"]) for row in rows(chart)] == [(0, 0), (0.5, 0.5), (1, 1)], "places in the box"


def test_a_class_has_its_own_color_whatever_the_alphabet_says() -> None:
    chart = charts.small_map(np.zeros((2, 2)), (0, 1, 0, 1), ["boot", "shirt"], "class", ("trouser", "shirt", "boot"))
    assert chart.to_dict()["encoding"]["color"]["scale"]["domain"] == ["trouser", "shirt", "boot"]


def test_a_confusion_matrix_has_the_shares_of_every_class() -> None:
    labels, said = np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1])
    shares = {
        (row["true"], row["predicted"]): row["share"] for row in rows(charts.confusion(labels, said, ["a", "b", "c"]))
    }
    assert {pair: share for pair, share in shares.items() if share} == {
        ("a", "a"): 0.75,
        ("a", "b"): 0.25,
        ("b", "b"): 1.0,
    }
    assert len(shares) == 9


def test_a_sweep_marks_each_level_once_and_its_first_table_is_that_of_the_lines() -> None:
    chart = charts.sweep(SWEEP, [("one", 0.5), ("two", 0.5), ("three", 0.25)], now=0.3)
    assert [row["text"] for row in rows(chart, 0)] == ["trained at 0.25", "trained at 0.5"]
    assert rows(chart, 2) == [{"level": 0.3}]
    assert rows(chart) == next(iter(chart.to_dict()["datasets"].values()))
    assert [row["low"] for row in rows(chart)] == [19.5, 19.0] * 2
    assert [row["high"] for row in rows(chart)] == [20.5, 20.0] * 2


def test_bars_of_units_begin_with_the_most_active() -> None:
    drawn = rows(charts.unit_bars(np.array([0.1, 3.0, 0.5]), "variance"))
    assert [(bar["rank"], bar["unit"]) for bar in drawn] == [(1, 1), (2, 2), (3, 0)]


@pytest.mark.parametrize(
    "chart",
    [
        charts.curves([]),
        charts.curves([], log=True, beside=[[]]),
        charts.overlay({}),
        charts.small_map(np.zeros((0, 2)), (0, 1, 0, 1), [], "class"),
        charts.accuracy_curves({}),
        charts.confusion(NOTHING, NOTHING, []),
        charts.sweep([]),
        charts.bars([], "rank", "score", []),
        charts.unit_bars(np.zeros(0), "variance"),
    ],
)
def test_a_chart_of_nothing_is_a_valid_chart_without_rows(chart: alt.Chart | alt.LayerChart) -> None:
    assert not any(chart.to_dict()["datasets"].values())
