"""The first picture: a failed session, the pair mined from it, and a later request that was served the rewrite."""

from __future__ import annotations

from examples.picture_facts import Story
from examples.picture_svg import BAD, BAD_TINT, CARD, FAINT, GOOD, GOOD_TINT, MARGIN, MUTED, Canvas, heading, percent, wrap

#: Width of a card, the space between two, and where cards begin.
_COLUMN, _GAP, _CARDS = 252, 34, 84


def story_picture(story: Story) -> str:
    """The session, the pair and the live request side by side, in cards as tall as the tallest needs."""
    _, bottom = _drawn(story, 0.0)
    return _drawn(story, bottom)[0].svg()


def _drawn(story: Story, bottom: float) -> tuple[Canvas, float]:
    """The picture with cards that end at ``bottom``, and where its contents end."""
    pair = story.pair
    canvas = Canvas(
        bottom + 42,
        "A failed request becomes a rewrite that repairs later requests",
        f"'{pair['source']}' failed, its user said '{story.rephrase['utterance']}'; the pair later repaired a live request.",
    )
    heading(canvas, "A failed request repairs itself", f"“{pair['source']}” in the demo's simulated log")
    who = "another user" if story.repaired["user_id"] != story.failed["user_id"] else "the same user"
    titles = (
        ("In the log", f"{story.failed['at']:%-d %b, %H:%M}, one user"),
        ("Mined", f"{pair['first_seen']:%-d %b} to {pair['last_seen']:%-d %b}, {pair['support_users']} users"),
        ("Live", f"{story.repaired['at']:%-d %b, %H:%M}, {who}"),
    )
    ends = []
    for k, (title, when) in enumerate(titles):
        x = MARGIN + k * (_COLUMN + _GAP)
        canvas.box(x, _CARDS, _COLUMN, bottom + 14 - _CARDS, stroke=FAINT)
        canvas.text(x + 16, _CARDS + 25, title, size=13, weight=600)
        canvas.text(x + _COLUMN - 16, _CARDS + 25, when, size=11.5, fill=MUTED, anchor="end")
        if k:
            middle = (_CARDS + bottom + 14) / 2
            canvas.arrow(x - _GAP + 6, middle, x - 6, middle)
        ends.append((_session, _pair, _repaired)[k](canvas, x, story))
    return canvas, max(ends)


def _said(canvas: Canvas, x: float, y: float, words: str) -> float:
    """What the user said; returns where the next element begins."""
    lines = wrap(f"“{words}”", _COLUMN - 32, 14.5)
    return canvas.lines(x + 16, y + 15, lines, size=14.5, weight=600) - 4


def _answered(canvas: Canvas, x: float, y: float, words: str, verdict: str, good: bool) -> float:
    """What the assistant answered, tinted by how it went; returns where the next element begins."""
    lines = wrap(words, _COLUMN - 60, 13)
    height = 20 + 18 * len(lines) + 12
    tone, tint = (GOOD, GOOD_TINT) if good else (BAD, BAD_TINT)
    canvas.box(x + 16, y, _COLUMN - 32, height, fill=tint)
    canvas.box(x + 16, y, 4, height, fill=tone, radius=2)
    below = canvas.lines(x + 32, y + 20, lines, size=13, lead=18 / 13)
    canvas.text(x + 32, below, verdict, size=11.5, fill=tone, weight=600)
    return y + height + 14


def _session(canvas: Canvas, x: float, story: Story) -> float:
    """The failed turn and its rephrase; returns where it ends."""
    failed, rephrase = story.failed, story.rephrase
    verdict = f"{failed['response_status']}, interrupted" if failed["barge_in"] else str(failed["response_status"])
    below = _said(canvas, x, 126, failed["utterance"])
    below = _answered(canvas, x, below, failed["response"], verdict, good=False)
    gap_s = (rephrase["at"] - failed["at"]).total_seconds()
    canvas.text(x + 16, below + 8, f"{gap_s:.0f} s later, rephrased", size=11.5, fill=MUTED)
    below = _said(canvas, x, below + 15, rephrase["utterance"])
    return _answered(canvas, x, below, rephrase["response"], str(rephrase["response_status"]), good=True)


def _pair(canvas: Canvas, x: float, story: Story) -> float:
    """The pair with its chances and evidence; returns where it ends."""
    pair = story.pair
    below = _said(canvas, x, 126, pair["source"])
    canvas.arrow(x + 24, below + 1, x + 24, below + 17, stroke=GOOD)
    below = _said(canvas, x, below + 22, pair["rewrite"])
    canvas.text(x + 16, below + 20, "succeeds at once", size=11.5, fill=MUTED)
    for k, (name, p, tone) in enumerate(
        (("as it is", pair["p_success_source"], BAD), ("rewritten", pair["p_success_rewrite"], GOOD))
    ):
        y = below + 34 + 24 * k
        canvas.text(x + 16, y + 10, name, size=12)
        canvas.box(x + 80, y, 106, 13, fill="#eef0f2", radius=3)
        canvas.box(x + 80, y, max(106 * p, 2), 13, fill=tone, radius=3)
        canvas.text(x + _COLUMN - 16, y + 11, percent(p), size=12, weight=600, anchor="end")
    facts = (
        ("lift, at least", f"+{100 * pair['lift_lower']:.1f} points"),
        ("share of all ways to success", f"{pair['share']:.0%}"),
    )
    y = below + 96
    canvas.line(x + 16, y - 2, x + _COLUMN - 16, y - 2)
    for k, (name, value) in enumerate(facts):
        canvas.text(x + 16, y + 20 + 21 * k, name, size=11.5, fill=MUTED)
        canvas.text(x + _COLUMN - 16, y + 20 + 21 * k, value, size=11.5, weight=600, anchor="end")
    return y + 41


def _repaired(canvas: Canvas, x: float, story: Story) -> float:
    """The live request, its rewrite and the answer; returns where it ends."""
    turn = story.repaired
    below = _said(canvas, x, 126, turn["utterance"])
    lines = wrap(f"“{turn['rewrite']['served']}”", _COLUMN - 60, 13)
    height = 46 + 18 * (len(lines) - 1)
    canvas.box(x + 16, below, _COLUMN - 32, height, fill=CARD, stroke=GOOD)
    canvas.text(x + 28, below + 18, "rewritten before NLU to", size=11.5, fill=GOOD, weight=600)
    canvas.lines(x + 28, below + 36, lines, size=13, lead=18 / 13)
    canvas.arrow(x + 24, below + height + 3, x + 24, below + height + 19, stroke=GOOD)
    below = _answered(canvas, x, below + height + 25, turn["response"], str(turn["response_status"]), good=True)
    return canvas.lines(
        x + 16,
        below + 8,
        ["Unchanged, this request would have", "failed (known: the user is simulated)."],
        size=11.5,
        fill=MUTED,
    )
