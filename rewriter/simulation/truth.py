"""Which rewrites would truly help, by the world's own rules and by who says what."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rewriter.simulation.catalogue import Goal
from rewriter.simulation.turn import Turn
from rewriter.simulation.world import World

_MIN_USERS = 2  # a source of one user is a habit
_MIN_GAIN = 0.3  # the source's success must be clearly lower
_MIN_AGREEMENT = 2 / 3  # share of a source's users who mean what the rewrite does


@dataclass(frozen=True)
class TruePair:
    """A heard text, a better one, the true success of both for those who said the first, and how many those are.

    ``n_repair_users`` of them also showed in the log how the text is mended (`repairs`); `true_pairs` counts them.
    """

    source: str
    rewrite: str
    p_success_source: float
    p_success_rewrite: float
    n_users: int
    n_repair_users: int = 0


def meanings(turns: Iterable[Turn]) -> dict[str, Counter[tuple[str, Goal]]]:
    """For each heard text, how often which user said it for which goal."""
    said: dict[str, Counter[tuple[str, Goal]]] = defaultdict(Counter)
    for turn in turns:
        said[turn.heard.text][turn.user_id, turn.goal] += 1
    return said


def repairs(turns: Iterable[Turn]) -> dict[tuple[str, Goal], set[str]]:
    """For each heard text and goal, who failed with it and later in the session reached that goal in other words."""
    mended: dict[tuple[str, Goal], set[str]] = defaultdict(set)
    later: dict[tuple[str, str, Goal], set[str]] = defaultdict(set)
    for turn in sorted(turns, key=lambda t: t.turn_index, reverse=True):
        text, place = turn.heard.text, (turn.user_id, turn.session_id, turn.goal)
        if turn.ok:
            later[place].add(text)
        elif place in later and later[place] != {text}:
            mended[text, turn.goal].add(turn.user_id)
    return mended


def judge(
    world: World, source: str, rewrite: str, said: Mapping[tuple[str, Goal], int] | Mapping[tuple[str, str], int]
) -> TruePair:
    """The true success of serving ``source`` as it is and as ``rewrite`` to those who said it, each user counted once.

    ``said`` holds how often which user said it for which goal (or its id).
    """
    users: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for (user, goal), n in said.items():
        users[user].append((world.succeeds(source, goal, user), world.succeeds(rewrite, goal, user), n))
    mean = [
        (
            sum(a * n for a, _, n in rows) / sum(n for *_, n in rows),
            sum(b * n for _, b, n in rows) / sum(n for *_, n in rows),
        )
        for rows in users.values()
    ]
    n_users = len(mean)
    return TruePair(source, rewrite, sum(a for a, _ in mean) / n_users, sum(b for _, b in mean) / n_users, n_users)


def true_pairs(world: World, turns: Sequence[Turn]) -> list[TruePair]:
    """Pairs worth having, one for each heard text of at least two users whose users mostly mean the same, sorted.

    The rewrite is the wording of what they mean that succeeds for most of them; among equals the one that this log heard
    succeed most often, then the most popular. Where a scenario changes a meaning midway, only the later days count.
    """
    turns = _current(world, turns)
    heard_well: dict[Goal, Counter[str]] = defaultdict(Counter)
    for turn in turns:
        if turn.ok_as_is:
            heard_well[turn.goal][turn.heard.text] += 1
    mended = repairs(turns)
    found = []
    for source, said in meanings(turns).items():
        goal = _shared_meaning(said)
        if goal is None:
            continue
        pair = _best(world, source, goal, said, heard_well[goal])
        if pair is not None and pair.p_success_rewrite - pair.p_success_source >= _MIN_GAIN:
            found.append(replace(pair, n_repair_users=len(mended.get((source, goal), ()))))
    return sorted(found, key=lambda p: p.source)


def _current(world: World, turns: Sequence[Turn]) -> Sequence[Turn]:
    """The turns whose meanings hold at the end of the log."""
    if any(planted.flips for planted in world.scenario.planted):
        return [turn for turn in turns if turn.day >= world.flip_day] or turns
    return turns


def _shared_meaning(said: Counter[tuple[str, Goal]]) -> Goal | None:
    """The goal that enough users mean by a text, if it has enough users and one such goal."""
    users: dict[Goal, set[str]] = defaultdict(set)
    for user, goal in said:
        users[goal].add(user)
    n_users = len({user for user, _ in said})
    goal = max(users, key=lambda g: (len(users[g]), g.id))
    return goal if n_users >= _MIN_USERS and len(users[goal]) >= _MIN_AGREEMENT * n_users else None


def _best(
    world: World, source: str, goal: Goal, said: Counter[tuple[str, Goal]], heard_well: Counter[str]
) -> TruePair | None:
    texts = [text for text in world.plain_texts(goal) if text != source]
    if not texts:
        return None
    judged = [(judge(world, source, text, said), heard_well[text], -place) for place, text in enumerate(texts)]
    return max(judged, key=lambda j: (j[0].p_success_rewrite, j[1], j[2]))[0]
