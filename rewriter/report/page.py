"""The report's page: one HTML file with its charts and their JavaScript inside, so that it opens offline."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import vl_convert
from jinja2 import Environment

from rewriter.report.charts import charts

#: Expressions are interpreted (``ast``), so that the page's policy need not allow generated code.
_DRAW = """
const specs = JSON.parse(document.getElementById("specs").textContent);
for (const [id, spec] of Object.entries(specs)) {
  vegaEmbed("#" + id, spec, {actions: false, renderer: "svg", ast: true});
}
"""


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}%}"


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _ratio(row: dict[str, Any]) -> str:
    """A ratio with its 95% interval, e.g. ``35.0 (6.1–202.2)``; ∞ where there is no upper limit. Net counts have none."""
    if not row["wins"] + row["losses"]:
        return "nothing decided"
    ratio = "no loss" if row["ratio"] is None else f"{row['ratio']:,.1f}"
    if row["basis"] == "live":
        return ratio
    high = "∞" if row["ratio_high"] is None else f"{row['ratio_high']:,.1f}"
    return f"{ratio} ({row['ratio_low']:,.1f}–{high})"


def _inline(content: Any) -> str:
    """JSON that is safe inside a script element: no tag can end it early."""
    return json.dumps(content, sort_keys=True).replace("<", "\\u003c")


def render(numbers: dict[str, Any]) -> str:
    """The page as HTML; it loads nothing from anywhere."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(percent=_percent, number=_number, ratio=_ratio)
    template = environment.from_string(files("rewriter.report").joinpath("page.html.j2").read_text("utf-8"))
    specs = charts(numbers)
    script = vl_convert.javascript_bundle(_DRAW).replace("</script", "<\\/script") if specs else ""
    return template.render(**numbers, charts=specs, specs=_inline(specs), script=script)
