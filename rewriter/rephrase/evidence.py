"""What tells that a later turn says a failed request again: views of each pair in a window, and their weights by rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rewriter.defects.rules import signal_weights
from rewriter.odds import logit, sigmoid
from rewriter.rephrase.closeness import closeness, value_heard, window_pairs
from rewriter.rephrase.log import STATUSES, Bools, Floats, Ints, Log
from rewriter.rephrase.meaning import Meaning
from rewriter.rephrase.usual import CALLS_FAILED, UNREAD, Usual, estimate

#: Log-odds that each view adds to "says the same again, given that the source failed". Set by hand on the train part of the
#: restaurant calls, with its marks in sight: figures on that part flatter, those of `benchmarks/rephrase` on others do not.
WEIGHTS: dict[str, float] = {
    "likeness": 1.0,  # closeness of wording and sound, in steps of 0.15 from the similarity at which it says nothing
    "meaning": 1.5,  # in a log without interpretations: cosine of the sentences' vectors, in steps of 0.1 from 0.8
    "asked_again": 1.0,  # the assistant said the same before both: it asked once more
    "value_heard": 2.0,  # the source was not understood, and a slot value of the later turn was heard in it
    "turns_between": -0.4,  # for each
    "same_answered": -2.0,  # understood as the same, and both answered: wanted once more
    "other_reading": -1.0,  # both understood, as something else
    "no_answer": -3.5,  # the later turn got no answer in a log of answers: a goodbye
    "usual": 1.0,  # the same for all pairs: how much more often this log says failed requests again, see `usual`
}
#: What the model sees beside; of these the rules read ``anew`` alone, in `failed_odds`. Each view is of a window alone: the
#: same whatever else is read.
VIEWS = (*WEIGHTS, "anew", "later_defect", "later_lost", "gap")
#: Closeness that moves the log-odds by one.
STEP = 0.15
#: Cosine of sentences that says nothing, and what moves the view by one.
USUAL_COSINE, COSINE_STEP = 0.8, 0.1
#: How far likeness is believed beside the cosine, which reads the same words.
BESIDE_MEANING = 0.5
#: Log-odds of a pair of which no view says anything, in the calls that the weights were set on.
BASE = 0.35
#: The views are not independent, so that their sum is too sure: what the log-odds of a rephrase are divided by.
TEMPERATURE = 1.2
#: Log-odds of failure that a chance of failure owes to a later turn that is alike. The likeness is judged here: not twice.
REPEATED = signal_weights()["quick_repeat"]
#: Seconds of a usual gap between turns.
_USUAL_GAP_S = 7.0
CALLS = Usual()


def log_odds(p: Floats) -> Floats:
    """Log-odds of a probability, which is kept within 0.001 of its ends."""
    return logit(p, 1e-3, 1.0 - 1e-3)


def _same(values: Sequence[str], a: Ints, b: Ints) -> Bools:
    pairs = zip(a.tolist(), b.tolist(), strict=True)
    return np.fromiter((values[i] != "" and values[i] == values[j] for i, j in pairs), bool, len(a))


def _prompts(log: Log) -> list[str]:
    """What the assistant said before each turn in its session, "" where that is unknown."""
    goes_on = [False, *(log.following[:-1] > 0).tolist()]
    return [said if on else "" for said, on in zip(["", *log.response[:-1]], goes_on[: len(log)], strict=False)]


def _views(log: Log, weak_similarity: float, meaning: Meaning | None) -> Iterator[tuple[str, Floats | Bools]]:
    source, later = window_pairs(log.following)
    same, understood = _same(log.reading, source, later), ~log.lost[source] & ~log.lost[later]
    fine = log.status <= STATUSES.index("ok")
    silent = np.fromiter((not r for r in log.response), bool, len(log))
    read = np.fromiter((r != "" for r in log.reading), bool, len(log))
    likeness = (closeness(log, source, later) - weak_similarity) / STEP
    yield "likeness", likeness if meaning is None else BESIDE_MEANING * likeness
    if meaning is not None:
        yield "meaning", (meaning(log, source, later) - USUAL_COSINE) / COSINE_STEP
    yield "asked_again", _same(_prompts(log), source, later)
    yield "value_heard", value_heard(log, source, later)
    yield "turns_between", (later - source - 1).astype(np.float64)
    yield "same_answered", same & fine[source] & fine[later]
    yield "other_reading", understood & read[source] & read[later] & ~same
    yield "no_answer", silent[later] & log.records.has_answers
    yield "later_defect", log_odds(log.defect[later])
    yield "later_lost", log.lost[later]
    yield "gap", np.log1p(np.maximum(log.at_s[later] - log.at_s[later - 1], 0.0) / _USUAL_GAP_S)


def evidence(
    log: Log, window_turns: int, weak_similarity: float, meaning: Meaning | None = None, usual: Usual = CALLS
) -> Floats:
    """The views of each turn and the next ones in its window, (n, window_turns, len(VIEWS)); 0 where there is no turn.

    Parameters
    ----------
    weak_similarity
        Closeness of wording or sound that speaks neither for nor against.
    meaning
        Cosines of sentences, for a log without interpretations (see `rewriter.rephrase.meaning`).
    usual
        From `usual`, of the log that is learnt from.
    """
    source, later = window_pairs(log.following)
    out = np.zeros((len(log), window_turns, len(VIEWS)))
    for name, values in _views(log, weak_similarity, meaning):
        out[source, later - source - 1, VIEWS.index(name)] = values
    return with_usual(out, log, usual)


def with_usual(views: Floats, log: Log, usual: Usual) -> Floats:
    """The views with those that are the same for all pairs of a log, (n, window_turns, views)."""
    present = np.arange(views.shape[1]) < log.following[:, None]
    out = views.copy()
    out[..., VIEWS.index("usual")] = np.where(present, BASE + usual.shift, 0.0)
    out[..., VIEWS.index("anew")] = np.where(present, usual.anew, 0.0)
    return out


def usual(log: Log, views: Floats) -> Usual:
    """How often this log says things again, from `rewriter.rephrase.usual.estimate`; a constant without interpretations.

    Parameters
    ----------
    views
        From `evidence` with the ``usual`` of the calls, (n, window_turns, views).
    """
    if not any(log.reading):
        return UNREAD
    source, later = window_pairs(log.following)
    seen = views[source, later - source - 1]
    failed = sigmoid(_failed_before(log.defect[source], seen[:, None])[:, 0])
    return estimate(seen @ rule_weights(), failed)


def said_again(same: Floats, failed: Floats) -> Floats:
    """Log-odds that a turn says a failed request again, harmless repeats left out, by those of its two conditions.

    A harmless repeat means the same as a request that did not fail. Of what is left, a rephrase has the chance
    ``same * failed`` and anything else ``1 - same``, if ``same`` is the chance after a failure and ``failed`` is what
    `failed_odds` makes of it.

    >>> said_again(np.array([0.0]), np.array([0.0])).round(4).tolist()  # a quarter against a half
    [-0.6931]
    """
    return np.asarray(same - np.logaddexp(0.0, -failed))


def _failed_before(defect: Floats, views: Floats) -> Floats:
    alike = views[..., VIEWS.index("likeness")] >= 0
    return np.asarray(log_odds(defect)[:, None] - REPEATED * alike)


def failed_odds(defect: Floats, views: Floats) -> Floats:
    """Log-odds that each source failed, given that the turn means something else, and by all but its likeness, (n, w).

    Something else follows a request that did not fail more often (`Usual.anew`). And a chance of failure takes a similar
    request soon after for a sign of failure: beside the evidence, of which likeness is a part, the same fact would count
    twice; most who ask alike and were understood wanted it once more, or with another value.

    Parameters
    ----------
    defect
        Probability that the source failed, (n,).
    views
        From `evidence`, (n, w, views).
    """
    return np.asarray(_failed_before(defect, views) - views[..., VIEWS.index("anew")])


def rule_weights() -> Floats:
    """Weight of each of `VIEWS` by the rules, 0 for those that they do not read."""
    return np.array([WEIGHTS.get(name, 0.0) for name in VIEWS])


def rule_chance(log: Log, views: Floats, more: Floats | float = 0.0) -> Floats:
    """Chance by rules alone that each later turn says its source again, (n, w), see `said_again`; 0 where there is none.

    Parameters
    ----------
    views
        From `evidence`.
    more
        Log-odds to add to those that the turn means the same, (n, w).
    """
    present = np.arange(views.shape[1]) < log.following[:, None]
    odds = said_again(views @ rule_weights() + more, failed_odds(log.defect, views))
    return np.where(present, sigmoid(odds / TEMPERATURE), 0.0)


def harmless_chance(log: Log, views: Floats, more: Floats | float = 0.0) -> Floats:
    """Chance by rules alone that each later turn means the same as a source that did not fail, (n, w).

    Parameters
    ----------
    views, more
        As in `rule_chance`.
    """
    present = np.arange(views.shape[1]) < log.following[:, None]
    failed, same = _failed_before(log.defect, views), views @ rule_weights() + more
    after_failure = sigmoid(views[..., VIEWS.index("usual")] - BASE + logit(CALLS_FAILED))
    anew = views[..., VIEWS.index("anew")]
    otherwise = 1.0 - np.exp(anew) * (1.0 - after_failure)
    # Each relative to the chance of a source that did not fail, and of something else after a failure.
    again = same + np.log(np.where(present, otherwise / after_failure, 1.0))
    rest = np.logaddexp(anew, np.logaddexp(failed, failed + same))
    return np.where(present, sigmoid(again - rest), 0.0)
