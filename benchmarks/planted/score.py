"""How right the published pairs are and how many of the sources worth finding they find, by the simulator's truth."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from jobs.judge_pairs import Reading, refusal
from rewriter.decision.guards import Guards
from rewriter.evaluation.win_loss import wilson
from rewriter.settings import Settings
from rewriter.simulation.simulate import LOCALE
from rewriter.simulation.truth import TruePair, judge
from rewriter.simulation.world import World

#: A share, what it is of, and its 95% Wilson interval.
Share = dict[str, float | int]
NEVER_SEEN = "no user said anything else after it"
MOST_REASONS = 12


@dataclass(frozen=True)
class Truth:
    """What is known about one log: its world, who said what for what, and how NLU mostly read it."""

    world: World
    said: pa.Table

    def judged(self, pairs: pa.Table) -> list[TruePair]:
        """The true success of each pair for those who say its source."""
        sources = pc.unique(pairs.column("source"))
        rows = self.said.filter(pc.is_in(self.said.column("utterance"), sources))
        counts: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
        for row in rows.group_by(["utterance", "user_id", "goal"]).aggregate([([], "count_all")]).to_pylist():
            counts[row["utterance"]][row["user_id"], row["goal"]] = row["count_all"]
        both = zip(pairs.column("source").to_pylist(), pairs.column("rewrite").to_pylist(), strict=True)
        return [judge(self.world, source, rewrite, counts[source]) for source, rewrite in both]

    def readings(self, texts: Iterable[str]) -> dict[str, Reading]:
        """How NLU mostly read each text, where it was said."""
        rows = self.said.filter(pc.is_in(self.said.column("utterance"), pa.array(sorted(set(texts)), pa.string())))
        counted = rows.group_by(["utterance", "domain", "intent"]).aggregate([([], "count_all")])
        ordered = counted.sort_by([("count_all", "ascending"), ("domain", "ascending"), ("intent", "ascending")])
        return {r["utterance"]: Reading(r["utterance"], r["domain"], r["intent"]) for r in ordered.to_pylist()}


def is_right(pair: TruePair) -> bool:
    """Whether the rewrite does better than its source, and what most who say the source mean."""
    return pair.p_success_rewrite > max(pair.p_success_source, 0.5)


def share(k: int, n: int) -> Share:
    """``k`` of ``n`` with its interval."""
    low, high = wilson(k, n)
    return {"k": k, "n": n, "share": round(k / n, 4) if n else 0.0, "low": round(low, 4), "high": round(high, 4)}


def allowed(truth: Truth, worth: pa.Table, settings: Settings) -> set[str]:
    """The sources whose true pair the run-time guards do not refuse."""
    guards, rows = Guards(settings.decide), worth.to_pylist()
    readings = truth.readings(text for row in rows for text in (row["source"], row["rewrite"]))

    def reading(text: str) -> Reading:
        return readings.get(text, Reading(text, None, None))

    return {r["source"] for r in rows if not refusal(guards, LOCALE, reading(r["source"]), reading(r["rewrite"]))}


def missed_reasons(pairs: pa.Table, missed: set[str]) -> dict[str, int]:
    """Why the best supported pair of each missed source was not published, the commonest first; numbers read N."""
    rows = pairs.filter(pc.is_in(pairs.column("source"), pa.array(sorted(missed), pa.string())))
    ordered = rows.sort_by([("support_users", "ascending"), ("rewrite", "ascending")]).to_pylist()
    best = dict.fromkeys(missed, NEVER_SEEN) | {row["source"]: _reason(row) for row in ordered}
    counts = Counter(best.values()).most_common()
    rest = sum(n for _, n in counts[MOST_REASONS:])
    return dict(counts[:MOST_REASONS]) | ({"any other": rest} if rest else {})


def _reason(row: dict[str, str]) -> str:
    if row["status"] == "active":
        return "published, but wrong"
    return re.sub(r"\d+(\.\d+)?%?", "N", re.sub(r"'[^']*'", "'...'", row["reason"]))


def score(truth: Truth, pairs: pa.Table, truth_pairs: pa.Table, settings: Settings) -> dict[str, object]:
    """Precision of the active pairs, and recall by source over three sets of sources (`benchmarks.planted.run`)."""
    active = pairs.filter(pc.equal(pairs.column("status"), "active"))
    judged = truth.judged(active)
    found = {pair.source for pair in judged if is_right(pair)}
    least = settings.mine.min_users
    repaired = truth_pairs.filter(pc.greater_equal(truth_pairs.column("n_repair_users"), least))
    said = truth_pairs.filter(pc.greater_equal(truth_pairs.column("n_users"), least))
    sets = {
        "repaired": set(repaired.column("source").to_pylist()),
        "repaired_and_allowed": allowed(truth, repaired, settings),
        "said": set(said.column("source").to_pylist()),
    }
    wrong = [f"{pair.source} -> {pair.rewrite}" for pair in judged if not is_right(pair)]
    return {
        "active": active.num_rows,
        "precision": share(len(judged) - len(wrong), len(judged)),
        "recall": {name: share(len(sources & found), len(sources)) for name, sources in sets.items()},
        "wrong": wrong,
        "missed_of_repaired": missed_reasons(pairs, sets["repaired"] - found),
    }
