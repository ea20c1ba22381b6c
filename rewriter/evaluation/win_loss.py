"""Wins and losses of rewriting, and how sure their ratio is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rewriter.errors import RewriterError

#: Normal quantile of a two-sided 95% interval.
Z95 = 1.959963984540054


class Outcome(StrEnum):
    """What a rewrite did to one request."""

    WIN = "win"  # failed as it was, succeeds rewritten
    LOSS = "loss"  # succeeded as it was, fails rewritten
    TIE = "tie"  # the rewrite changed nothing
    UNDECIDED = "undecided"  # the log cannot tell


def wilson(k: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson score interval of a proportion; (0, 1) when nothing was counted.

    Parameters
    ----------
    k, n
        Successes and trials, ``0 <= k <= n``.
    z
        Normal quantile; 1.96 gives 95%.

    References
    ----------
    Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    Examples
    --------
    >>> low, high = wilson(35, 36)
    >>> round(low, 4), round(high, 4)
    (0.8583, 0.9951)
    """
    if not 0 <= k <= n:
        raise RewriterError(f"wilson: {k} successes of {n} trials is impossible")
    if n == 0:
        return 0.0, 1.0
    p = k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At the ends rounding would leave 1e-17 instead of the exact bound.
    return (0.0 if k == 0 else centre - half), (1.0 if k == n else centre + half)


def _odds(p: float) -> float:
    return math.inf if p >= 1.0 else p / (1.0 - p)


@dataclass(frozen=True)
class WinLoss:
    """Counts of one segment: ``n`` requests, of which ``rewritten`` were (or would have been) rewritten."""

    n: int
    rewritten: int
    wins: int
    losses: int
    ties: int = 0
    undecided: int = 0

    def __post_init__(self) -> None:
        judged = self.wins + self.losses + self.ties + self.undecided
        if min(self.wins, self.losses, self.ties, self.undecided) < 0 or judged > self.rewritten or self.rewritten > self.n:
            raise RewriterError(f"impossible win/loss counts: {self}")

    @classmethod
    def of(cls, outcomes: Iterable[str], n: int) -> WinLoss:
        """Count the outcomes of the rewritten requests among ``n`` requests."""
        counts = Counter(Outcome(o) for o in outcomes)
        return cls(
            n=n,
            rewritten=counts.total(),
            wins=counts[Outcome.WIN],
            losses=counts[Outcome.LOSS],
            ties=counts[Outcome.TIE],
            undecided=counts[Outcome.UNDECIDED],
        )

    def __add__(self, other: WinLoss) -> WinLoss:
        """Counts of two disjoint segments together."""
        return WinLoss(
            self.n + other.n,
            self.rewritten + other.rewritten,
            self.wins + other.wins,
            self.losses + other.losses,
            self.ties + other.ties,
            self.undecided + other.undecided,
        )

    @property
    def ratio(self) -> float | None:
        """Wins to one loss; None without losses, where only the interval says something."""
        return self.wins / self.losses if self.losses else None

    def ratio_interval(self, z: float = Z95) -> tuple[float, float]:
        """Interval of the ratio: ``p / (1 - p)`` at both ends of the Wilson interval of wins / (wins + losses).

        Without decided requests it is (0, inf). Requests are taken as independent; with many requests of one user
        it is too narrow.

        >>> tuple(round(x, 2) for x in WinLoss(100, 40, 35, 1).ratio_interval())
        (6.06, 202.24)
        """
        low, high = wilson(self.wins, self.wins + self.losses, z)
        return _odds(low), _odds(high)

    @property
    def trigger_rate(self) -> float:
        """Rewritten requests / requests; 0 without requests."""
        return self.rewritten / self.n if self.n else 0.0

    @property
    def defect_delta(self) -> float:
        """Change of the segment's defect rate: (losses - wins) / n, negative when rewriting helps."""
        return (self.losses - self.wins) / self.n if self.n else 0.0

    def row(self, basis: str, layer: str, domain: str = "all", threshold: float | None = None) -> dict[str, Any]:
        """One row of the table `win_loss`; an unbounded upper limit is null."""
        low, high = self.ratio_interval()
        return {
            "basis": basis,
            "layer": layer,
            "domain": domain,
            "n": self.n,
            "rewritten": self.rewritten,
            "wins": self.wins,
            "losses": self.losses,
            "ties": self.ties,
            "undecided": self.undecided,
            "ratio": self.ratio,
            "ratio_low": low,
            "ratio_high": high if math.isfinite(high) else None,
            "defect_delta": self.defect_delta,
            "threshold": threshold,
        }
