"""Charts of numbers, drawn by Altair. Imported by the pages.

Rows go in as lists of dicts, and each field says its type: no table library is needed. In a tooltip, a number that is
called nominal (:N) is printed as it is.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from aecore.history import clipped, terms, thinned

GREY = "#8A8894"
"""Rules and notes, on a light or dark background."""
GUIDE: Mapping[str, Any] = {"color": GREY, "aria": False}
"""The same, not read aloud: one without rows would be a picture without a name."""
DASHES = [[1, 0], [1, 0], [5, 7]]
"""Every third line is dashed: that of the principal components lies on that of the pixels, and both are seen."""


def _data(rows: list[dict[str, Any]]) -> alt.InlineData:
    """Filled afterwards: rows that are there from the start are checked one by one, which takes 0.25 ms for each."""
    data = alt.InlineData([])
    data["values"] = rows
    return data


def _layers(rows: list[dict[str, Any]], *layers: alt.Chart) -> alt.LayerChart:
    """Rows of the whole chart are not copied with its layers, and are the table that a visitor can open."""
    return alt.layer(*layers, data=_data(rows))


def _tips(*fields: str) -> list[alt.Tooltip]:
    """The fields of a tooltip, printed as they are. From a list of strings, Altair takes 2 ms for each."""
    return [alt.Tooltip(f"{field}:N") for field in fields]


def vega(chart: alt.Chart | alt.LayerChart, share: float, least: float) -> dict[str, Any]:
    """The chart in Vega-Lite, with letters of this share of the window's width, of `least` pixels or more; inside it
    smaller.

    Whether it is valid is for tests: a page would have it checked with every drawing.
    """

    def times(factor: float) -> Any:
        return alt.expr(f"{factor:g} * max({least:g}, {share:g} * windowSize()[0])")

    letters = {"labelFontSize": times(1), "titleFontSize": times(1), "labelLimit": times(20)}
    chart = chart.configure_axis(**letters).configure_legend(**letters, symbolSize=times(8))
    found = chart.configure_text(fontSize=times(0.88)).to_dict(validate=False)
    del found["config"]["view"]  # a size, on which the page decides
    return found


def curves(
    history: Sequence[Mapping[str, Any]],
    log: bool = False,
    cursor: float | None = None,
    beside: Collection[Sequence[Mapping[str, Any]]] = (),
) -> alt.LayerChart:
    """Every loss term of a history over the epochs, training solid, held-out dashed, with a line at the epoch `cursor`.

    beside: other histories that are drawn beside this one; all get the same axes, and each term one color. There is no
    legend for the dashes; explain them beside the chart. Below them a triangle where gradients were clipped.
    """
    own, every = _terms(history, log), [row for other in beside or [history] for row in _terms(other, log)]
    x = alt.X("epoch:Q")
    scale: dict[str, Any] = {"type": "log"} if log else {"zero": False}
    if beside and every:
        values = [row["value"] for row in every]
        scale["domain"] = [min(values), max(values)]
        x = x.scale(domain=[0, max(row["epoch"] for row in every)])
    names = _names(every, "term")
    lines = alt.Chart().mark_line(point=len(history) < 3)
    lines = lines.encode(
        x,
        alt.Y("value:Q").title("loss per pixel").scale(**scale),
        alt.Color("term:N")
        .title(None)
        .scale(domain=names)
        .legend(orient="top", columns=1 if beside else 2, values=_names(own, "term")),
        alt.StrokeDash("images:N").legend(None).scale(domain=["training", "held out"], range=[[1, 0], [4, 3]]),
        tooltip=_tips("term", "images", "epoch", "value"),
    )
    guides = []  # of those without data, vega would complain
    if cursor is not None:
        here = alt.Chart(_data([{"epoch": cursor}])).mark_rule(strokeWidth=2, opacity=0.5, aria=False)
        guides.append(here.encode(x))
    if rows := [{"epoch": epoch, "clipped gradients": count} for epoch, count in clipped(history)]:
        marks = alt.Chart(_data(rows)).mark_point(**GUIDE, shape="triangle-up", size=40, filled=True, opacity=0.8)
        guides.append(marks.encode(x, y=alt.value("height"), tooltip=_tips("epoch", "clipped gradients")))
    return _layers(own, lines, *guides)


def _names(rows: Sequence[Mapping[str, Any]], field: str) -> list[Any]:
    """The different values of a field, in their order."""
    return list(dict.fromkeys(row[field] for row in rows))


def _terms(history: Sequence[Mapping[str, Any]], log: bool) -> list[dict[str, Any]]:
    rows = []
    for row in thinned(history):
        for images, held_out in (("training", False), ("held out", True)):
            for name, value in terms(row, held_out).items():
                rows.append({"epoch": row["epoch"], "term": name, "images": images, "value": value})
    return [row for row in rows if row["value"] > 0 or not log]


def overlay(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> alt.Chart:
    """The MSE on held-out images over the epochs, a line for each name of a history."""
    rows = [
        {"epoch": row["epoch"], "run": name, "MSE": row["test"]["mse"]}
        for name, history in histories.items()
        for row in thinned(history)
        if row["test"].get("mse", 0) > 0
    ]
    lines = alt.Chart(_data(rows)).mark_line(point={"size": 14}, clip=True)
    return lines.encode(
        alt.X("epoch:Q"),
        alt.Y("MSE:Q").title("MSE, held out").scale(type="log", nice=False),
        alt.Color("run:N").sort(None).title(None).legend(orient="right"),
        tooltip=_tips("run", "epoch", "MSE"),
    )


def small_map(
    places: np.ndarray,
    box: tuple[float, float, float, float],
    groups: Sequence[Any],
    title: str,
    order: Sequence[str] = (),
) -> alt.Chart:
    """Points (n, 2) in a box (left, right, bottom, top), without axes.

    Their places are shares of the box, so the chart stays the same when the box moves.

    groups (n,) are names or numbers and give the colors; title is what they are. order: all names in the order of their
    colors, by which a class has the same color as on the latent map; empty for that of the alphabet.
    """
    corner, opposite = np.reshape(box, (2, 2)).T
    shares = (places - corner) / (opposite - corner)
    rows = [
        {"x": round(x, 4), "y": round(y, 4), title: group}
        for (x, y), group in zip(shares.tolist(), groups, strict=True)
    ]
    if all(isinstance(group, (int, float)) for group in groups):
        scheme = alt.SchemeParams("cividis", extent=[0.25, 1])
        color = alt.Color(field=title, type="quantitative").legend(None).scale(scheme=scheme)
    else:
        color = alt.Color(field=title, type="nominal").legend(columns=1, symbolLimit=12, title=None)
        color = color.scale(domain=list(order)) if order else color
    points = alt.Chart(_data(rows)).mark_circle(size=22, opacity=0.85, clip=True, aria=False)
    return points.encode(
        alt.X("x:Q").axis(None).scale(domain=[0, 1]),
        alt.Y("y:Q").axis(None).scale(domain=[0, 1]),
        color,
        alt.Tooltip(field=title, type="nominal"),
    )


def accuracy_curves(rows: Mapping[str, Mapping[str, Mapping[str, float]]]) -> alt.LayerChart:
    """Accuracy over labels per class, a line for each kind of features, with bars of one standard deviation.

    rows: features -> labels per class -> {"mean", "deviation"}. The line of the code is the thick one.
    """
    points = [
        {
            "features": features, "labels": labels, "accuracy": row["mean"],
            "low": row["mean"] - row["deviation"], "high": row["mean"] + row["deviation"],
        }
        for features, curve in rows.items()
        for labels, row in curve.items()
    ]  # fmt: skip
    base = alt.Chart().encode(
        alt.X("labels:O").sort(None).title("labels per class").axis(labelAngle=0),
        alt.Color("features:N").sort(None).title(None).legend(orient="top", columns=3, symbolType="stroke"),
    )
    lines = base.mark_line(point=True).encode(
        alt.Y("accuracy:Q").title("test accuracy").scale(zero=False),
        alt.StrokeDash("features:N").sort(None).legend(None).scale(range=DASHES),
        strokeWidth=alt.when("datum.features === 'code'").then(alt.value(4)).otherwise(alt.value(1.5)),
        tooltip=[*_tips("features", "labels"), alt.Tooltip("accuracy:N").format(".3f")],
    )
    return _layers(points, base.mark_rule().encode(alt.Y("low:Q"), alt.Y2("high")), lines)


def confusion(labels: np.ndarray, said: np.ndarray, classes: Sequence[str]) -> alt.LayerChart:
    """Confusion matrix of true classes, labels (n,), and predicted ones, said (n,), as shares of the true class.

    Both are indices into `classes`.
    """
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (labels, said), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = [
        {"true": true, "predicted": name, "share": float(shares[row, column])}
        for row, true in enumerate(classes)
        for column, name in enumerate(classes)
    ]
    base = alt.Chart().encode(
        alt.X("predicted:N").sort(None).title("predicted"), alt.Y("true:N").sort(None).title("true class")
    )
    squares = base.mark_rect().encode(
        alt.Color("share:Q").scale(scheme="cividis").legend(None),
        tooltip=[
            alt.Tooltip("true:N").title("true class"),
            alt.Tooltip("predicted:N").title("predicted"),
            alt.Tooltip("share:N").format(".1%"),
        ],
    )
    numbers = base.mark_text().encode(
        alt.Text("share:Q").format(".0%"),
        color=alt.when("datum.share > 0.55").then(alt.value("#1C1B22")).otherwise(alt.value("#FBFAF7")),
    )
    return _layers(rows, squares, numbers.transform_filter("datum.share >= 0.01"))


def sweep(
    rows: Sequence[Mapping[str, Any]], trained: Sequence[tuple[str, float]] = (), now: float | None = None
) -> alt.LayerChart:
    """PSNR over the noise level, from rows {"name", "by", "level", "mean", "error"}.

    One line for each name, those by a filter dashed; a filter keeps its color whatever runs there are. Rules mark the
    levels that runs were trained on, (name, level), and a thin one the level `now`.
    """
    names = _names(sorted(rows, key=lambda row: row["by"] == "run"), "name")
    x = alt.X("level:Q").title("noise level").scale(domain=[0, 1]).axis(tickCount=5)
    color = alt.Color("name:N").sort(None).title(None).legend(orient="right").scale(domain=names)
    points = [{**row, "low": row["mean"] - row["error"], "high": row["mean"] + row["error"]} for row in rows]
    lines = alt.Chart().mark_line(point={"size": 16}, strokeWidth=1.5)
    lines = lines.encode(
        x,
        alt.Y("mean:Q").title("PSNR in dB").scale(zero=False),
        color,
        alt.StrokeDash("by:N").legend(None).scale(domain=["run", "filter"], range=[[1, 0], [5, 3]]),
        tooltip=[
            *_tips("name", "level"),
            alt.Tooltip("mean:N").format(".2f").title("PSNR"),
            alt.Tooltip("error:N").format(".2f").title("±"),
        ],
    )
    levels = sorted({level for _, level in trained})
    marks = alt.Chart(_data([{"level": level, "text": f"trained at {level:g}"} for level in levels])).encode(x)
    here = alt.Chart(_data([] if now is None else [{"level": now}])).encode(x)
    return _layers(
        points,
        marks.mark_rule(**GUIDE, strokeDash=[2, 2]),
        marks.mark_text(**GUIDE, align="left", baseline="top", dx=4, y=2).encode(alt.Text("text:N")),
        here.mark_rule(**GUIDE, opacity=0.5),
        alt.Chart().mark_rule(strokeWidth=2).encode(x, alt.Y("low:Q"), alt.Y2("high"), color),
        lines,
    )


def knee(
    errors: Mapping[int, float], linear: Mapping[int, float], chosen: int | None = None, causes: int = 0
) -> alt.LayerChart:
    """Test MSE over the units of a code, units -> MSE, beside that of PCA with as many numbers, on a logarithmic axis.

    chosen: the units of the point that stands out; causes: how many the images have, marked by a rule where they are
    known. A press on a point of the runs selects its "units" under the name "point".
    """
    lines = {"these runs": errors, "PCA": linear}
    rows = [
        {"by": by, "units": units, "MSE": error}
        for by, line in lines.items()
        for units, error in line.items()
        if error > 0
    ]
    most = max([*errors, *linear, causes])
    x = alt.X("units:Q").title("units of the code").scale(domain=[0, most], nice=False)
    x = x.axis(values=list(range(most + 1)), format="d", grid=False)
    powers = [10.0**power for power in range(-12, 2)]
    y = alt.Y("MSE:Q").title("test MSE").scale(type="log").axis(format="~g", values=powers)
    color = alt.Color("by:N").sort(None).title(None).legend(orient="top", symbolType="stroke")
    color = color.scale(domain=list(lines))
    base = alt.Chart().encode(x, y, color)
    marked = alt.Chart(
        _data([{"units": causes, "text": f"{causes} cause{'' if causes == 1 else 's'}"}] if causes else [])
    )
    marked = marked.encode(x)
    large = alt.when(f"datum.by === 'these runs' && datum.units === {chosen or -1}").then(alt.value(220))
    tips = [*_tips("by", "units"), alt.Tooltip("MSE:Q").format(".3g")]
    points = base.mark_circle(opacity=1, cursor="pointer").encode(size=large.otherwise(alt.value(70)), tooltip=tips)
    points = points.add_params(alt.selection_point("point", fields=["units"], on="click", toggle=False))
    return _layers(
        rows,
        marked.mark_rule(**GUIDE, strokeDash=[2, 2]),
        marked.mark_text(**GUIDE, align="left", baseline="top", dx=4, y=2).encode(alt.Text("text:N")),
        base.mark_line().encode(alt.StrokeDash("by:N").legend(None).scale(domain=list(lines), range=[[1, 0], [5, 3]])),
        points,
    )


def bars(
    values: Sequence[float],
    across: str,
    up: str,
    groups: Sequence[str] | None = None,
    zero: bool = True,
    kinds: Sequence[str] = (),
) -> alt.Chart:
    """One bar for each of n values, numbered from 1; groups (n,) color them.

    across and up name the axes; zero: whether the vertical axis starts at 0; kinds: all groups there can be, so that
    each keeps its color where another is missing.
    """
    rows: list[dict[str, Any]] = [{across: number, up: float(value)} for number, value in enumerate(values, start=1)]
    chart = alt.Chart(_data(rows)).mark_bar(clip=True)
    chart = chart.encode(
        alt.X(f"{across}:O").axis(labelAngle=0, labelOverlap=True),
        alt.Y(f"{up}:Q").scale(zero=zero),
        tooltip=[*_tips(across), alt.Tooltip(f"{up}:N").format(".4f")],
    )
    if groups is None:
        return chart
    for row, group in zip(rows, groups, strict=True):
        row["group"] = group
    color = alt.Color("group:N").sort(None).title(None).legend(orient="right")
    return chart.encode(color.scale(domain=kinds) if kinds else color)


def unit_bars(activity: np.ndarray, title: str) -> alt.Chart:
    """One number per unit of a code (latent,), the largest first; title says what it is."""
    order = np.argsort(-activity, kind="stable")
    rows = [{"rank": rank, "unit": int(unit), "value": float(activity[unit])} for rank, unit in enumerate(order, 1)]
    chart = alt.Chart(_data(rows)).mark_bar()
    return chart.encode(
        alt.X("rank:O").title("units, most active first").axis(labels=False, ticks=False),
        alt.Y("value:Q").title(title),
        tooltip=[*_tips("unit"), alt.Tooltip("value:N").format(".3g")],
    )


def histogram(counts: np.ndarray, edges: np.ndarray, classes: Sequence[str], title: str) -> alt.Chart:
    """How often a value occurs, counts (classes, bins), one class on top of the other; edges (bins + 1,).

    title names the value. Where there are no classes, the one row has the name "".
    """
    rows = [
        {"low": float(low), "high": float(high), "class": name, "images": int(number), "order": order}
        for order, (name, line) in enumerate(zip(classes, counts, strict=True))
        for low, high, number in zip(edges[:-1], edges[1:], line, strict=True)
        if number
    ]
    chart = alt.Chart(_data(rows)).mark_bar(binSpacing=1)
    chart = chart.encode(
        alt.X("low:Q").bin("binned").title(title),
        alt.X2("high"),
        alt.Y("images:Q").title("images").stack("zero"),
        tooltip=[
            *(_tips("class") if classes != [""] else []),
            alt.Tooltip("low:Q").format(".3g").title("from"), alt.Tooltip("high:Q").format(".3g").title("to"),
            alt.Tooltip("images:Q"),
        ],
    )  # fmt: skip
    if classes == [""]:
        return chart
    color = alt.Color("class:N").sort(None).title(None).scale(domain=list(classes))
    return chart.encode(color.legend(orient="bottom", columns=3), alt.Order("order:Q"))


def guessed(choices: Sequence[tuple[str, float, str]], right: int, guess: int) -> alt.LayerChart:
    """A bar for each choice (words, value, the value as it is written); says which is right, and which is the guess."""
    rows = []
    for place, (words, value, written) in enumerate(choices):
        marks = [*(["the answer"] if place == right else []), *(["your guess"] if place == guess else [])]
        rows.append({
            "choice": words, "value": value, "words": " · ".join([written, *marks]),
            "kind": "right" if place == right else "other",
        })  # fmt: skip
    across = alt.X("value:Q").axis(None).scale(domain=[0, 2.4 * max(value for _, value, _ in choices)])
    base = alt.Chart().encode(alt.Y("choice:N").sort(None).title(None), across)
    bar = base.mark_bar(height={"band": 0.6}).encode(
        alt.Opacity("kind:N").legend(None).scale(domain=["right", "other"], range=[1, 0.35])
    )
    text = base.mark_text(align="left", dx=6, color=GREY).encode(alt.Text("words:N"))
    return _layers(rows, bar, text)
