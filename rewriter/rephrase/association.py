"""What many users said next after the same request failed: rewordings that no similarity of words can see."""

from __future__ import annotations

import numpy as np

from rewriter.rephrase.log import Bools, Ints, Log

#: Distinct users who failed with the request and were then understood in this way.
LEAST_USERS = 3
#: Of the users who failed with the request and said something more.
LEAST_SHARE = 0.15
#: Their share over that of the same interpretation after any failed request: 1 is chance.
LEAST_LIFT = 4.0
_FAILED = 0.5


def _distinct(*keys: Ints) -> Ints:
    """Distinct rows of the given columns, (k, len(keys))."""
    return np.unique(np.stack(keys, axis=1), axis=0)


def _codes(values: list[str]) -> Ints:
    return np.unique(np.array(values, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)


def associated(log: Log) -> Bools:
    """Whether the next turn of each turn is what users typically turn to after that very request failed, (n,).

    A request (normalised text) and the interpretation of the turn right after it belong together if at least 3 users went
    that way, 15% of those who failed with the request and went on, and 4 times as many as after any failed request. Turns
    that probably did not fail, and pairs of the same interpretation, are false.
    """
    out = np.zeros(len(log), bool)
    failed = np.flatnonzero((log.following > 0) & (log.defect >= _FAILED))
    failed = failed[[log.text[i] != "" for i in failed]] if len(failed) else failed
    if len(failed) == 0:
        return out
    request, reading = _codes([log.text[i] for i in failed]), _codes([log.reading[i + 1] for i in failed])
    user = log.user[failed]
    ways = _distinct(request, reading, user)
    n_readings = int(reading.max()) + 1
    way, users = np.unique(ways[:, 0] * n_readings + ways[:, 1], return_counts=True)
    of_request = np.bincount(_distinct(request, user)[:, 0])
    after_any = _distinct(reading, user)
    base = np.bincount(after_any[:, 0]) / len(np.unique(user))
    share = users / of_request[way // n_readings]
    strong = (users >= LEAST_USERS) & (share >= LEAST_SHARE) & (share >= LEAST_LIFT * base[way % n_readings])
    known = np.array([log.reading[i + 1] != "" and log.reading[i] != log.reading[i + 1] for i in failed], dtype=bool)
    out[failed] = known & np.isin(request * n_readings + reading, way[strong])
    return out
