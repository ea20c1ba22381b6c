"""How often a log says things again: after a failure, and after a request that did not fail."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rewriter.odds import logit
from rewriter.rephrase.log import Floats

#: Shares of pairs that mean the same, in the calls that the weights of the evidence were set on.
CALLS_FAILED, CALLS_FINE = 0.191, 0.058
#: The number of pairs that each of them counts for in another log.
USUAL_PAIRS = 20.0
_LEAST, _MOST = 0.01, 0.85


class Usual(NamedTuple):
    """Shares of pairs that mean the same, after a request that failed and after one that did not."""

    failed: float = CALLS_FAILED
    fine: float = CALLS_FINE

    @property
    def shift(self) -> float:
        """Log-odds that a pair after a failure means the same, above those of the calls."""
        return float(logit(self.failed) - logit(CALLS_FAILED))

    @property
    def anew(self) -> float:
        """Log of how much more often something else follows a request that did not fail than one that did."""
        return float(np.log1p(-self.fine) - np.log1p(-self.failed))


#: What stands for it in a log without interpretations, where nothing tells a changed value from other words, so that
#: whatever is alike would count; set on the train part of the airline sessions.
UNREAD = Usual(0.031, 0.031)


def estimate(odds: Floats, failed: Floats) -> Usual:
    """The shares of a log by expectation maximisation, no labels: all else about its pairs is taken as known.

    Parameters
    ----------
    odds
        Log-odds that each pair means the same by its views, if the share were that of the calls after a failure, (m,).
    failed
        Chance that the source of each pair failed, (m,).

    References
    ----------
    Saerens, Latinne and Decaestecker 2002, Adjusting the outputs of a classifier to new a priori probabilities, Neural
    Computation 14(1), section 2.2; here for two classes of sources at once.
    """
    likelier = np.exp(odds - logit(CALLS_FAILED))
    found = Usual()
    for _ in range(200):
        before, found = found, _step(likelier, failed, found)
        if max(abs(a - b) for a, b in zip(before, found, strict=True)) < 1e-5:
            break
    return Usual(*(round(share, 6) for share in found))


def _step(likelier: Floats, failed: Floats, usual: Usual) -> Usual:
    chances = (failed, 1.0 - failed)
    same = [chance * share * likelier for chance, share in zip(chances, usual, strict=True)]
    other = [chance * (1.0 - share) for chance, share in zip(chances, usual, strict=True)]
    every = sum(same) + sum(other)
    shares = [
        ((s / every).sum() + USUAL_PAIRS * calls) / (((s + o) / every).sum() + USUAL_PAIRS)
        for s, o, calls in zip(same, other, Usual(), strict=True)
    ]
    return Usual(*(float(np.clip(share, _LEAST, _MOST)) for share in shares))
