"""What stands behind each pair of a batch's visits: users, sessions, days, votes, and the ways of saying each state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from rewriter.markov.counts import Ints, sums
from rewriter.markov.visits import Flags, Visits, units

Column: TypeAlias = Ints | pa.Array

#: Longest chain of rephrases whose first and last request count as an ordered pair.
MAX_HOPS = 4
#: Days one column of bits holds; the sign bit stays unused.
DAYS_A_WORD = 63
#: Smallest weight of a rephrase that supports a pair.
MIN_SUPPORT = 0.1
#: Defect probability below which a turn was understood.
UNDERSTOOD = 0.5


def day_words(n_days: int) -> list[str]:
    """Names of the columns that hold the days' bits."""
    return [f"days_{k}" for k in range(-(-n_days // DAYS_A_WORD))]


def whole(number: Ints, weight: Ints, n: int) -> Ints:
    """Total of whole weights of each number 0..n-1; sums below 2^53 are exact in float64."""
    return np.rint(sums(number, weight.astype(np.float64), n)).astype(np.int64)


def n_users(place: Ints, user: Ints, n: int) -> Ints:
    """Distinct users of each place 0..n-1, (n,); place and user go row by row."""
    width = int(user.max(initial=0)) + 1
    return np.bincount(np.unique(place * width + user) // width, minlength=n).astype(np.int64)


@dataclass(frozen=True)
class Ways:
    """Ordered pairs of visits in one chain of rephrases, and served pairs; k ways, all (k,).

    Attributes
    ----------
    source, target : (k,) int
        Places of the wording, and of what the user came to: the reading, where the later turn has one, else its wording.
    visit, later : (k,) int
        The two visits; the same one where the system said the later words.
    """

    source: Ints
    target: Ints
    visit: Ints
    later: Ints


def ordered_pairs(visits: Visits) -> Ways:
    """The ways to other words within `MAX_HOPS` rephrases of at least `MIN_SUPPORT`, and those of served turns."""
    start = np.arange(len(visits.state))
    onward = np.where(visits.weight >= MIN_SUPPORT, visits.rephrase, -1)
    reach, found = onward, [np.where(visits.served >= 0, start, -1)]
    for _ in range(MAX_HOPS):
        found.append(np.where(visits.state[reach] != visits.state, reach, -1))
        reach = np.where(reach >= 0, onward[reach], -1)
    visit = np.concatenate([start[later >= 0] for later in found])
    later = np.concatenate([later[later >= 0] for later in found])
    said_as = np.where(visit == later, visits.served[visit], visits.state[later])
    target = np.where(visits.reading[later] >= 0, visits.reading[later], said_as)
    other = target != visits.state[visit]
    return Ways(visits.state[visit][other], target[other], visit[other], later[other])


def pairs(visits: Visits, ways: Ways, n_days: int) -> dict[str, Column]:
    """Distinct users and sessions with source before target in one rephrase chain, their days, first and last time.

    Users are whole in a batch, so distinct users and sessions of two batches add up.
    """
    m = max(len(visits.states.number), 1)
    key = ways.source * m + ways.target
    order = np.lexsort((visits.session[ways.visit], key))
    key, visit = key[order], ways.visit[order]
    new_pair = _changes(key)
    starts = np.flatnonzero(new_pair)
    if not len(starts):
        return {name: np.zeros(0, np.int64) for name in ("source", "target", "a", "b")}
    user, session, day, at = (column[visit] for column in (visits.user, visits.session, visits.day, visits.at))
    words = {
        name: np.bitwise_or.reduceat(
            np.where(day // DAYS_A_WORD == k, np.left_shift(np.int64(1), day % DAYS_A_WORD), np.int64(0)), starts
        )
        for k, name in enumerate(day_words(n_days))
    }
    return {
        "source": visits.states.number[key[starts] // m],
        "target": visits.states.number[key[starts] % m],
        "a": np.add.reduceat((new_pair | _changes(user)).astype(np.int64), starts),
        "b": np.add.reduceat((new_pair | _changes(session)).astype(np.int64), starts),
        "first": np.minimum.reduceat(at, starts),
        "last": np.maximum.reduceat(at, starts),
        **words,
    }


def votes(visits: Visits, ways: Ways) -> dict[str, Column]:
    """What the users of each wording meant by it: a row for every pair that has support, be it without a vote.

    Every user who said it otherwise has one vote at most, split by weight over what they came to and where they were
    understood, and as sure as the surest of these rephrases; old ones weigh less: who changes their mind is followed.
    Of a served turn only what the user went on to say instead counts: to be content with what was served is no vote.
    ``b`` also counts those who were understood at once.
    """
    m = max(len(visits.states.number), 1)
    at_once = np.flatnonzero((visits.served < 0) & (visits.reading >= 0) & (visits.defect < UNDERSTOOD))
    understood = (ways.visit != ways.later) & (visits.defect[ways.later] < UNDERSTOOD)
    source = np.concatenate([ways.source, visits.state[at_once]])
    target = np.concatenate([ways.target, visits.reading[at_once]])
    user = visits.user[np.concatenate([ways.visit, at_once])]
    came = np.concatenate([understood, np.ones(len(at_once), bool)])
    weight = np.where(understood, (visits.fade * visits.weight)[ways.visit], 0.0)
    weight = np.concatenate([weight, np.zeros(len(at_once))])
    _, voter = np.unique(user * m + source, return_inverse=True)
    cast, surest = np.bincount(voter, weight, minlength=1)[voter], np.zeros(int(voter.max(initial=0)) + 1)
    np.maximum.at(surest, voter, weight)
    vote = units(surest[voter] * np.divide(weight, cast, out=np.zeros(len(weight)), where=cast > 0))
    key, place = np.unique(source * m + target, return_inverse=True)
    return {
        "source": visits.states.number[key // m],
        "target": visits.states.number[key % m],
        "a": whole(place, vote, len(key)),
        "b": n_users(place[came], user[came], len(key)),
    }


def _changes(sorted_values: Ints) -> Flags:
    starts = np.ones(len(sorted_values), bool)
    starts[1:] = sorted_values[1:] != sorted_values[:-1]
    return starts


def forms(visits: Visits) -> dict[str, Column]:
    """How each wording was read, by how many turns and users; wordings that were only served, never said, with 0 turns."""
    domain, intent = (visits.turns.column(name).combine_chunks().dictionary_encode() for name in ("domain", "intent"))
    codes = [np.asarray(c.indices.fill_null(len(c.dictionary)), np.int64) for c in (domain, intent)]
    parts = [visits.state, visits.reading + 1, *codes]
    wide = [len(visits.states.number) + 1] * 2 + [len(c.dictionary) + 1 for c in (domain, intent)]
    found, n, users = _counted(visits, np.ravel_multi_index(parts, wide))
    state, reading, of_domain, of_intent = np.unravel_index(found, wide)
    unsaid = np.setdiff1d(visits.served[visits.served >= 0], visits.state)
    none, nothing = np.zeros(len(unsaid), np.int64), np.full(len(unsaid), -1)
    state = np.concatenate([state, unsaid])
    return {
        "source": visits.states.number[state],
        "target": np.append(0, visits.states.number)[np.concatenate([reading, none])],
        "a": np.concatenate([n, none]),
        "b": np.concatenate([users, none]),
        "locale": pa.array(visits.states.locale, pa.string()).take(pa.array(state)),
        "text": pa.array(visits.states.key, pa.string()).take(pa.array(state)),
        "domain": _named(domain.dictionary, np.concatenate([of_domain, nothing])),
        "intent": _named(intent.dictionary, np.concatenate([of_intent, nothing])),
    }


def said(visits: Visits) -> dict[str, Column]:
    """Turns and users of each wording."""
    found, n, users = _counted(visits, visits.state)
    return {"source": visits.states.number[found], "a": n, "b": users}


def _counted(visits: Visits, key: Ints) -> tuple[Ints, Ints, Ints]:
    """Distinct keys of the visits, how many visits have each, and how many users."""
    found, place, n = np.unique(key, return_inverse=True, return_counts=True)
    return found, n, n_users(place, visits.user, len(found))


def _named(names: pa.Array, place: Ints) -> pa.Array:
    known = (place >= 0) & (place < len(names))
    return names.take(pa.array(np.where(known, place, 0), mask=~known))
