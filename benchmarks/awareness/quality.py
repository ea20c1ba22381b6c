"""How good the pairs of a miner are: average precision against the simulator's truth, with intervals over sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rewriter.simulation.catalogue import Goal
from rewriter.simulation.truth import judge
from rewriter.simulation.turn import Turn
from rewriter.simulation.world import World

Floats = NDArray[np.float64]
Said = dict[str, Counter[tuple[str, Goal]]]
#: A rewrite is truly better when it succeeds for so much more of those who say the source, as in `truth_pairs`.
MIN_GAIN = 0.3


@dataclass
class Meanings:
    """Who meant what by each heard text, before and after the flip."""

    flip_day: int
    planted: frozenset[Goal]
    said: tuple[Said, Said] = field(default_factory=lambda: ({}, {}))

    def add(self, turns: Iterable[Turn]) -> None:
        """Count the turns of some days."""
        for turn in turns:
            phase = self.said[turn.day >= self.flip_day]
            phase.setdefault(turn.heard.text, Counter())[turn.user_id, turn.goal] += 1

    def of(self, text: str, after: bool) -> Counter[tuple[str, Goal]]:
        """Uses of a text; where a changing goal is among them, those before or after the change alone."""
        both = [phase.get(text, Counter()) for phase in self.said]
        if any(goal in self.planted for uses in both for _, goal in uses):
            return both[after]
        return both[0] + both[1]


class Truth:
    """Whether a pair is truly better, remembered."""

    def __init__(self, world: World, meanings: Meanings) -> None:
        self._world, self._meanings = world, meanings
        self._known: dict[tuple[str, str, bool], bool] = {}

    def better(self, source: str, rewrite: str, after: bool) -> bool:
        """By what those who say the source mean, before or after the flip."""
        key = (source, rewrite, after)
        if key not in self._known:
            said = self._meanings.of(source, after)
            pair = judge(self._world, source, rewrite, said) if said else None
            self._known[key] = pair is not None and pair.p_success_rewrite - pair.p_success_source >= MIN_GAIN
        return self._known[key]


def average_precision(score: Floats, right: NDArray[np.bool_], weight: Floats, wanted: float) -> float:
    """Area under precision over recall of n scored items, by steps; equal scores enter together.

    Parameters
    ----------
    weight : (n,) float
        How often each item counts.
    wanted : float
        Weight of all that should be found; what is not among the items is missed.
    """
    order = np.argsort(-score, kind="stable")
    found, seen = np.cumsum((weight * right)[order]), np.cumsum(weight[order])
    last = np.append(score[order][1:] != score[order][:-1], True) if len(order) else np.zeros(0, bool)
    precision = found[last] / np.maximum(seen[last], 1e-12)
    return float(np.sum(precision * np.diff(found[last], prepend=0.0)) / wanted) if wanted > 0 else 0.0


@dataclass(frozen=True)
class Judged:
    """One round of one miner, ready to be scored under any weights of the sources.

    Attributes
    ----------
    source : (n,) int
        Source number of each supported pair of either miner.
    score : (n,) float
        ``share * max(lift_lower, 0)``, 0 for pairs this miner refused or does not know.
    published : (n,) bool
    right : (n,) bool
    certainty : (n,) float
        ``lift_lower``, by which published pairs are ranked.
    """

    source: NDArray[np.int64]
    score: Floats
    published: NDArray[np.bool_]
    right: NDArray[np.bool_]
    certainty: Floats

    def of_published(self, weight: Floats) -> float:
        """Average precision of the published pairs; what should be found is every source with a truly better rewrite."""
        kept = self.published
        wanted = float(weight[np.unique(self.source[self.right])].sum())
        return average_precision(self.certainty[kept], self.right[kept], weight[self.source[kept]], wanted)

    def of_all(self, weight: Floats) -> float:
        """Average precision of the ranking of all supported pairs."""
        each = weight[self.source]
        return average_precision(self.score, self.right, each, float(each[self.right].sum()))


def judged(tables: Sequence[pa.Table], truth: Truth, after: bool, min_users: int, numbers: dict[str, int]) -> list[Judged]:
    """One round of several miners over the pairs that at least one of them saw supported; ``numbers`` is filled."""
    rows = [{(row["source"], row["rewrite"]): row for row in table.to_pylist()} for table in tables]
    pairs = sorted({k for known in rows for k, row in known.items() if row["support_users"] >= min_users})
    source = np.array([numbers.setdefault(s, len(numbers)) for s, _ in pairs], np.int64)
    right = np.array([truth.better(s, r, after) for s, r in pairs], bool)
    result = []
    for known in rows:
        lower = np.array([known[k]["lift_lower"] if k in known else -1.0 for k in pairs])
        share = np.array([known[k]["share"] if k in known else 0.0 for k in pairs])
        published = np.array([k in known and known[k]["status"] == "active" for k in pairs], bool)
        result.append(Judged(source, share * np.maximum(lower, 0.0), published, right, lower))
    return result


def averages(rounds: Sequence[Judged], weight: Floats) -> Floats:
    """Average precision of the published pairs and of all: the mean of rounds, and that of the last one, (2, 2)."""
    each: Floats = np.array([[j.of_published(weight), j.of_all(weight)] for j in rounds])
    return np.stack([each.mean(axis=0), each[-1]])


def bootstrap(seeds: Sequence[tuple[Sequence[Judged], Sequence[Judged]]], draws: int, seed: int) -> Floats:
    """Averages of both miners with seeds, and the sources of each, drawn again, (draws, 2 miners, 2, 2).

    Parameters
    ----------
    seeds : pairs of judged rounds
        Without and with self-awareness, of each seed.
    """
    rng = np.random.default_rng(seed)
    drawn = np.empty((draws, 2, 2, 2))
    for k in range(draws):
        several = []
        for place in rng.integers(0, len(seeds), len(seeds)):
            n = 1 + max(int(j.source.max(initial=-1)) for j in seeds[place][0])
            weight = rng.multinomial(n, np.full(n, 1.0 / n)).astype(np.float64)
            several.append([averages(rounds, weight) for rounds in seeds[place]])
        drawn[k] = np.mean(several, axis=0)
    return drawn
