"""Weak labels of rephrases from the log alone, by documented rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rewriter.rephrase.association import associated
from rewriter.rephrase.evidence import VIEWS, harmless_chance, rule_chance
from rewriter.rephrase.log import Bools, Floats, Ints, Log

#: A turn less likely than this to have failed is fine.
FINE_BELOW = 0.2
#: Log-odds of what many users said next after the same request failed. The model does not see it: it reads the words.
ASSOCIATED = 2.0
#: Chances from which on a label is called a rephrase, or unsure.
LIKELY, UNSURE = 0.5, 0.2

#: What a label is called. All but the first and the last are nulls; the harder ones are named.
KINDS = (
    "rephrase",  # failed, and a later turn says the same: more likely than not
    "repeat_after_success",  # answered, and said again with the same interpretation: wanted once more
    "slot_changed",  # fine, and said again with another value
    "next_goal_same_domain",  # fine, and another request to the same domain
    "next_goal",  # fine, and something else
    "answer",  # failed, the assistant asked something, and nothing later is close
    "moved_on",  # failed, and nothing later is close
    "unsure",  # the rules do not decide: between 0.2 and 0.5
)


@dataclass(frozen=True)
class WeakLabels:
    """Labels of m sources.

    Attributes
    ----------
    source
        Row numbers in the log, (m,).
    chance
        Chance that each of the next turns says the source again, unless it is a harmless repeat, (m, window_turns); 0 where
        there is no turn.
    harmless
        Chance that it is one: it means the same, and the source did not fail, (m, window_turns).
    kind
        Position in ``KINDS``, (m,).
    """

    source: Ints
    chance: Floats
    harmless: Floats
    kind: Ints

    @property
    def probability(self) -> Floats:
        """Chance that the source has a rephrase in its window, taken as that of the likeliest turn, (m,)."""
        return np.asarray(self.chance.max(axis=1, initial=0.0))

    def verdict(self, turn: Ints) -> tuple[Floats, Floats]:
        """Chances that naming a turn of each source, counted from 1, is right, and that it is wrong, (m,) each.

        They leave out that it is a harmless repeat, which is neither; both are 0 where no turn (0) is named.
        """
        rows = np.arange(len(turn))
        chance, harmless = self.chance[rows, turn - 1], self.harmless[rows, turn - 1]
        counted = np.where(turn > 0, 1.0 - harmless, 0.0)
        return chance * counted, (1.0 - chance) * counted

    @property
    def expected(self) -> float:
        """Expected number of sources with a rephrase, each by its likeliest turn."""
        return float((self.chance * (1.0 - self.harmless)).max(axis=1, initial=0.0).sum())

    def counts(self) -> dict[str, int]:
        """How many labels each rule made."""
        return {name: int(np.sum(self.kind == k)) for k, name in enumerate(KINDS)}


def take(labels: WeakLabels, rows: Ints | Bools) -> WeakLabels:
    """Some of the labels."""
    return WeakLabels(labels.source[rows], labels.chance[rows], labels.harmless[rows], labels.kind[rows])


def _kinds(log: Log, source: Ints, views: Floats, chance: Floats) -> Ints:
    fine = log.defect[source] < FINE_BELOW
    present = np.arange(views.shape[1]) < log.following[source][:, None]
    near = (present & (views[..., VIEWS.index("likeness")] >= 0)).any(axis=1)
    repeat = (views[..., VIEWS.index("same_answered")] > 0).any(axis=1)
    same_domain = np.array([log.domain[i] != "" and log.domain[i] == log.domain[i + 1] for i in source], dtype=bool)
    asked = np.array([log.response[i].rstrip().endswith(("?", "？", "؟")) for i in source], dtype=bool)
    best = chance.max(axis=1, initial=0.0)
    conditions = [best >= LIKELY, best >= UNSURE, repeat, fine & near, fine & same_domain, fine, asked]
    names = ["rephrase", "unsure", "repeat_after_success", "slot_changed", "next_goal_same_domain", "next_goal", "answer"]
    kinds = [np.full(len(source), KINDS.index(name)) for name in names]
    return np.select(conditions, kinds, default=KINDS.index("moved_on")).astype(np.int64)


def weak_labels(log: Log, views: Floats) -> WeakLabels:
    """Labels of every turn that has another in its window: the chances of `rewriter.rephrase.evidence`.

    A later turn says the source again if the source failed and the later turn means the same: the log-odds of its views
    added up, and of what many users said next (`rewriter.rephrase.association`). Whether the later turn succeeded is not
    asked, since many second attempts fail as well.

    Parameters
    ----------
    views
        From `rewriter.rephrase.evidence.evidence`, (n, window_turns, views).
    """
    source = np.flatnonzero(log.following > 0)
    more = np.zeros(views.shape[:2])
    more[:, 0] = ASSOCIATED * associated(log)
    chance = rule_chance(log, views, more)[source]
    harmless = harmless_chance(log, views, more)[source]
    return WeakLabels(source, chance, harmless, _kinds(log, source, views[source], chance))
