"""From rows of C to verdicts: which allowed pairs are published, and why every other one is not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rewriter.markov.counts import Floats, Ints
from rewriter.markov.evidence import lift_bound
from rewriter.markov.push import TIE

Flags = NDArray[np.bool_]
Texts = NDArray[np.object_]

#: Reason of an allowed rewrite that beats staying and is not the likeliest.
LESS_LIKELY = "another rewrite is likelier"
STAYING = "staying is as likely to succeed"
UNCERTAIN = "too few mean it for a certain gain"
OPEN = "not proven to be the likeliest"
#: Reason of a rewrite that none of these would publish, and its own traffic does.
WINS = "wins live"


def verdicts(solved: pa.Table, min_lift: float) -> pa.Table:
    """Status, reason and share of allowed pairs.

    A rewrite helps only those who mean it: its success counts by its share, against the success of all who say the source.
    Where nothing is found for a source, a rewrite that is live already and wins there stays.

    Parameters
    ----------
    solved : table of k rows
        As `rewriter.markov.solve.solve` returns it: each allowed pair (``source``, ``rewrite``) with ``passing`` = C_ij,
        ``staying`` = C_ii, ``absorbed`` = B_iS, ``is_best``, ``certified`` and ``is_tie``; with ``form``, the wording that
        would be served, its ``p`` and ``p_low``, ``source_p`` and ``source_high`` of the source, and ``p_live`` as for
        `rewriter.markov.evidence.judge`.
    min_lift : float
        What the lower bound of the lift must exceed.

    Returns
    -------
    table of k rows in the same order
        ``source``, ``rewrite``, ``form``, ``share`` (C_ij / B_iS: of the successes that started at the source, how many
        passed through the rewrite last; of a pair that stays because it wins live, what makes ``share * p`` its success
        there), ``certified``, ``status`` (active or rejected) and ``reason``. No active rewrite is itself rewritten.
    """
    passing, staying, absorbed = (solved.column(name).to_numpy() for name in ("passing", "staying", "absorbed"))
    is_best, certified, is_tie = (np.asarray(solved.column(name)) for name in ("is_best", "certified", "is_tie"))
    stays = passing <= staying + TIE
    share = np.divide(passing, absorbed, out=np.zeros(len(passing)), where=absorbed > 0)
    p, low, source_p, high = (solved.column(name).to_numpy() for name in ("p", "p_low", "source_p", "source_high"))
    _, lower = lift_bound(source_p, high, share * p, share * low)
    uncertain, is_open = ~(lower > min_lift), ~(certified | is_tie)
    fit = ~stays & ~uncertain & ~is_open
    source, form, p_live = (solved.column(name).to_numpy() for name in ("source", "form", "p_live"))
    kept = incumbents(source, is_best & fit, ~np.isnan(p_live), passing)
    best_reason = np.where(certified, "certified best", "best by a tie")
    rules = [(stays, STAYING), (~is_best, LESS_LIKELY), (is_open, OPEN), (uncertain, UNCERTAIN)]
    reason = np.select([rule for rule, _ in rules], [why for _, why in rules], default=best_reason).astype(object)
    reason[kept] = WINS
    active, reason = final_targets(source, form, (is_best & fit) | kept, reason, fit)
    kept &= active
    share[kept] = np.minimum(p_live[kept] / p[kept], 1.0)
    return pa.table(
        {
            "source": solved.column("source"),
            "rewrite": solved.column("rewrite"),
            "form": solved.column("form"),
            "share": share,
            "certified": active & ~kept & is_best & certified,
            "status": pa.array(np.where(active, "active", "rejected").astype(object), pa.string()),
            "reason": pa.array(reason, pa.string()),
        }
    )


def incumbents(source: Ints, active: Flags, wins: Flags, passing: Floats) -> Flags:
    """Which pairs stay because they win live: of each source without an active pair the winning one with the largest C."""
    left = np.flatnonzero(wins & ~np.isin(source, source[active]))
    best_first = left[np.argsort(-passing[left], kind="stable")]
    kept = np.zeros(len(source), bool)
    kept[best_first[np.unique(source[best_first], return_index=True)[1]]] = True
    return kept


def final_targets(source: Ints, rewrite: Ints, active: Flags, reason: Texts, fit: Flags) -> tuple[Flags, Texts]:
    """``active`` and ``reason`` with no active rewrite that is itself rewritten: it gives way to the end of the chain.

    The end takes its place only where (source, end) is ``fit`` to be a rewrite too. Pairs that lead to each other end so.
    """
    chosen = np.flatnonzero(active)
    target = dict(zip(source[chosen].tolist(), rewrite[chosen].tolist(), strict=True))
    row = {pair: k for k, pair in enumerate(zip(source.tolist(), rewrite.tolist(), strict=True))}
    active, reason = active.copy(), reason.copy()
    for k in chosen.tolist():
        start, end = int(source[k]), int(rewrite[k])
        if end not in target:
            continue
        active[k], reason[k] = False, "its rewrite is itself rewritten"
        seen = {start}
        while end in target and end not in seen:
            seen.add(end)
            end = target[end]
        other = row.get((start, end))
        if end not in target and other is not None and fit[other] and not active[other]:
            active[other], reason[other] = True, "final target of a chain of rewrites"
    return active, reason
