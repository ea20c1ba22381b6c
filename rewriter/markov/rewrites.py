"""From rows of C to decisions: which pairs are published, and why every other one is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rewriter.markov.absorption import series_rows
from rewriter.markov.chain import Chain, chain_of, hubs, without_states
from rewriter.markov.counts import Counts, Floats, Ints
from rewriter.markov.evidence import Success, Support, success_of
from rewriter.settings import Mine

#: Gaps below this are a tie, broken by success, support, then text.
TIE = 1e-9
#: Pruning shrinks by this factor at each refinement of what was not certified, and not below the gap of a tie.
REFINE = 1e-2
REFINEMENTS = 5
#: Reason of an allowed rewrite that beats staying and is not the likeliest.
LESS_LIKELY = "another rewrite is likelier"

Refusal = Callable[[str, str], str]


@dataclass(frozen=True)
class Pair:
    """One judged pair of states, by number, with its evidence; ``status`` is active or rejected."""

    source: int
    rewrite: int
    support: int  # row of the `Support` arrays
    p_success_source: float
    p_success_rewrite: float
    lift: float
    lift_lower: float
    share: float
    certified: bool
    status: str
    reason: str


@dataclass(frozen=True)
class Mined:
    """All judged pairs of a locale with the chain they come from and the hubs that were cut."""

    pairs: tuple[Pair, ...]
    chain: Chain
    hubs: tuple[int, ...]


@dataclass(frozen=True)
class Choice:
    """One source's allowed rewrites: the likeliest row of the support, C of every row and of staying, B of the source."""

    best: int
    passing: dict[int, float]
    staying: float
    absorbed: float
    certified: bool

    def share(self, row: int) -> float:
        """Share of the successes that started at the source and passed through the row's rewrite."""
        return self.passing[row] / self.absorbed if self.absorbed > 0 else 0.0

    def verdict(self, row: int) -> tuple[str, str]:
        """Status and reason of one allowed row."""
        if self.passing[row] <= self.staying + TIE:
            return "rejected", "staying is as likely to succeed"
        if row != self.best:
            return "rejected", LESS_LIKELY
        return "active", "certified best" if self.certified else "best by a tie"


def mine(counts: Counts, support: Support, domains: NDArray[np.int64], settings: Mine, refuse: Refusal) -> Mined:
    """Judge every supported pair of one locale.

    Parameters
    ----------
    counts : Counts
        n states.
    support : Support
        k ordered pairs of states.
    domains : (n,) int
        Domain number of each state, for shrinkage.
    refuse : callable
        Guard on the words of (source, rewrite): a reason, or ``""``.

    References
    ----------
    Ponnusamy et al. 2020 (arXiv 1911.02557), section 3, for C and its argmax. The bound on the lift, the evidence rules
    before the argmax and the certificate are this project's.
    """
    is_hub = hubs(counts, settings.min_states_for_hubs)
    free = without_states(counts, is_hub)
    chain = chain_of(free)
    success = success_of(free, domains, settings.prior_strength)
    lift, lower = success.lift(support.source, support.rewrite, settings.confidence)
    reasons = _refusals(counts.states, support, success, lower, is_hub, settings, refuse)
    choices = choose(chain, success, support, np.array([not r for r in reasons], bool), settings.tolerance)
    pairs = []
    for k, refused in enumerate(reasons):
        i, j = int(support.source[k]), int(support.rewrite[k])
        status, reason = ("rejected", refused) if refused else choices[i].verdict(k)
        share = 0.0 if refused else choices[i].share(k)
        certified = status == "active" and choices[i].certified
        p_i, p_j = float(success.mean[i]), float(success.mean[j])
        pairs.append(Pair(i, j, k, p_i, p_j, float(lift[k]), float(lower[k]), share, certified, status, reason))
    return Mined(tuple(final_targets(pairs)), chain, tuple(int(h) for h in np.flatnonzero(is_hub)))


def _refusals(
    states: tuple[str, ...],
    support: Support,
    success: Success,
    lower: Floats,
    is_hub: NDArray[np.bool_],
    settings: Mine,
    refuse: Refusal,
) -> list[str]:
    """Why each supported pair may not be a rewrite, ``""`` where it may; decided before any argmax."""
    rules: tuple[tuple[NDArray[np.bool_], str], ...] = (
        (is_hub[support.source], "the request leads anywhere (hub)"),
        (is_hub[support.rewrite], "the rewrite leads anywhere (hub)"),
        (support.users < settings.min_users, f"fewer than {settings.min_users} users"),
        (support.sessions < settings.min_sessions, f"fewer than {settings.min_sessions} sessions"),
        (support.days < settings.min_days, f"fewer than {settings.min_days} days"),
        (success.mean[support.source] > settings.max_source_success, "the request normally succeeds"),
        (~(lower > settings.min_lift), "no certain gain in success"),
    )
    reasons = [""] * len(support.source)
    for broken, reason in reversed(rules):
        for row in np.flatnonzero(broken).tolist():
            reasons[row] = reason
    for k, reason in enumerate(reasons):
        if not reason:
            reasons[k] = refuse(states[support.source[k]], states[support.rewrite[k]])
    return reasons


def choose(
    chain: Chain, success: Success, support: Support, allowed: NDArray[np.bool_], tolerance: float
) -> dict[int, Choice]:
    """The likeliest allowed rewrite of each source that has one, certified or refined until it is (or is a tie)."""
    rows_of: dict[int, list[int]] = {}
    for k in np.flatnonzero(allowed):
        rows_of.setdefault(int(support.source[k]), []).append(int(k))
    choices: dict[int, Choice] = {}
    pending: Ints = np.array(sorted(rows_of), np.int64)
    for _ in range(REFINEMENTS):
        absorption = series_rows(chain, pending, tolerance)
        for number, source in enumerate(pending.tolist()):
            row = _row_of(absorption.C, number)
            choices[source] = _best(chain, success, support, rows_of[source], row, source, float(absorption.bound[number]))
        pending = np.array([s for s in pending.tolist() if not choices[s].certified], np.int64)
        if not len(pending):
            break
        tolerance = max(tolerance * REFINE, TIE * REFINE)
    return choices


def _row_of(C: sparse.csr_array, number: int) -> dict[int, float]:
    row = slice(C.indptr[number], C.indptr[number + 1])
    return dict(zip(C.indices[row].tolist(), C.data[row].tolist(), strict=True))


def _best(
    chain: Chain, success: Success, support: Support, rows: list[int], C: dict[int, float], source: int, bound: float
) -> Choice:
    """Best of one source's allowed rows against the runner-up, staying included."""

    def passing(k: int) -> float:
        return C.get(int(support.rewrite[k]), 0.0)

    def order(k: int) -> tuple[float, int, str]:
        j = int(support.rewrite[k])
        return -float(success.mean[j]), -int(support.users[k]), chain.states[j]

    top = max(passing(k) for k in rows)
    tied = [k for k in rows if passing(k) >= top - TIE]
    best = min(tied, key=order)
    staying = C.get(source, 0.0)
    second = max([staying, *(passing(k) for k in rows if k != best)])
    is_certain = abs(passing(best) - second) > bound
    return Choice(best, {k: passing(k) for k in rows}, staying, sum(C.values()), is_certain)


def final_targets(pairs: list[Pair]) -> list[Pair]:
    """The pairs with no active rewrite that is itself rewritten: those give way to the end, where it was judged fit too."""
    target = {p.source: p.rewrite for p in pairs if p.status == "active"}
    row = {(p.source, p.rewrite): k for k, p in enumerate(pairs)}
    out = list(pairs)
    for k, pair in enumerate(pairs):
        if pair.status != "active" or pair.rewrite not in target:
            continue
        out[k] = replace(pair, status="rejected", reason="its rewrite is itself rewritten")
        end, seen = pair.rewrite, {pair.source}
        while end in target and end not in seen:
            seen.add(end)
            end = target[end]
        other = row.get((pair.source, end))
        if end not in target and other is not None and pairs[other].reason == LESS_LIKELY:
            out[other] = replace(pairs[other], status="active", reason="final target of a chain of rewrites")
    return out
