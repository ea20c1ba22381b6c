"""The benchmark's one picture: where each millisecond of a request goes, beside what the models' arithmetic would take."""

from __future__ import annotations

from typing import Any

import altair as alt
import vl_convert

#: Step of `timings_ms` -> what it is called; the order of the bars' parts.
STEPS = {
    "history": "own history",
    "encode": "encoder",
    "meaning": "search by meaning",
    "letters": "search by letters",
    "guard": "guards",
    "features": "features",
    "cross_encoder": "cross-encoder",
}
REST, WAIT = "other decision code", "waiting and hand-over"
FLOOR = "floor: int8 products alone"


def parts_of(kind: dict[str, Any]) -> dict[str, float]:
    """Milliseconds of each part of the server's time, from the medians of one kind's steps."""
    steps = kind["alone"]["steps"]
    parts = {name: steps.get(step, 0.0) for step, name in STEPS.items()}
    rest = max(0.0, steps["decide"] - sum(parts.values()))
    return parts | {REST: rest, WAIT: max(0.0, steps["total"] - steps["decide"])}


def floor_of(result: dict[str, Any], n_layers: int, n_read: int = 3) -> dict[str, float]:
    """Milliseconds of the models' arithmetic for one request that reads ``n_read`` candidates."""
    models = result["parts"]
    reading = n_read * models["cross_encoder"][str(n_layers)]["floor_ms"]
    return {"encoder": models["encoder"]["floor_ms"], "cross-encoder": reading}


def picture(result: dict[str, Any], n_layers: int) -> str:
    """The picture as SVG."""
    bars = {name: parts_of(kind) for name, kind in result["kinds"].items()} | {FLOOR: floor_of(result, n_layers)}
    order = [*STEPS.values(), REST, WAIT]
    rows = [
        {"request": bar, "part": part, "ms": ms, "place": order.index(part)}
        for bar, parts in bars.items()
        for part, ms in parts.items()
    ]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            alt.Y("request:N", sort=list(bars), title=None, axis=alt.Axis(labelLimit=220)),
            alt.X("ms:Q", title="milliseconds in the server, medians of requests one at a time"),
            alt.Color(
                "part:N", sort=order, scale=alt.Scale(scheme="tableau10"), legend=alt.Legend(title=None, labelLimit=220)
            ),
            alt.Order("place:Q"),
        )
        .properties(width=520, height=170, title=f"Where the time goes: {result['size']['n_entries']:,} entries, one core")
    )
    return str(vl_convert.vegalite_to_svg(chart.to_json()))
