"""Correcting the log for the rewrites it was served with (self-awareness).

Once a rewrite u -> r is live, the log shows its effect and no longer what users of u do by themselves. Two Beta posteriors
are kept for each pair, both about success at once, so that they compare like with like:

- *u served as r*: turns of the treatment arm. Success is ``(1 - w)(1 - d)`` of a turn, w being the weight of its rephrase to
  other words and d its defect probability; what failed and what was rephrased away did not succeed.
- *u served as it is*: all other turns of u, those of holdout and control included, in the same measure. They are
  what keeps the comparison identified: the pair's own traffic says nothing about u.

A turn served as r is put on both paths. With weight ``p = P(theta_r > theta_u)`` the system rephrased for the user: u -> r,
and r's outcome or onward rephrase follows. With 1 - p it did not help, and the turn stays with u: its outcome, and what the
user said next.

Served turns show what became of r, not what users of u would have chosen: nobody chose r. At full weight a live pair elects
itself, because most turns of u are its own, and a changed preference is never followed: r keeps the many who do not notice
a wrong answer, while the new wish is spread over its wordings. So the system has one voice, as each user has: the served
turns of a pair weigh in the chain at most `user_cap` turns. What users do when left alone decides between rewrites, the
posteriors, at full weight, whether a live one stays. Decayed weights come in as they are.

All functions here work row by row on arrays, so that they can run inside Spark on rows of
(source, rewrite, live outcomes, as-is outcomes of the source).

References
----------
Ponnusamy et al. 2022 (arXiv 2205.00029): the superposition of both paths. Success at once on both sides, the one
voice, the least as-is data of a losing pair and the exact p are this project's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc

from rewriter.markov.counts import Floats, Ints

#: Weight of served turns, and of as-is turns, from which a losing rewrite is dropped.
MIN_SERVED, MIN_AS_IS = 20.0, 5.0
#: Gauss-Legendre nodes, half width of the range in the density's narrowest possible deviations, and rows computed together.
_NODES, _REACH, _ROWS = 64, 9.0, 8192


class Transitions(NamedTuple):
    """Weighted transitions, all (k,)."""

    source: Ints
    target: Ints
    weight: Floats


class Outcomes(NamedTuple):
    """Weight that leaves states at once to success and failure, all (k,)."""

    state: Ints
    success: Floats
    failure: Floats


def p_better(r_success: ArrayLike, r_failure: ArrayLike, u_success: ArrayLike, u_failure: ArrayLike) -> Floats:
    """P(theta_r > theta_u) of two Beta posteriors with uniform priors, (k,); weights need not be whole.

    Parameters
    ----------
    r_success, r_failure : (k,) float
        Turns of the source served as the rewrite that succeeded at once, and all others (failed or rephrased away).
    u_success, u_failure : (k,) float
        The same of the source's turns served as they are.

    Notes
    -----
    ``x = sin(t)^2`` turns a Beta(a, b) density with a, b >= 1 into ``sin(t)^(2a-1) cos(t)^(2b-1)``. Its logarithm bends
    everywhere at least as ``(sqrt(2a-1) + sqrt(2b-1))^2``, so that next to nothing lies outside nine such deviations from
    its mode. Gauss-Legendre nodes on that range of the narrower posterior integrate the other's distribution function.
    Errors are near rounding for whole weights and below 1e-7 for others.

    >>> p_better([3.0], [1.0], [1.0], [3.0]).round(4).tolist()
    [0.8968]
    """
    given = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in (r_success, r_failure, u_success, u_failure)))
    a, b, c, d = (1.0 + np.atleast_1d(x) for x in given)
    narrow = a + b >= c + d
    p = np.empty(len(a))
    for swap in (False, True):
        rows = np.flatnonzero(narrow != swap)
        over, other = ((c, d), (a, b)) if swap else ((a, b), (c, d))
        for k in range(0, len(rows), _ROWS):
            part = rows[k : k + _ROWS]
            below = _mean_below(*(x[part] for x in (*over, *other)))
            p[part] = 1.0 - below if swap else below
    return p


def _mean_below(a: Floats, b: Floats, c: Floats, d: Floats) -> Floats:
    """E[F(X)] for X of Beta(a, b) and the distribution function F of Beta(c, d), (k,)."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    rise, fall = np.sqrt(2.0 * a - 1.0), np.sqrt(2.0 * b - 1.0)
    mode, reach = np.arctan2(rise, fall), _REACH / (rise + fall)
    low, high = np.maximum(mode - reach, 0.0), np.minimum(mode + reach, np.pi / 2)
    t = (low + high)[:, None] / 2 + (high - low)[:, None] / 2 * nodes
    sine, cosine = np.sin(t), np.cos(t)
    log_density = (2.0 * a - 1.0)[:, None] * np.log(sine) + (2.0 * b - 1.0)[:, None] * np.log(cosine)
    density = weights * np.exp(log_density - log_density.max(axis=1, keepdims=True))
    below: Floats = (density * betainc(c[:, None], d[:, None], sine**2)).sum(axis=1) / density.sum(axis=1)
    return below


def is_losing(served: ArrayLike, as_is: ArrayLike, p: ArrayLike) -> NDArray[np.bool_]:
    """Which pairs die by themselves: p < 0.5 on enough turns of both kinds, (k,) bool.

    Parameters
    ----------
    served, as_is : (k,) float
        Weight of the turns of the source served as the rewrite, and as they are. Without the latter p only says how often
        the rewrite succeeds, which is no comparison: such a pair is left to the other rules.
    p : (k,) float
        Of `p_better`.
    """
    losing: NDArray[np.bool_] = (np.asarray(served) >= MIN_SERVED) & (np.asarray(as_is) >= MIN_AS_IS) & (np.asarray(p) < 0.5)
    return losing


def success_served(success: ArrayLike, served: ArrayLike) -> Floats:
    """Mean of the posterior of success at once of the turns served as the rewrite, (k,); ``served`` is the weight of all.

    >>> success_served([6.0, 0.0], [8.0, 0.0]).tolist()
    [0.7, 0.5]
    """
    mean: Floats = (np.asarray(success, np.float64) + 1.0) / (np.asarray(served, np.float64) + 2.0)
    return mean


def is_winning(mean: ArrayLike, as_is: ArrayLike, p: ArrayLike, min_success: float) -> NDArray[np.bool_]:
    """Which pairs live by what they do: p >= 0.5, the mirror image of dying, and mostly a success, (k,) bool.

    Parameters
    ----------
    mean : (k,) float
        Of `success_served`; it must exceed ``min_success``. Better than a request that always fails is not good enough.
    as_is : (k,) float
        Weight of the turns of the source served as they are. Without any, p says nothing about the source. However little
        will do, unlike for `is_losing`: a live pair leaves few such turns, and to win only keeps what was found before.
    p : (k,) float
        Of `p_better`.
    """
    winning: NDArray[np.bool_] = (np.asarray(as_is) > 0.0) & (np.asarray(p) >= 0.5) & (np.asarray(mean) > min_success)
    return winning


def voice(served: ArrayLike, cap: float) -> Floats:
    """By how much the turns of each pair count in the chain, (k,): all of them together at most ``cap`` turns.

    >>> voice([2.0, 30.0], 3.0).tolist()
    [1.0, 0.1]
    """
    factor: Floats = cap / np.maximum(np.asarray(served, np.float64), cap)
    return factor


def split_served(source: Ints, rewrite: Ints, success: Floats, failure: Floats, p: Floats) -> tuple[Transitions, Outcomes]:
    """Transitions and outcomes that served turns add, by both paths; (k,) and (2k,) rows. No weight is made or lost.

    Parameters
    ----------
    success, failure : (k,) float
        Weight of the turns that were not rephrased, by their outcome, after `voice`.
    p : (k,) float
        Of `p_better`.
    """
    stay = 1.0 - p
    transitions = Transitions(source, rewrite, p * (success + failure))
    state = np.concatenate([rewrite, source])
    return transitions, Outcomes(
        state, np.concatenate([p * success, stay * success]), np.concatenate([p * failure, stay * failure])
    )


def split_moved(source: Ints, rewrite: Ints, target: Ints, weight: Floats, p: Floats) -> Transitions:
    """Transitions of served turns rephrased to ``target``: u -> r -> target with p, u -> target with 1 - p; (3k,) rows."""
    return Transitions(
        np.concatenate([source, rewrite, source]),
        np.concatenate([rewrite, target, target]),
        np.concatenate([p * weight, p * weight, (1.0 - p) * weight]),
    )
