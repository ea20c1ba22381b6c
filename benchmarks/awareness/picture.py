"""The rounds as one picture: quality of the published pairs and failed requests, with and without self-awareness."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from examples.picture_svg import BAD, FAINT, GOOD, INK, MARGIN, MUTED, WIDTH, Canvas, heading

_LEFT, _RIGHT, _HEIGHT = MARGIN + 40, WIDTH - 190, 150
_LINE = 17  # least distance of two names
_TONES = {"without": BAD, "with": GOOD}
_NAMES = {"without": "without self-awareness", "with": "with self-awareness"}


def rounds_picture(result: dict[str, Any]) -> str:
    """The picture of a result of `benchmarks.awareness.run`."""
    setup, means = result["setup"], result["summary"]["pr_auc_published"]["mean_of_rounds"]
    canvas = Canvas(
        552,
        "A miner that knows what it did",
        f"Mean PR-AUC of the published pairs over {setup['rounds']} rounds: {means['with']:.2f} with self-awareness, "
        f"{means['without']:.2f} without.",
    )
    heading(
        canvas,
        "Published pairs change the log that the next ones are mined from",
        f"{setup['rounds']} rounds of {setup['round_days']} days, {setup['users']:,} simulated users in each of two worlds, "
        f"{setup['holdout']:.0%} of a pair's traffic withheld; mean of {len(result['seeds'])} seeds.",
    )
    _panel(canvas, result, 138, "pr_auc_published", "PR-AUC of the published pairs", (0.0, 0.5, 1.0), "{:.1f}")
    rates = [100 * row[miner]["defective"] for row in result["rounds"] for miner in _NAMES]
    ticks = tuple(range(2 * int(min(rates) / 2), int(max(rates)) + 3, 2))
    _panel(canvas, result, 360, "defective", "Requests that fail, of all", tuple(t / 100 for t in ticks), "{:.0%}")
    for number, words in ((setup["bad_round"], "wrong pairs planted"), (setup["flip_round"], "a meaning changes")):
        canvas.text(_x(result, number), 132, words, size=11.5, fill=MUTED, anchor="middle")
    return canvas.svg()


def _x(result: dict[str, Any], number: int) -> float:
    return _LEFT + (_RIGHT - _LEFT) * number / (len(result["rounds"]) - 1)


def _panel(
    canvas: Canvas, result: dict[str, Any], top: float, name: str, title: str, ticks: tuple[float, ...], form: str
) -> None:
    """Lines of one figure of both miners over the rounds."""
    low, high = min(ticks), max(ticks)

    def y(value: float) -> float:
        return top + _HEIGHT * (high - value) / (high - low)

    canvas.text(_LEFT, top - 24, title, size=13, weight=600)
    for value in ticks:
        canvas.line(_LEFT, y(value), _RIGHT, y(value))
        canvas.text(_LEFT - 8, y(value) + 4, form.format(value), size=11.5, fill=MUTED, anchor="end")
    for number in (result["setup"]["bad_round"], result["setup"]["flip_round"]):
        canvas.line(_x(result, number), top, _x(result, number), top + _HEIGHT, stroke=FAINT, width=1.4)
    rounds = result["rounds"]
    for miner, tone in _TONES.items():
        points = [(_x(result, row["round"]), y(row[miner][name])) for row in rounds]
        for (x1, y1), (x2, y2) in pairwise(points):
            canvas.line(x1, y1, x2, y2, stroke=tone, width=2.4)
    # Names stand beside the ends of their lines, and apart where these are close.
    ends = sorted((y(rounds[-1][miner][name]), miner) for miner in _TONES)
    apart = max(_LINE - (ends[1][0] - ends[0][0]), 0.0) / 2
    for (end, miner), shift in zip(ends, (-apart, apart), strict=True):
        canvas.text(_RIGHT + 12, end + 4 + shift, _NAMES[miner], size=12.5, fill=_TONES[miner], weight=600)
    for row in rounds:
        number = str(row["round"])
        canvas.text(_x(result, row["round"]), top + _HEIGHT + 18, number, size=11.5, fill=INK, anchor="middle")
    canvas.text(_RIGHT + 14, top + _HEIGHT + 18, "round", size=11.5, fill=MUTED)
