"""The evidence a pair needs before any argmax: support, and a lift that is surely above zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.special import betaincinv

from rewriter.markov.counts import Floats
from rewriter.settings import Mine


@dataclass(frozen=True)
class Success:
    """Chance that a request served as it is succeeds at once: Beta posterior mean and one-sided limits, all (n,)."""

    mean: Floats
    low: Floats
    high: Floats


def success_of(success: Floats, total: Floats, prior: Floats, settings: Mine) -> Success:
    """Beta-binomial success estimates of n states, shrunk to the mean of each one's domain.

    Parameters
    ----------
    success, total : (n,) float
        Weight that succeeded at once, and all weight that left the state: a visit rephrased away did not succeed.
    prior : (n,) float
        Mean success of the state's domain; it weighs ``settings.prior_strength`` requests.
    """
    a = np.maximum(success + settings.prior_strength * prior, 1e-9)
    b = np.maximum(total - success + settings.prior_strength * (1.0 - prior), 1e-9)
    tail = 1.0 - settings.confidence
    low, high = (np.asarray(betaincinv(a, b, q), np.float64) for q in (tail, settings.confidence))
    return Success(a / (a + b), low, high)


def lift_bound(source_p: Floats, source_high: Floats, rewrite_p: Floats, rewrite_low: Floats) -> tuple[Floats, Floats]:
    """Gain in success of each rewrite over its source, and its one-sided lower bound, both (k,).

    The limits of the two estimates are joined by the method of variance estimates recovery, which stays inside -1..1 and
    keeps its level at small counts, where a normal approximation does not.

    References
    ----------
    Newcombe 1998 (Statistics in Medicine 17), method 10; Zou and Donner 2008 (Statistics in Medicine 27), section 2.

    >>> lift, lower = lift_bound(*(np.array([p]) for p in (0.2, 0.3, 0.9, 0.8)))
    >>> round(float(lift[0]), 3), round(float(lower[0]), 3)
    (0.7, 0.559)
    """
    lift = rewrite_p - source_p
    return lift, lift - np.hypot(rewrite_p - rewrite_low, source_high - source_p)


def judge(pairs: pa.Table, settings: Mine) -> pa.Table:
    """Judge ordered pairs of states by their numbers alone: ``lift``, ``lift_lower`` and ``reason`` are appended.

    Parameters
    ----------
    pairs : table of k rows
        ``users``, ``sessions``, ``days`` (support); ``source_p``, ``source_high``, ``rewrite_p``, ``rewrite_low`` (of
        `success_of`); ``vote``, ``came``: share of those who say the source otherwise that mean the rewrite, and of all who
        say it that come to be understood as the rewrite is (NaN: nothing known); ``source_is_hub``, ``rewrite_is_hub``,
        ``is_said`` (enough users say the rewrite), ``loses_live``, ``is_understood`` (NLU mostly reads the source as the
        rewrite; all bool); ``p_live``: success of the turns served so where they speak for the pair (NaN: they do not).
        Other columns pass through.

    Returns
    -------
    table of k rows
        ``reason`` is empty where the pair may be a rewrite: the first rule that speaks against it otherwise.
    """

    def column(name: str) -> Any:
        return pairs.column(name).to_numpy()

    lift, lower = lift_bound(column("source_p"), column("source_high"), column("rewrite_p"), column("rewrite_low"))
    understood_well = column("is_understood") & (column("source_p") > settings.max_understood_success)
    # Estimates do not bind a pair whose own traffic speaks for it: where it is served, few show any more what they mean.
    unproven = np.isnan(column("p_live"))
    rules = (
        (column("source_is_hub"), "the request leads anywhere (hub)"),
        (column("rewrite_is_hub"), "the rewrite leads anywhere (hub)"),
        (column("users") < settings.min_users, f"fewer than {settings.min_users} users"),
        (column("sessions") < settings.min_sessions, f"fewer than {settings.min_sessions} sessions"),
        (column("days") < settings.min_days, f"fewer than {settings.min_days} days"),
        (column("loses_live"), "loses live"),
        (~column("is_said"), f"fewer than {settings.min_users} users say the rewrite"),
        (column("vote") < settings.min_majority, "most who say it otherwise mean something else"),
        (unproven & (column("came") < settings.min_user_share), "few who say it come to mean the rewrite"),
        (column("rewrite_p") <= settings.min_rewrite_success, "the rewrite fails too"),
        (unproven & (column("source_p") > settings.max_source_success), "the request normally succeeds"),
        (unproven & understood_well, "the request is understood as it is"),
        (unproven & ~(lower > settings.min_lift), "no certain gain in success"),
    )
    reason = np.full(pairs.num_rows, "", object)
    for broken, why in reversed(rules):
        reason[broken] = why
    return (
        pairs.append_column("lift", pa.array(lift))
        .append_column("lift_lower", pa.array(lower))
        .append_column("reason", pa.array(reason, pa.string()))
    )
