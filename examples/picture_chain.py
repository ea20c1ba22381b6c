"""The second picture: one solved chain, drawn as the flow of all users who begin with the same failed request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from picture_facts import Solved, Successor
from picture_svg import BAD, CARD, FAINT, GOOD, MARGIN, MUTED, SOFT, Canvas, heading, percent, wrap

#: Thickness of the line that all users would make.
_FULL = 130
_TOP, _SPACE = 96, 12
_BAR_X, _STATE_X, _STATE_W, _END_X = 190, 318, 292, 738
_BAR = 9
#: States that fewer than this share of the users reach are left out.
_LEAST = 5e-4


@dataclass(frozen=True)
class _Row:
    """A successor and its box: the text in lines, top and height."""

    state: Successor
    words: tuple[str, ...]
    y: float
    height: float

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def _rows(solved: Solved) -> list[_Row]:
    rows, y = [], float(_TOP)
    for state in (*solved.successors, solved.others):
        if state.passing + state.failing < _LEAST:
            continue
        name = f"“{state.text}”" if state.text else f"{solved.n_others} other requests"
        words = tuple(wrap(name, _STATE_W - 90, 13))
        height = max(26.0 + 17 * len(words), _FULL * max(state.step, state.passing + state.failing))
        rows.append(_Row(state, words, y, height))
        y += height + _SPACE
    return rows


def chain_picture(solved: Solved) -> str:
    """Where the users of one source go next, how they end, and the chosen rewrite."""
    rows = _rows(solved)
    failing = _FULL * solved.source.failing
    lane = rows[-1].y + rows[-1].height + 16 + failing / 2  # of those who give up at once
    canvas = Canvas(
        lane + failing / 2 + 62,
        f"The chain around '{solved.source.text}'",
        f"Of its users {percent(solved.success)} end in success; most of those said '{solved.chosen}' last.",
    )
    heading(
        canvas,
        f"One solved chain: what follows “{solved.source.text}”",
        "Thickness: share of the users on the left.  %: chance of a step.  C: chance to succeed, with these words last.",
    )
    _outward(canvas, solved, rows, lane)
    _onward(canvas, solved, rows, lane)
    for row in rows:
        _state_box(canvas, solved, row)
    _source(canvas, solved, rows, lane)
    chosen = next(s for s in solved.successors if s.text == solved.chosen)
    best = "C" if chosen.passing >= max(s.passing for s in solved.successors) else "C of those allowed"
    note = (
        f"The rewrite has the largest {best}: {chosen.passing:.3f} of {solved.success:.3f}, a share of "
        f"{chosen.passing / solved.success:.0%}. Steps between the boxes count in C and are not drawn."
    )
    canvas.text(MARGIN, canvas.height - 24, note, size=12, fill=MUTED)
    return canvas.svg()


def _bar_top(rows: Sequence[_Row], lane: float) -> float:
    """Top of the source's bar: halfway between its rows and the lane of those who give up."""
    return (rows[0].y + lane) / 2 - _FULL / 2


def _outward(canvas: Canvas, solved: Solved, rows: Sequence[_Row], lane: float) -> None:
    """From the source to its successors, and along the lane to failure."""
    y, x = _bar_top(rows, lane), _BAR_X + _BAR
    for row in rows:
        thick = _FULL * row.state.step
        tone = GOOD if row.state.text == solved.chosen else SOFT
        canvas.flow(x, y + thick / 2, _STATE_X, row.middle, thick, fill=tone, opacity=0.5)
        y += thick
        label = percent(row.state.step) if row.state.step >= _LEAST else "later"
        # Beside the band, on the side that the band does not come from.
        aside = thick / 2 + 4 if row.middle < _bar_top(rows, lane) + _FULL / 2 else -thick / 2 - 13
        above = row.middle + 4 if thick > 14 else row.middle - aside
        canvas.text(_STATE_X - 8, above, label, size=11.5, anchor="end")
    thick = _FULL * solved.source.failing
    canvas.flow(x, y + thick / 2, _STATE_X, lane, thick, fill=BAD, opacity=0.28)
    canvas.flow(_STATE_X, lane, _END_X, lane, thick, fill=BAD, opacity=0.28)
    canvas.text(_STATE_X + 14, lane + 4, f"{percent(solved.source.failing)} end in failure with the same words", size=12.5)


def _onward(canvas: Canvas, solved: Solved, rows: Sequence[_Row], lane: float) -> None:
    """From the successors to success and failure, and the two ends."""
    n_success, n_failure = _FULL * solved.success, _FULL * (1 - solved.success)
    success_y = rows[0].middle - _FULL * rows[0].state.passing / 2
    failure_y = lane + _FULL * solved.source.failing / 2 - n_failure
    good, bad, x = success_y, failure_y, _STATE_X + _STATE_W
    for row in rows:
        passing, failing = _FULL * row.state.passing, _FULL * row.state.failing
        leave = row.middle - (passing + failing) / 2
        tone = GOOD if row.state.text == solved.chosen else SOFT
        canvas.flow(x, leave + passing / 2, _END_X, good + passing / 2, passing, fill=tone, opacity=0.5)
        canvas.flow(x, leave + passing + failing / 2, _END_X, bad + failing / 2, failing, fill=BAD, opacity=0.28)
        good, bad = good + passing, bad + failing
    for y, height, name, p, tone in (
        (success_y, n_success, "SUCCESS", solved.success, GOOD),
        (failure_y, n_failure, "FAILURE", 1 - solved.success, BAD),
    ):
        canvas.box(_END_X, y, _BAR, height, fill=tone, radius=2)
        canvas.text(_END_X + 22, y + height / 2 - 2, name, size=12.5, weight=600, fill=tone)
        canvas.text(_END_X + 22, y + height / 2 + 16, percent(p), size=13)


def _state_box(canvas: Canvas, solved: Solved, row: _Row) -> None:
    state, chosen = row.state, row.state.text == solved.chosen
    canvas.box(_STATE_X, row.y, _STATE_W, row.height, fill=CARD, stroke=GOOD if chosen else FAINT, radius=7)
    y = row.middle - 17 * (len(row.words) + 1) / 2 + 13
    below = canvas.lines(_STATE_X + 14, y, row.words, size=13, weight=600 if chosen else 400, lead=17 / 13)
    ends = f"{'succeeds' if state.text else 'succeed'} {percent(state.at_once)}"
    canvas.text(_STATE_X + 14, below, ends + (", the rewrite" if chosen else ""), size=11.5, fill=GOOD if chosen else MUTED)
    canvas.text(_STATE_X + _STATE_W - 14, row.middle + 5, _chance(state.passing), size=13, weight=600, anchor="end")


def _chance(C: float) -> str:
    return "C <0.001" if C < 5e-4 else f"C {C:.3f}"


def _source(canvas: Canvas, solved: Solved, rows: Sequence[_Row], lane: float) -> None:
    top = _bar_top(rows, lane)
    canvas.box(_BAR_X, top, _BAR, _FULL, fill=MUTED, radius=2)
    words = wrap(f"“{solved.source.text}”", _BAR_X - MARGIN - 14, 14.5)
    y = top + _FULL / 2 - 20 * len(words) / 2
    below = canvas.lines(MARGIN, y, words, size=14.5, weight=600, lead=20 / 14.5)
    canvas.text(MARGIN, below + 1, f"succeeds {percent(solved.source.at_once)}", size=11.5, fill=MUTED)
    canvas.text(MARGIN, below + 19, f"{_chance(solved.source.passing)} if it stays", size=11.5, fill=MUTED)
