"""How far each group of evidence agrees with the rest: its weight, learnt from a log that nobody annotated.

Failure is what the groups have in common. Were they independent given the truth, a group's correlation with the others'
sum would be its correlation with the truth, up to one factor for all. One group, the anchor, fixes which common thing is
meant: it states a probability by itself.
"""

from __future__ import annotations

import numpy as np

from rewriter.defects.view import Floats

#: Rounds of weighing each group by the groups as weighed before; the weights change little after three.
ROUNDS = 5
#: Least weight of the anchor: it is evidence even where nothing agrees.
ANCHOR_WEIGHT = 0.5
#: Bins of the swapped answers' rank.
BINS = 10


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 1e-12 else 0.0


def agreement_weights(scores: dict[str, Floats], anchor: str) -> dict[str, float]:
    """Weight of each group, in 0..1: its correlation with the weighted sum of the others, 0 where it disagrees.

    Parameters
    ----------
    scores
        Group -> n scores of mean 0 and standard deviation 1, more meaning worse.
    anchor
        The group that the first round compares with; its weight stays at least `ANCHOR_WEIGHT`.

    References
    ----------
    Dawid and Skene 1979, *Maximum likelihood estimation of observer error-rates*; Parisi et al. 2014, *Ranking and
    combining multiple predictors without labeled data* (PNAS 111), for weights from covariances alone.

    >>> truth = np.tile([1.0, -1.0], 50)
    >>> noise = np.repeat([1.0, -1.0], 50)
    >>> agreement_weights({"anchor": truth, "same": truth, "other": noise}, "anchor")
    {'anchor': 1.0, 'same': 1.0, 'other': 0.0}
    """
    weights = {group: float(group == anchor) for group in scores}
    for _ in range(ROUNDS):
        total = np.sum([weights[group] * score for group, score in scores.items()], axis=0)
        rest = {group: _correlation(score, total - weights[group] * score) for group, score in scores.items()}
        weights = {group: round(max(r, ANCHOR_WEIGHT * (group == anchor), 0.0), 6) for group, r in rest.items()}
    return weights


def swapped_probability(misfit: Floats) -> Floats:
    """Chance that each answer is no better than one from another dialogue, from the misfits alone.

    Swapped answers have misfits spread evenly over 0..1, by construction; an answer that fits is near 0. So the share of
    answers that are no better is the density at the far end, and their share among answers of one misfit is that over the
    density there. The densities rise, in truth, towards the fitting end; so they are made to.
    """
    place = np.minimum((misfit * BINS).astype(np.int64), BINS - 1)
    density = np.bincount(place, minlength=BINS) * BINS / len(misfit)
    # From the misfitting end on, no bin is rarer than the one before it.
    rising = np.maximum.accumulate(np.maximum(density[::-1], 1e-3))[::-1]
    return np.asarray((rising[-1] / rising)[place], dtype=np.float64)
