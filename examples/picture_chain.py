"""The second picture: one solved chain, drawn as the flow of all users who begin with the same failed request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from examples.picture_facts import End, Said, Solved
from examples.picture_svg import BAD, CARD, FAINT, GOOD, MARGIN, MUTED, SOFT, Canvas, heading, percent, wrap

#: Thickness of the line that all users would make.
_FULL = 130
_TOP, _SPACE = 112, 12
#: Columns from left to right: the source's bar, what is said next, what is understood, how it ends.
_BAR_X, _SAID_X, _END_X, _FINAL_X = 148, 226, 508, 772
_BAR, _SAID_W, _END_W = 9, 194, 206
#: What fewer than this share of the users reach is left out.
_LEAST = 5e-4


@dataclass(frozen=True)
class _Box:
    """A box: its text in lines, top and height."""

    words: tuple[str, ...]
    y: float
    height: float

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height


def _boxes(rows: Sequence[tuple[str, float]], width: float) -> list[_Box]:
    """Boxes one below the other, of (text, share of the users) each."""
    boxes, y = [], float(_TOP)
    for text, share in rows:
        words = tuple(wrap(text, width - 28, 13))
        height = max(30.0 + 17 * len(words), _FULL * share)
        boxes.append(_Box(words, y, height))
        y += height + _SPACE
    return boxes


def _said(solved: Solved) -> list[tuple[str, Said]]:
    """What is said next, each with its name in the picture."""
    named = [(f"“{s.text}”", s) for s in solved.said]
    named.append((_several(solved.n_others, "other request"), solved.others))
    named.append(("nothing else", solved.at_once))
    return [(name, s) for name, s in named if max(s.step, s.failing + sum(s.leads)) >= _LEAST]


def _several(n: int, name: str) -> str:
    return f"{n} {name}" if n == 1 else f"{n} {name}s"


def _ends(solved: Solved) -> list[tuple[str, int, End]]:
    """The states before success, each with its name and its place in the leads."""
    named = [(f"understood as “{e.text}”" if e.is_reading else f"“{e.text}”", k, e) for k, e in enumerate(solved.ends)]
    named.append((_several(solved.n_other_ends, "other"), len(solved.ends), solved.other_ends))
    return [(name, k, e) for name, k, e in named if e.C >= _LEAST]


def chain_picture(solved: Solved) -> str:
    """What the users of one source say next, what is understood of it, how they end, and the chosen rewrite."""
    said, ends = _said(solved), _ends(solved)
    left = _boxes([(name, max(s.step, s.failing + sum(s.leads))) for name, s in said], _SAID_W)
    right = _boxes([(name, e.C) for name, _, e in ends], _END_W)
    failing = _FULL * sum(s.failing for _, s in said)
    lane = max(right[-1].bottom + 18, left[-1].bottom - failing)
    chosen = ends[0][2]
    canvas = Canvas(
        max(lane + failing, left[-1].bottom) + 52,
        f"The chain around '{solved.source}'",
        f"Of its users {percent(solved.success)} end in success; most of those are understood as '{chosen.text}' last.",
    )
    heading(
        canvas,
        f"One solved chain: what follows “{solved.source}”",
        "Thickness: share of the users on the left.  %: chance of a step.  C: chance to succeed through this state last.",
    )
    for x, title in ((MARGIN, "said"), (_SAID_X, "said next"), (_END_X, "understood, and done")):
        canvas.text(x, _TOP - 14, title, size=11.5, fill=MUTED)
    _outward(canvas, solved, said, left)
    _down(canvas, said, left, lane)
    _across(canvas, said, left, ends, right)
    _final(canvas, solved, ends, right, lane)
    for (_, s), box in zip(said, left, strict=True):
        _said_box(canvas, s, box)
    for (_, k, e), box in zip(ends, right, strict=True):
        _end_box(canvas, e, box, is_chosen=k == 0)
    canvas.text(MARGIN, canvas.height - 20, _note(solved), size=12, fill=MUTED)
    return canvas.svg()


def _note(solved: Solved) -> str:
    chosen = solved.ends[0].C
    best = "C" if max(e.C for e in solved.ends) <= chosen else "C of those allowed"
    return (
        f"The rewrite has the largest {best}: {chosen:.3f} of {solved.success:.3f}, a share of "
        f"{chosen / solved.success:.0%}. Ways back, and between what is said next, count in C and are not drawn."
    )


def _first_line(box: _Box) -> float:
    """Baseline of the first line of a box that has one more line below its words."""
    return box.middle - 17 * (len(box.words) + 1) / 2 + 13


def _outward(canvas: Canvas, solved: Solved, said: Sequence[tuple[str, Said]], left: Sequence[_Box]) -> None:
    """The source, and the steps from it to what is said next."""
    top = (left[0].y + left[-1].bottom - _FULL) / 2
    y = top
    for (_, s), box in zip(said, left, strict=True):
        thick = _FULL * s.step
        canvas.flow(_BAR_X + _BAR, y + thick / 2, _SAID_X, box.middle, thick, fill=SOFT, opacity=0.5)
        y += thick
    for (_, s), box in zip(said, left, strict=True):
        thick, label = _FULL * s.step, percent(s.step) if s.step >= _LEAST else "later"
        # Beside a thin band, on the side that it does not come from.
        aside = thick / 2 + 4 if box.middle < top + _FULL / 2 else -thick / 2 - 13
        canvas.text(_SAID_X - 8, box.middle + (4 if thick > 14 else -aside), label, size=11.5, anchor="end")
    canvas.box(_BAR_X, top, _BAR, _FULL, fill=MUTED, radius=2)
    words = wrap(f"“{solved.source}”", _BAR_X - MARGIN - 10, 14)
    canvas.lines(MARGIN, top + _FULL / 2 - 19 * len(words) / 2 + 13, words, size=14, weight=600, lead=19 / 14)


def _across(
    canvas: Canvas,
    said: Sequence[tuple[str, Said]],
    left: Sequence[_Box],
    ends: Sequence[tuple[str, int, End]],
    right: Sequence[_Box],
) -> None:
    """From what is said to what is understood; what leads to the rewrite in its colour."""
    arrive = [box.middle - _FULL * e.C / 2 for (_, _, e), box in zip(ends, right, strict=True)]
    for (_, s), box in zip(said, left, strict=True):
        y = box.middle - _FULL * (s.failing + sum(s.leads)) / 2
        for place, (_, k, _) in enumerate(ends):
            thick, tone = _FULL * s.leads[k], GOOD if k == 0 else SOFT
            middle = arrive[place] + thick / 2
            canvas.flow(_SAID_X + _SAID_W, y + thick / 2, _END_X, middle, thick, fill=tone, opacity=0.5)
            y += thick
            arrive[place] += thick


def _down(canvas: Canvas, said: Sequence[tuple[str, Said]], left: Sequence[_Box], lane: float) -> None:
    """From what is said last, below all that is understood, to failure."""
    y = lane
    for (_, s), box in zip(said, left, strict=True):
        thick = _FULL * s.failing
        leave = box.middle + _FULL * (s.failing + sum(s.leads)) / 2 - thick / 2
        canvas.flow(_SAID_X + _SAID_W, leave, _END_X, y + thick / 2, thick, fill=BAD, opacity=0.28)
        canvas.flow(_END_X, y + thick / 2, _FINAL_X, y + thick / 2, thick, fill=BAD, opacity=0.28)
        y += thick


def _final(canvas: Canvas, solved: Solved, ends: Sequence[tuple[str, int, End]], right: Sequence[_Box], lane: float) -> None:
    """Success and failure."""
    n_success, n_failure = _FULL * solved.success, _FULL * (1 - solved.success)
    top = max(right[0].middle - _FULL * ends[0][2].C / 2, _TOP)
    y = top
    for (_, k, e), box in zip(ends, right, strict=True):
        thick, tone = _FULL * e.C, GOOD if k == 0 else SOFT
        canvas.flow(_END_X + _END_W, box.middle, _FINAL_X, y + thick / 2, thick, fill=tone, opacity=0.5)
        y += thick
    for y, height, name, p, tone in (
        (top, n_success, "SUCCESS", solved.success, GOOD),
        (lane, n_failure, "FAILURE", 1 - solved.success, BAD),
    ):
        canvas.box(_FINAL_X, y, _BAR, height, fill=tone, radius=2)
        canvas.text(_FINAL_X + 18, y + height / 2 - 2, name, size=12.5, weight=600, fill=tone)
        canvas.text(_FINAL_X + 18, y + height / 2 + 16, percent(p), size=13)


def _said_box(canvas: Canvas, said: Said, box: _Box) -> None:
    canvas.box(_SAID_X, box.y, _SAID_W, box.height, stroke=FAINT, radius=7)
    below = canvas.lines(_SAID_X + 14, _first_line(box), box.words, size=13, lead=17 / 13)
    canvas.text(_SAID_X + 14, below, f"{percent(said.failing)} give up here", size=11.5, fill=MUTED)


def _end_box(canvas: Canvas, end: End, box: _Box, is_chosen: bool) -> None:
    tone, weight = (GOOD, 600) if is_chosen else (FAINT, 400)
    canvas.box(_END_X, box.y, _END_W, box.height, fill=CARD, stroke=tone, radius=7)
    below = canvas.lines(_END_X + 14, _first_line(box), box.words, size=13, weight=weight, lead=17 / 13)
    canvas.text(_END_X + 14, below, _chance(end.C), size=13, weight=600)
    if is_chosen:
        canvas.text(_END_X + _END_W - 14, below, "the rewrite", size=11.5, fill=GOOD, anchor="end")


def _chance(C: float) -> str:
    return "C <0.001" if C < 5e-4 else f"C {C:.3f}"
