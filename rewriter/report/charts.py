"""Charts of the report, each answering one question, as Vega-Lite specifications."""

from __future__ import annotations

from typing import Any

import altair as alt

BLUE, RED, GREY, INK = "#2f6690", "#b5482f", "#b8bfc6", "#333333"
_CONFIG: dict[str, Any] = {
    "font": "system-ui, sans-serif",
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": "#e8eaec",
        "labelColor": INK,
    },
    "view": {"stroke": None},
    "legend": {"labelFontSize": 12, "titleFontSize": 12},
}


def _spec(chart: alt.Chart | alt.LayerChart, height: int) -> dict[str, Any]:
    spec: dict[str, Any] = (
        chart.properties(width="container", height=height, autosize=alt.AutoSizeParams(type="fit", contains="padding"))
        .configure(**_CONFIG)
        .to_dict()
    )
    return spec


def defects_by_day(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Does the share of failed turns rise or fall: the rate by day."""
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(color=RED, point={"color": RED, "size": 36}, strokeWidth=2)
        .encode(
            x=alt.X("day:T", title=None, axis=alt.Axis(format="%d %b", labelOverlap=True, tickCount=8, grid=False)),
            y=alt.Y(
                "rate:Q", title="defective turns", axis=alt.Axis(format=".0%", tickCount=5), scale=alt.Scale(domainMin=0)
            ),
            tooltip=[
                alt.Tooltip("day:T", title="day"),
                alt.Tooltip("turns:Q", format=","),
                alt.Tooltip("rate:Q", title="defective", format=".1%"),
            ],
        )
    )
    return _spec(chart, 220)


def turns_by_signal(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Which signals do turns show, and how many of them were judged failed: stacked bars."""
    parts = [
        {"signal": r["signal"].replace("_", " "), "judged": name, "turns": n, "order": order}
        for r in rows
        for order, (name, n) in enumerate((("defective", r["defective"]), ("not defective", r["turns"] - r["defective"])))
    ]
    chart = (
        alt.Chart(alt.Data(values=parts))
        .mark_bar()
        .encode(
            y=alt.Y(
                "signal:N", title=None, sort=[r["signal"].replace("_", " ") for r in rows], axis=alt.Axis(labelLimit=160)
            ),
            x=alt.X("turns:Q", title="turns", axis=alt.Axis(tickCount=5, format="~s")),
            color=alt.Color(
                "judged:N",
                title=None,
                scale=alt.Scale(domain=["defective", "not defective"], range=[RED, GREY]),
                legend=alt.Legend(orient="top"),
            ),
            order="order:Q",
            tooltip=["signal:N", "judged:N", alt.Tooltip("turns:Q", format=",")],
        )
    )
    return _spec(chart, 30 + 24 * len(rows))


def _bounds(row: dict[str, Any], top: float) -> dict[str, Any]:
    low, high = max(row["ratio_low"] or 0.0, 0.05), min(row["ratio_high"] or top, top)
    ratio = row["ratio"] if row["ratio"] is not None else top
    return {
        "layer": row["layer"],
        "low": low,
        "high": max(high, low),
        "ratio": min(max(ratio, 0.05), top),
        "wins": row["wins"],
        "losses": row["losses"],
        "open": row["ratio_high"] is None,
    }


def ratios(rows: list[dict[str, Any]], target: float | None) -> dict[str, Any]:
    """How many wins to a loss does each layer have, and how sure is that; logarithmic, with 95% intervals."""
    top = 1000.0
    values = [_bounds(r, top) for r in rows if r["wins"] + r["losses"] > 0]
    base = alt.Chart(alt.Data(values=values)).encode(
        y=alt.Y("layer:N", title=None, sort=[r["layer"] for r in rows]),
        tooltip=["layer:N", "wins:Q", "losses:Q"],
    )
    scale = alt.Scale(type="log", domain=[0.05, top], clamp=True)
    axis = alt.Axis(values=[0.1, 1, 10, 100, 1000], format="~g")
    bars = base.mark_rule(strokeWidth=4, color=GREY).encode(
        x=alt.X("low:Q", scale=scale, title="wins to one loss (logarithmic)", axis=axis), x2="high:Q"
    )
    points = base.mark_point(filled=True, size=90, color=BLUE, opacity=1).encode(x=alt.X("ratio:Q", scale=scale))
    marks = [({"x": 1.0}, GREY, [2, 2])] + ([({"x": target}, RED, [5, 3])] if target else [])
    lines = [
        alt.Chart(alt.Data(values=[v])).mark_rule(color=c, strokeDash=d).encode(x=alt.X("x:Q", scale=scale))
        for v, c, d in marks
    ]
    return _spec(alt.layer(*lines, bars, points), 44 + 34 * max(len(values), 1))


def stage_seconds(stages: list[dict[str, Any]]) -> dict[str, Any]:
    """Where the run's time went: seconds of each stage."""
    rows = [{"stage": s["name"].replace("_", " "), "seconds": s["seconds"] or 0.0} for s in stages]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(color=BLUE)
        .encode(
            y=alt.Y("stage:N", title=None, sort=None, axis=alt.Axis(labelLimit=180)),
            x=alt.X("seconds:Q", title="seconds", axis=alt.Axis(tickCount=5)),
            tooltip=["stage:N", "seconds:Q"],
        )
    )
    return _spec(chart, 30 + 22 * len(rows))


def charts(numbers: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every chart that the numbers allow, by the id of its place in the page."""
    made: dict[str, dict[str, Any]] = {}
    if numbers["defects"]:
        made["chart-days"] = defects_by_day(numbers["defects"]["by_day"])
        if numbers["defects"]["by_signal"]:
            made["chart-signals"] = turns_by_signal(numbers["defects"]["by_signal"])
    if numbers["win_loss"] and any(r["wins"] + r["losses"] for r in numbers["win_loss"]["proxy"]):
        made["chart-proxy"] = ratios(numbers["win_loss"]["proxy"], numbers["win_loss"]["target"])
    if numbers["run"]:
        made["chart-stages"] = stage_seconds(numbers["run"]["stages"])
    return made
