"""The third picture: how many requests of the live days fail, and what each layer won and lost."""

from __future__ import annotations

import numpy as np

from examples.picture_facts import Demo
from examples.picture_svg import BAD, FAINT, GOOD, INK, MARGIN, MUTED, SOFT, WIDTH, Canvas, heading, percent
from rewriter.evaluation.win_loss import wilson

_LABEL_X, _BAR_X, _BAR_W = MARGIN, 290, 420
_ROW = 38


def effect_picture(demo: Demo) -> str:
    """Defect rates of the live days, and wins and losses by layer, against the simulator's truth."""
    result = demo.result
    layers = sorted(result["layers"].items(), key=lambda item: (-item[1]["wins"], item[0]))
    canvas = Canvas(
        276 + 52 + _ROW * max(len(layers), 1),
        "Fewer requests fail with rewriting",
        f"{percent(result['defect_before'])} of the treated requests fail as they were, {percent(result['defect_after'])} "
        f"as served; {result['wins']} wins, {result['losses']} losses.",
    )
    days = demo.live["at"].dt.date.nunique()
    heading(
        canvas,
        "Requests that fail, and what rewriting changed",
        f"{days} live days of simulated users through the running service; judged by the truth, not by the models.",
    )
    below = _defect_rates(canvas, demo)
    _layers(canvas, demo, layers, below + 34)
    return canvas.svg()


def _defect_rates(canvas: Canvas, demo: Demo) -> float:
    result = demo.result
    control = demo.live[demo.live["arm"] == "control"]
    rows = [
        ("the same requests, unchanged", result["treated"], result["defect_before"], SOFT),
        ("the same requests, as served", result["treated"], result["defect_after"], GOOD),
        ("control arm: other users, no rewriting", len(control), result["defect_control_arm"], SOFT),
    ]
    known = [row for row in rows if row[2] is not None]
    y = 96.0
    canvas.text(_LABEL_X, y + 4, "Defect rate", size=13, weight=600)
    canvas.text(_BAR_X, y + 4, "thin line: 95% interval of the control arm", size=11.5, fill=MUTED)
    y += 20
    scale = _BAR_W / (1.15 * max(rate for _, _, rate, _ in known))
    for name, n, rate, tone in known:
        canvas.text(_LABEL_X, y + 13, name, size=13)
        canvas.text(_LABEL_X, y + 29, f"{n:,} requests", size=11.5, fill=MUTED)
        canvas.box(_BAR_X, y + 4, scale * rate, 20, fill=tone, radius=3)
        end = _BAR_X + scale * rate
        if name.startswith("control"):
            low, high = (scale * p for p in wilson(int(np.rint(rate * n)), n))
            canvas.line(_BAR_X + low, y + 14, _BAR_X + high, y + 14, stroke=INK, width=1.4)
            end = _BAR_X + high
        canvas.text(end + 10, y + 19, f"{rate:.2%}", size=13.5, weight=600)
        y += 46
    fewer = 1 - result["defect_after"] / max(result["defect_before"], 1e-12)
    canvas.text(
        WIDTH - MARGIN, 96 + 20 + 46 + 19, f"{fewer:.1%} fewer failures", size=12.5, fill=GOOD, weight=600, anchor="end"
    )
    return y


def _layers(canvas: Canvas, demo: Demo, layers: list[tuple[str, dict[str, int]]], y: float) -> None:
    result = demo.result
    canvas.line(MARGIN, y - 26, WIDTH - MARGIN, y - 26, stroke=FAINT)
    canvas.text(_LABEL_X, y + 4, "Wins and losses", size=13, weight=600)
    ratio = f"{result['wins']:,} wins and no loss" if result["ratio"] is None else f"{result['ratio']:.1f} wins to a loss"
    known = f"{ratio}; at least {result['ratio_low']:.1f} to 1 (lower bound of the 95% interval)"
    canvas.text(_BAR_X, y + 4, known, size=11.5, fill=MUTED)
    scale = _BAR_W / (1.35 * max([own["rewritten"] for _, own in layers] or [1]))
    for k, (name, own) in enumerate(layers):
        top, x = y + 20 + _ROW * k, float(_BAR_X)
        canvas.text(_LABEL_X, top + 18, name, size=13)
        for n, tone in ((own["wins"], GOOD), (own["ties"], FAINT), (own["losses"], BAD)):
            canvas.box(x, top + 4, scale * n, 20, fill=tone, radius=3)
            x += scale * n + (2 if n else 0)
        said = f"{own['wins']} wins, {own['losses']} {'loss' if own['losses'] == 1 else 'losses'}" + (
            f", {own['ties']} unchanged" if own["ties"] else ""
        )
        canvas.text(x + 8, top + 19, said, size=12.5, weight=600)
    if not layers:
        canvas.text(_LABEL_X, y + 38, "nothing was rewritten", size=13, fill=MUTED)
