"""Whether a wording of several meanings is served as the one who says it means it: cases of a planted scenario."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rewriter.evaluation.win_loss import wilson
from rewriter.simulation.catalogue import Goal
from rewriter.simulation.scenario import Planted
from rewriter.simulation.turn import Turn
from rewriter.simulation.world import World

Reached = dict[str, Counter[Goal]]


@dataclass(frozen=True)
class Case:
    """One live request heard as the planted wording.

    Attributes
    ----------
    history
        What the user's successes in the log say of it: ``own`` (this meaning, and not the other), ``none``, or ``mixed``
        (the other one, or both).
    common
        Whether the user means what most people mean.
    served
        Whether it was rewritten.
    right
        Whether the text that NLU was given does what the user means, an outage of the service behind aside.
    """

    history: str
    common: bool
    served: bool
    right: bool


def reached(turns: Iterable[Turn]) -> Reached:
    """Goals that each user reached, and how often."""
    done: Reached = defaultdict(Counter)
    for turn in turns:
        if turn.ok:
            done[turn.user_id][turn.goal] += 1
    return done


def cases(world: World, past: Reached, live: Sequence[Turn]) -> list[Case]:
    """Every live request that was heard as a planted wording and meant as one of its meanings."""
    planted = {one.text: one for one in world.scenario.planted}
    found = []
    for turn in live:
        one = planted.get(turn.heard.text)
        if one is not None and turn.goal in (one.goal, one.other):
            text = turn.answer.served or turn.heard.text
            right = world.succeeds(text, turn.goal, turn.user_id)
            history = _history(past[turn.user_id], one, turn.goal)
            found.append(Case(history, turn.goal == one.goal, turn.answer.served is not None, right))
    return found


def _history(done: Counter[Goal], one: Planted, meant: Goal) -> str:
    other = one.other if meant == one.goal else one.goal
    if done[other]:
        return "mixed"
    return "own" if done[meant] else "none"


def counted(part: Sequence[Case]) -> dict[str, Any]:
    """How many cases there are, how many were rewritten and served right, and the share right with its 95% interval."""
    right = sum(case.right for case in part)
    low, high = wilson(right, len(part))
    return {
        "cases": len(part),
        "rewritten": sum(case.served for case in part),
        "rewritten_wrong": sum(case.served and not case.right for case in part),
        "right": right,
        "share": round(right / len(part), 4) if part else None,
        "low": round(low, 4),
        "high": round(high, 4),
    }
