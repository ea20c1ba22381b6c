"""What the bi-encoder learns from: a request as it failed or may be heard, and the request that was meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

KINDS = ("rephrase", "alternative", "wording")
_WORDINGS = 6  # of one meaning: enough variety, and no meaning crowds out the others


class Known(NamedTuple):
    """A request known to succeed. ``meaning`` names its interpretation; empty where NLU gave none."""

    text: str
    meaning: str
    n: int = 1


@dataclass(frozen=True)
class Pair:
    """A query and the request it should find.

    ``kind``: ``rephrase`` (failed request, its successful rephrase), ``alternative`` (what the recogniser might have
    heard, what it heard when it was right) or ``wording`` (two successful wordings of one interpretation).
    """

    query: str
    target: str
    meaning: str
    kind: str
    n: int = 1


def wordings(known: Iterable[Known]) -> list[Pair]:
    """Pairs of each meaning's other wordings with its most frequent one.

    >>> [(p.query, p.target) for p in wordings([Known("jazz", "m", 9), Known("play jazz", "m", 2), Known("hi", "h")])]
    [('play jazz', 'jazz')]
    """
    groups: dict[str, list[Known]] = defaultdict(list)
    for one in known:
        if one.meaning:
            groups[one.meaning].append(one)
    pairs = []
    for meaning in sorted(groups):
        first, *rest = sorted(groups[meaning], key=lambda one: (-one.n, one.text))[:_WORDINGS]
        pairs += [Pair(other.text, first.text, meaning, "wording", other.n) for other in rest]
    return pairs


def consistent(pairs: Iterable[Pair], meanings: Mapping[str, str]) -> list[Pair]:
    """The pairs whose query is not itself known to mean something else, nor equal to its target.

    ``meanings`` gives the meaning of each known text: "north" is no mishearing of "south".
    """
    return [p for p in pairs if p.query != p.target and meanings.get(p.query, p.meaning) == p.meaning]


def meanings_of(known: Sequence[Known]) -> dict[str, str]:
    """The meaning of each text; the most frequent one where a text has several."""
    return {one.text: one.meaning for one in sorted(known, key=lambda one: (one.n, one.meaning)) if one.meaning}
