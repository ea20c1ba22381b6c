"""Visits added up: rows of transitions, outcomes, served pairs, supported pairs, votes and forms; parts of a log simply add.

A visit that was understood and succeeded passes through its reading: wording -> reading -> success. So all wordings of one
interpretation end in one state, and ``C[wording, reading]`` is the success of those who meant it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from rewriter.markov.counts import Ints
from rewriter.markov.support import MIN_SUPPORT, Column, day_words, forms, n_users, ordered_pairs, pairs, said, votes, whole
from rewriter.markov.visits import Flags, Visits, units

#: Kinds of rows, and what `a` and `b` hold. In millionths: weight of a transition (`via` is 1 where it leads to a reading),
#: and users of one of at least `MIN_SUPPORT`;
#: success and failure of a state; success and failure of source served as target; weight of source served as `via`, then
#: rephrased to target. Counts: users and sessions of a pair. Votes: millionths of users whose rephrases of source went to
#: target; users who came to it at all. Forms: turns and users of a wording read as target (0: as nothing). Said: turns and
#: users of a wording.
TRANSITION, OUTCOME, SERVED, MOVED, PAIR, VOTE, FORM, SAID = range(8)


def tally_schema(n_days: int) -> pa.Schema:
    """Columns of a tally over a log of so many days; ``days_k`` has a bit for each day, from day 63 k on."""
    numbers = ["source", "via", "target", "a", "b", "first", "last", *day_words(n_days)]
    texts = ["locale", "text", "domain", "intent"]
    return pa.schema([("kind", pa.int8()), *((n, pa.int64()) for n in numbers), *((t, pa.string()) for t in texts)])


def tally(visits: Visits, n_days: int) -> pa.Table:
    """All rows of a batch of whole users, columns as `tally_schema`; the parts of a log add up to the log's counts."""
    schema = tally_schema(n_days)
    ways = ordered_pairs(visits)
    counted = [transitions(visits), outcomes(visits), served(visits), moved(visits), pairs(visits, ways, n_days)]
    parts = [*counted, votes(visits, ways), forms(visits), said(visits)]
    return pa.concat_tables([_filled(kind, part, schema) for kind, part in enumerate(parts)])


def _filled(kind: int, part: dict[str, Column], schema: pa.Schema) -> pa.Table:
    """The rows with zeros and nulls for the columns that their kind does not have."""
    n = len(part["source"])
    columns = []
    for field in schema:
        if field.name == "kind":
            columns.append(pa.array(np.full(n, kind, np.int8)))
        elif field.name in part:
            columns.append(pa.array(part[field.name], field.type))
        else:
            is_text = pa.types.is_string(field.type)
            columns.append(pa.nulls(n, field.type) if is_text else pa.array(np.zeros(n, np.int64)))
    return pa.table(columns, schema=schema)


def _pair_key(visits: Visits, source: Ints, target: Ints) -> tuple[Ints, Ints, Ints]:
    """Distinct (source, target) by state number, and each row's place among them."""
    m = max(len(visits.states.number), 1)
    key, place = np.unique(source * m + target, return_inverse=True)
    return visits.states.number[key // m], visits.states.number[key % m], place


def _ends(visits: Visits, rows: Flags, place: Ints, n: int) -> dict[str, Column]:
    """Weight that was not rephrased, by the probability of a defect; pooled, what has no reading failed."""
    stay = (visits.scale * (1.0 - visits.weight))[rows]
    defect = np.where(visits.pooled & (visits.reading < 0), 1.0, visits.defect)[rows]
    return {"a": whole(place, units(stay * (1.0 - defect)), n), "b": whole(place, units(stay * defect), n)}


def transitions(visits: Visits) -> dict[str, Column]:
    """Weight of rephrases to another wording, and of successes to their reading, of turns that were served as they are."""
    own, to = visits.served < 0, visits.to
    left, read_so = own & (to >= 0) & (to != visits.state), own & (visits.reading >= 0)
    succeeded = visits.scale * (1.0 - visits.weight) * (1.0 - visits.defect)
    weight = np.concatenate([(visits.scale * visits.weight)[left], succeeded[read_so]])
    source, target, place = _pair_key(
        visits,
        np.concatenate([visits.state[left], visits.state[read_so]]),
        np.concatenate([to[left], visits.reading[read_so]]),
    )
    is_reading = np.zeros(len(source), np.int64)
    is_reading[place[left.sum() :]] = 1
    known = np.concatenate([(visits.weight >= MIN_SUPPORT)[left], np.ones(int(read_so.sum()), bool)])
    user = np.concatenate([visits.user[left], visits.user[read_so]])
    a, b = whole(place, units(weight), len(source)), n_users(place[known], user[known], len(source))
    return {"source": source, "via": is_reading, "target": target, "a": a, "b": b}


def outcomes(visits: Visits) -> dict[str, Column]:
    """How turns ended that were served as they are: failures of the wording, successes of the reading where there is one."""
    own = visits.served < 0
    state, reading, stay = visits.state[own], visits.reading[own], (visits.scale * (1.0 - visits.weight))[own]
    defect = np.where(visits.pooled & (reading < 0), 1.0, visits.defect[own])
    success, failure = units(stay * (1.0 - defect)), units(stay * defect)
    ends = np.concatenate([state, np.where(reading >= 0, reading, state)])
    states, place = np.unique(ends, return_inverse=True)
    nothing = np.zeros(len(state), np.int64)
    return {
        "source": visits.states.number[states],
        "a": whole(place, np.concatenate([nothing, success]), len(states)),
        "b": whole(place, np.concatenate([failure, nothing]), len(states)),
    }


def served(visits: Visits) -> dict[str, Column]:
    """How requests ended that were served as this system's rewrite."""
    live = visits.served >= 0
    source, target, place = _pair_key(visits, visits.state[live], visits.served[live])
    return {"source": source, "target": target, **_ends(visits, live, place, len(source))}


def moved(visits: Visits) -> dict[str, Column]:
    """Weight of rephrases to another state, of requests that were served as this system's rewrite."""
    to = visits.to
    left = (visits.served >= 0) & (to >= 0) & (to != visits.state)
    m = max(len(visits.states.number), 1)
    _, pair = np.unique(visits.state[left] * m + visits.served[left], return_inverse=True)
    _, first, place = np.unique(pair * m + to[left], return_index=True, return_inverse=True)
    names = {"source": visits.state, "via": visits.served, "target": to}
    numbers = {name: visits.states.number[codes[left][first]] for name, codes in names.items()}
    return {**numbers, "a": whole(place, units((visits.scale * visits.weight)[left]), len(first))}
