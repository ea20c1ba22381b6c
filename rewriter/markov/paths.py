"""The strongest ways from one state to success through another: what an analyst reads behind a pair."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from rewriter.markov.chain import Chain


@dataclass(frozen=True)
class Way:
    """States from source to rewrite, and the chance of walking exactly so and then succeeding."""

    states: tuple[int, ...]
    probability: float


def strongest_ways(chain: Chain, source: int, rewrite: int, most: int = 5, longest: int = 5) -> list[Way]:
    """The likeliest ways without a repeated state, best first, at most ``longest`` transitions each.

    Best-first search: a way's probability only falls as it grows, so the first found are the best.
    """
    heap: list[tuple[float, tuple[int, ...]]] = [(-1.0, (source,))]
    found: list[Way] = []
    while heap and len(found) < most:
        negative, way = heapq.heappop(heap)
        if way[-1] == rewrite and len(way) > 1:
            found.append(Way(way, -negative))
            continue
        if len(way) > longest:
            continue
        row = slice(chain.Q.indptr[way[-1]], chain.Q.indptr[way[-1] + 1])
        for nxt, p in zip(chain.Q.indices[row].tolist(), chain.Q.data[row].tolist(), strict=True):
            if nxt not in way:
                # The last step is to success, so an arriving way already carries it.
                end = float(chain.R[nxt, 0]) if nxt == rewrite else 1.0
                heapq.heappush(heap, (negative * p * end, (*way, nxt)))
    return found
