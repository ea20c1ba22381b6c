"""From which probability a layer may rewrite: the smallest that keeps the promise on held-out days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewriter.decision.gates import Gate
from rewriter.evaluation.win_loss import Outcome, WinLoss


@dataclass(frozen=True)
class Judged:
    """One rewrite that a layer proposed for a past request, and the proxy's verdict."""

    turn_id: str
    layer: str
    domain: str
    probability: float
    outcome: Outcome


@dataclass(frozen=True)
class Promise:
    """What a layer must show: ``target`` wins to a loss at the lower 95% bound, from at least ``min_wins`` wins.

    ``floor`` is the least probability at which it may rewrite at all.
    """

    target: float
    min_wins: int
    floor: float = 0.0

    def holds(self, wins: int, losses: int) -> bool:
        """Whether these counts show it."""
        return (
            wins >= self.min_wins and WinLoss(wins + losses, wins + losses, wins, losses).ratio_interval()[0] >= self.target
        )

    def is_out_of_reach(self, n: int) -> bool:
        """Whether ``n`` decided cases could not show it even if all were wins."""
        return not self.holds(n, 0)


def cuts(judged: Sequence[Judged]) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Distinct probabilities, falling, with the wins and losses at or above each; three arrays (m,)."""
    order = sorted(judged, key=lambda j: -j.probability)
    p = np.array([j.probability for j in order])
    wins = np.cumsum([j.outcome is Outcome.WIN for j in order], dtype=np.int64)
    losses = np.cumsum([j.outcome is Outcome.LOSS for j in order], dtype=np.int64)
    last = np.flatnonzero(np.append(p[1:] != p[:-1], True)) if len(p) else np.zeros(0, np.int64)
    return p[last], wins[last], losses[last]


def pick_gate(judged: Sequence[Judged], promise: Promise, *, has_own_bounds: bool = False) -> Gate:
    """The gate of a layer.

    The threshold is the smallest probability, at least the floor, at and above which the promise holds; without one the
    layer is off.

    Parameters
    ----------
    judged
        The layer's best proposal for each held-out request.
    has_own_bounds
        The layer's evidence was tested before (mined pairs): where the held-out days are too few to show the promise
        even without a loss, their plain ratio is enough.

    Examples
    --------
    >>> rows = [Judged(str(i), "global", "music", 0.9, Outcome.WIN) for i in range(50)]
    >>> pick_gate(rows, Promise(8.5, 10)).reason
    '50 wins, 0 losses on held-out days: at least 13.0 to 1 from probability 0.9000'
    """
    probabilities, wins, losses = cuts([j for j in judged if j.probability >= promise.floor])
    kept = [i for i in range(len(wins)) if promise.holds(int(wins[i]), int(losses[i]))]
    if kept:
        i = kept[-1]
        low = WinLoss(int(wins[i] + losses[i]), int(wins[i] + losses[i]), int(wins[i]), int(losses[i])).ratio_interval()[0]
        reason = f"{wins[i]} wins, {losses[i]} losses on held-out days: at least {low:.1f} to 1 from probability"
        return Gate(True, float(probabilities[i]), f"{reason} {probabilities[i]:.4f}")
    n_wins, n_losses = (int(wins[-1]), int(losses[-1])) if len(wins) else (0, 0)
    counted = f"{n_wins} wins, {n_losses} losses on held-out days"
    if has_own_bounds and promise.is_out_of_reach(n_wins + n_losses) and n_wins >= promise.target * n_losses:
        return Gate(True, 0.0, f"{counted}: too few to show {promise.target:g} to 1, and the pairs have bounds of their own")
    if not n_wins:
        return Gate(False, 1.0, f"{counted}: nothing speaks for it")
    bounds = [
        WinLoss(w + lo, w + lo, w, lo).ratio_interval()[0] for w, lo in zip(wins.tolist(), losses.tolist(), strict=True)
    ]
    best = int(np.argmax(bounds))
    return Gate(
        False,
        float(probabilities[best]),
        f"at best {wins[best]} wins, {losses[best]} losses on held-out days: the lower bound {bounds[best]:.1f} to 1 "
        f"misses the target {promise.target:g}" + (f" or {promise.min_wins} wins" if wins[best] < promise.min_wins else ""),
    )


def counts(judged: Sequence[Judged], n: int, threshold: float) -> WinLoss:
    """Win/loss of the proposals at or above the threshold among ``n`` requests."""
    return WinLoss.of([j.outcome for j in judged if j.probability >= threshold], n)


def served(judged: Sequence[Judged], gates: dict[str, Gate]) -> list[Judged]:
    """What the whole engine would have served: for each request the mined pair, else the likeliest that passes its gate."""
    best: dict[str, Judged] = {}
    for j in judged:
        gate = gates[j.layer]
        if not gate.enabled or j.probability < gate.threshold:
            continue
        kept = best.get(j.turn_id)
        rank = (j.layer == "precomputed", j.probability)
        if kept is None or rank > (kept.layer == "precomputed", kept.probability):
            best[j.turn_id] = j
    return [best[name] for name in sorted(best)]
