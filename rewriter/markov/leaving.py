"""What leaving a wording says about it: defect probabilities corrected by how often users say the same otherwise.

A rule or model sees one turn. A wording that the assistant mistakes in a way that looks fine is called a success turn by
turn, yet over the whole log its users keep leaving it for other words. Let a visit of wording i fail with chance theta_i, a
failure be said otherwise with chance rho, and a success never: then users leave i with chance ``r_i = theta_i rho``. Where
failures are certain rho can be counted, so ``theta_i = r_i / rho``. A visit that was not left still failed with chance
``phi_i = theta_i (1 - rho) / (1 - theta_i rho)``, and the odds of each turn's defect are multiplied by those of phi_i,
against those of the log's average wording, for which the turn's own probability was right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewriter.markov.counts import Floats, Ints, sums

#: Defect probability from which a failure is certain enough to count how often failures are said otherwise.
SURE = 0.9
#: A defect probability from here on is never corrected downwards: the turn itself said so.
OWN_WORD = 0.75
#: Visits that the log's average weighs in a wording's share of leaving, and visits below which nothing is corrected.
PRIOR_VISITS, MIN_VISITS = 4.0, 5
_LOW, _HIGH = 0.01, 0.99


@dataclass(frozen=True)
class Leaving:
    """The log's averages in one pass: the share of sure failures that are said otherwise, and that of all visits."""

    persistence: float
    share: float


@dataclass(frozen=True)
class Kinds:
    """Visits alike in state, defect and likeness, weighed together; k kinds, all (k,).

    Attributes
    ----------
    state : (k,) int
        Place of the state, 0..m-1.
    defect : (k,) float
        Probability that the turn failed, by its own signs.
    like : (k,) float
        Chance that the next turn says the same, if this one failed; zero without a next turn.
    is_given : bool
        ``like`` comes from a model and holds whether the turn failed or not.
    repeats : (k,) bool
        Whether the next turn has the same words: it is the same visit once more.
    n : (k,) float
        What these visits weigh: as many as they are, but for the cap of a user and the decay with age.
    """

    state: Ints
    defect: Floats
    like: Floats
    repeats: NDArray[np.bool_]
    n: Floats
    is_given: bool = False

    def gone(self, defect: Floats) -> Floats:
        """Weight that is said again, in the same words or others, (k,)."""
        return self.n * self.like if self.is_given else self.n * self.like * defect

    @property
    def n_states(self) -> int:
        """How many states there are, m."""
        return int(self.state.max(initial=-1)) + 1


def _logit(p: Floats) -> Floats:
    return np.log(p) - np.log1p(-p)


def corrected(defect: Floats, shift: Floats) -> Floats:
    """Defect probabilities with their log-odds shifted; a clear failure stays one, (n,).

    >>> corrected(np.array([0.5, 0.8]), np.array([2.0, -3.0])).round(2).tolist()
    [0.88, 0.8]
    """
    moved = 1.0 / (1.0 + np.exp(-_logit(np.clip(defect, _LOW, _HIGH)) - shift))
    return np.clip(np.maximum(moved, np.where(defect >= OWN_WORD, defect, 0.0)), _LOW, _HIGH)


def leaving_of(kinds: Kinds, defect: Floats) -> tuple[Floats, Floats]:
    """How much weight leaves each state for other words, and how many visits it has, repeats once; both (m,)."""
    gone = kinds.gone(defect)
    left = sums(kinds.state, np.where(kinds.repeats, 0.0, gone), kinds.n_states)
    return left, sums(kinds.state, kinds.n - np.where(kinds.repeats, gone, 0.0), kinds.n_states)


def totals(kinds: Kinds, defect: Floats) -> Floats:
    """Left and visits of all turns, and of the sure failures, (4,): what `averages` needs; totals of parts add up.

    They are whole millionths, so that the order of parts is nothing.
    """
    gone = kinds.gone(defect)
    left, visits = np.where(kinds.repeats, 0.0, gone), kinds.n - np.where(kinds.repeats, gone, 0.0)
    sure = defect >= SURE
    return np.array([np.rint(x * 1e6).sum() for x in (left, visits, left[sure], visits[sure])])


def averages(total: Floats) -> Leaving | None:
    """The log's averages of summed `totals`; None where nobody leaves or no failure is sure: nothing can be said."""
    left, visits, sure_left, sure_visits = total.tolist()
    if left <= 0 or sure_left <= 0:
        return None
    return Leaving(min(sure_left / sure_visits, _HIGH), left / visits)


def _failing(share: Floats, persistence: float) -> Floats:
    """Log-odds that a visit which was not left has failed, by its wording's share of leaving."""
    theta = np.clip(share / persistence, 0.001, 0.98)
    return _logit(theta * (1.0 - persistence) / (1.0 - theta * persistence))


def shifts(left: Floats, visits: Floats, log: Leaving) -> Floats:
    """How far the log-odds of a defect move for each state, (m,); zero for a wording that leaves like the log's average."""
    share = (left + PRIOR_VISITS * log.share) / (visits + PRIOR_VISITS)
    return _failing(share, log.persistence) - _failing(np.array([log.share]), log.persistence)


def replay(kinds: Kinds, passes: list[Leaving]) -> tuple[Floats, Floats]:
    """Shift of each state (m,) and corrected defect of each kind (k,) after passes with these averages of the whole log.

    Each pass starts from the turn's own probability again: the shift is replaced, never added to. States of fewer than
    `MIN_VISITS` visits keep theirs.
    """
    enough = leaving_of(kinds, np.asarray(kinds.defect))[1] >= MIN_VISITS
    shift, defect = np.zeros(kinds.n_states), np.asarray(kinds.defect)
    for log in passes:
        shift = np.where(enough, shifts(*leaving_of(kinds, defect), log), 0.0)
        defect = np.where(enough[kinds.state], corrected(kinds.defect, shift[kinds.state]), kinds.defect)
    return shift, defect
