"""Both worlds of each seed in figures: average precision with intervals, failed requests, how long wrong pairs live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.awareness.quality import Floats, Judged, Truth, averages, bootstrap, judged
from benchmarks.awareness.worlds import BAD_PAIRS, FLIPPED, Round, Setup

MINERS = ("without", "with")
#: What average precision is taken of, in the order of `benchmarks.awareness.quality.averages`.
MEASURES = {
    "published": "published pairs by lift_lower; to be found: each source that has a truly better rewrite with min_users in "
    "either world",
    "all_supported": "all pairs with min_users in either world by share * max(lift_lower, 0), 0 where refused",
}
WHEN = ("mean_of_rounds", "last_round")
DRAWS = 1000


@dataclass(frozen=True)
class Worlds:
    """Both worlds of one seed: their rounds, and each round's pairs judged by the truth, by miner."""

    setup: Setup
    rounds: dict[str, list[Round]]
    judged: dict[str, list[Judged]]
    truth: Truth

    def right(self, one: Round) -> int:
        """How many of the pairs that a round published are truly better."""
        after = one.number >= self.setup.flip_round
        return sum(self.truth.better(s, r, after) for s, r in one.published.items())


def judged_worlds(setup: Setup, rounds: dict[str, list[Round]], truth: Truth) -> Worlds:
    """The worlds of one seed with every round judged over the pairs that either miner saw supported."""
    numbers: dict[str, int] = {}
    each = [
        judged([r.pairs for r in pair], truth, pair[0].number >= setup.flip_round, setup.min_users, numbers)
        for pair in zip(*rounds.values(), strict=True)
    ]
    return Worlds(setup, rounds, {miner: [one[k] for one in each] for k, miner in enumerate(MINERS)}, truth)


def row_of(worlds: Worlds, number: int) -> dict[str, Any]:
    """One round as JSON: each miner's log, its published pairs and their quality."""
    first = worlds.judged[MINERS[0]][number]
    row: dict[str, Any] = {"round": number, "supported_pairs": len(first.source)}
    row["rewritable_sources"] = len(np.unique(first.source[first.right]))
    weight = np.ones(1 + max(int(j.source.max(initial=-1)) for j in worlds.judged[MINERS[0]]))
    for miner in MINERS:
        one, j = worlds.rounds[miner][number], worlds.judged[miner][number]
        row[miner] = {
            "turns": one.n_turns,
            "defective": round(one.defective, 4),
            "live": len(one.live),
            "published": len(one.published),
            "published_right": worlds.right(one),
            "pr_auc_published": round(j.of_published(weight), 4),
            "pr_auc_all_supported": round(j.of_all(weight), 4),
            "bad_pairs": {s: one.standing(s, r) for s, r in BAD_PAIRS.items()},
            "flipped_to": one.published.get(FLIPPED),
        }
    return row


def mean_rows(seeds: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The rounds in the mean of the seeds, for each miner."""
    names = ("defective", "published", "published_right", "pr_auc_published", "pr_auc_all_supported")
    return [
        {"round": rows[0]["round"]}
        | {miner: {name: round(float(np.mean([r[miner][name] for r in rows])), 4) for name in names} for miner in MINERS}
        for rows in zip(*seeds, strict=True)
    ]


def bad_rounds(setup: Setup, rounds: Sequence[Round]) -> int | None:
    """Rounds of the log until no planted bad pair is published; None if one is to the end."""
    for one in rounds[setup.bad_round :]:
        if not set(BAD_PAIRS.items()) & set(one.published.items()):
            return one.number - setup.bad_round + 1
    return None


def flip_rounds(setup: Setup, rounds: Sequence[Round], truth: Truth) -> int | None:
    """Rounds of the log from the flip until the published rewrite does what is now meant; None if it never does."""
    right = [FLIPPED in r.published and truth.better(FLIPPED, r.published[FLIPPED], True) for r in rounds]
    first = next((k for k in range(setup.flip_round, len(rounds)) if right[k]), None)
    return None if first is None else first - setup.flip_round + 1


def longest_wrong(worlds: Worlds, miner: str) -> int:
    """The most rounds in a row that one wrong pair stayed published, each by the truth of its day."""
    runs: dict[tuple[str, str], int] = {}
    longest = 0
    for one in worlds.rounds[miner]:
        after = one.number >= worlds.setup.flip_round
        wrong = [pair for pair in one.published.items() if not worlds.truth.better(*pair, after)]
        runs = {pair: runs.get(pair, 0) + 1 for pair in wrong}
        longest = max([longest, *runs.values()])
    return longest


def gain_of(without: float, with_it: float) -> dict[str, Any]:
    """The rise in average precision: relative, and as a share of what was missing."""
    rise = with_it - without
    target = min(0.27 * without, 0.5 * (1.0 - without))
    return {
        "without": round(without, 4),
        "with": round(with_it, 4),
        "relative": round(rise / max(without, 1e-12), 4),
        "of_missing": round(rise / max(1.0 - without, 1e-12), 4),
        "reaches_target": bool(rise >= target),
    }


def gains(plain: Floats) -> dict[str, Any]:
    """`gain_of` each measure, of the mean of rounds and of the last one; ``plain`` is (2 miners, 2, 2)."""
    return {
        f"pr_auc_{measure}": {when: gain_of(*plain[:, w, m].tolist()) for w, when in enumerate(WHEN)}
        for m, measure in enumerate(MEASURES)
    }


def of_miners(worlds: Worlds) -> Floats:
    """`averages` of the rounds that were served, (2 miners, 2, 2)."""
    n = 1 + max(int(j.source.max(initial=-1)) for j in worlds.judged[MINERS[0]])
    return np.array([averages(worlds.judged[miner][1:], np.ones(n)) for miner in MINERS])


def summary_of(worlds: Worlds) -> dict[str, Any]:
    """One seed: gains, failed requests, and how long wrong pairs stayed."""
    result = gains(of_miners(worlds))
    for miner, rounds in worlds.rounds.items():
        turns, rates = (np.array([getattr(r, name) for r in rounds[1:]]) for name in ("n_turns", "defective"))
        result[miner] = {
            "defective": round(float(rates @ turns / turns.sum()), 4),
            "bad_pairs_gone_after_rounds": bad_rounds(worlds.setup, rounds),
            "flip_followed_after_rounds": flip_rounds(worlds.setup, rounds, worlds.truth),
            "wrong_pairs_by_round": [len(r.published) - worlds.right(r) for r in rounds],
            "longest_wrong_pair_rounds": longest_wrong(worlds, miner),
        }
    return result


def over_seeds(several: Sequence[Worlds], seed: int) -> dict[str, Any]:
    """The mean of the seeds, with 95% intervals of the relative gain from seeds and sources drawn again."""
    result = gains(np.mean([of_miners(worlds) for worlds in several], axis=0))
    without, with_it = MINERS
    drawn = bootstrap([(w.judged[without][1:], w.judged[with_it][1:]) for w in several], DRAWS, seed)
    relative = drawn[:, 1] / np.maximum(drawn[:, 0], 1e-12) - 1.0
    for m, measure in enumerate(MEASURES):
        for w, when in enumerate(WHEN):
            interval = np.quantile(relative[:, w, m], [0.025, 0.975]).round(4).tolist()
            result[f"pr_auc_{measure}"][when]["relative_interval"] = interval
    return result
