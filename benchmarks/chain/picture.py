"""The benchmark's one picture: seconds a source against states, for the solver and what else could be used."""

from __future__ import annotations

from typing import Any

import altair as alt
import vl_convert

OURS = "this solver, certified, every source"


def picture(result: dict[str, Any]) -> str:
    """The picture as SVG."""
    points = [(OURS, row["n_states"], row["seconds"] / row["n_states"]) for row in result["rows"]]
    points += [(row["name"], row["n_states"], row["seconds_per_source"]) for row in result["alternatives"]]
    values = [{"solver": name, "states": n, "microseconds": 1e6 * seconds} for name, n, seconds in points]
    base = alt.Chart(alt.Data(values=values)).encode(
        alt.X("states:Q", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s"), title="states (2.5 edges each)"),
        alt.Y("microseconds:Q", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s"), title="microseconds a source"),
        alt.Color("solver:N", legend=alt.Legend(title=None, orient="bottom", columns=2, labelLimit=320)),
    )
    chart = (base.mark_line() + base.mark_point(filled=True, size=60)).properties(
        width=560, height=320, title="Time to answer one source: the best rewrite of a state, by size of the chain"
    )
    return str(vl_convert.vegalite_to_svg(chart.to_json()))
