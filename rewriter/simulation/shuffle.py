"""An empty control that keeps its failures: what follows a failure is dealt out again among users."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from rewriter.simulation.turn import Turn

_PASSES = 30


def shuffle_following(turns: Sequence[Turn], seed: int) -> list[Turn]:
    """The log with the contents of all turns that follow a failure in their session swapped between users.

    Places (ids, users, times) stay, contents move, so the failures and their number are the same and no turn says again
    what failed before it. A content never lands in a session that asked for the same goal before.
    """
    sessions: dict[str, list[int]] = defaultdict(list)
    for index, turn in enumerate(turns):
        sessions[turn.session_id].append(index)
    before = {index: indices[:place] for indices in sessions.values() for place, index in enumerate(indices)}
    open_places = [i for i, earlier in before.items() if earlier and not turns[earlier[-1]].ok]
    rng = Random(f"shuffle/{seed}")
    contents = open_places[:]
    rng.shuffle(contents)
    dealt = dict(zip(open_places, contents, strict=True))

    def clashes(place: int) -> bool:
        content = turns[dealt[place]]
        earlier = {turns[dealt.get(i, i)].goal for i in before[place]}
        return content.goal in earlier or content.user_id == turns[place].user_id

    for _ in range(_PASSES):
        clashing = [place for place in open_places if clashes(place)]
        for place in clashing:
            other = rng.choice(open_places)
            dealt[place], dealt[other] = dealt[other], dealt[place]
        if not clashing:
            break
    return [
        _placed(turns[dealt[i]], turn) if i in dealt else replace(turn, rephrase_of=None) for i, turn in enumerate(turns)
    ]


def _placed(content: Turn, place: Turn) -> Turn:
    """The content of one turn at the place of another."""
    return replace(
        content,
        turn_id=place.turn_id,
        user_id=place.user_id,
        session_id=place.session_id,
        turn_index=place.turn_index,
        day=place.day,
        at=place.at,
        device=place.device,
        rephrase_of=None,
    )
