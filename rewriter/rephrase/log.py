"""Turns as columns, in the order of each user's time, and the window of turns that follow each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rewriter.intents import NOTHING_UNDERSTOOD, understood
from rewriter.text import normalise

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Columns of `turns` that are read here; a column ``defect`` (probability) may stand beside them.
COLUMNS = (
    "turn_id", "user_id", "session_id", "turn_index", "at", "locale", "utterance", "asr_nbest", "domain", "intent", "slots",
    "nlu_confidence", "response", "response_status", "barge_in", "feedback",
)  # fmt: skip
STATUSES = ("ok", "no_result", "error", "fallback", "unsupported")
#: Alternatives of the recogniser that are looked at, beside its first.
N_ALTERNATIVES = 4


class Records(NamedTuple):
    """What a log records at all; where it does not, a turn without it says nothing."""

    has_intents: bool
    has_answers: bool


@dataclass(frozen=True)
class Log:
    """n turns ordered by user, time, index and id. Texts are lists of n strings, "" where the log has none.

    Attributes
    ----------
    user
        A number a user, int64 (n,).
    following
        How many of the next turns lie in the window of each turn, int64 (n,).
    at_s
        Seconds since 1970, float64 (n,).
    status
        Position in ``STATUSES``, -1 without one, int64 (n,).
    lost
        NLU understood nothing, bool (n,).
    reading
        One string per distinct interpretation, "" without one.
    values
        Normalised slot values of each turn.
    alternatives
        Normalised alternatives of the recogniser, best first, other than the utterance.
    defect
        Probability that the turn failed, float64 (n,).
    records
        What the whole log records, which these turns may be a part of.
    """

    turn_id: list[str]
    user: Ints
    following: Ints
    at_s: Floats
    utterance: list[str]
    text: list[str]
    response: list[str]
    status: Ints
    barge_in: Bools
    lost: Bools
    reading: list[str]
    intent: list[str]
    domain: list[str]
    values: list[tuple[str, ...]]
    alternatives: list[tuple[str, ...]]
    defect: Floats
    records: Records

    def __len__(self) -> int:
        return len(self.turn_id)


def _texts(column: pa.Array) -> list[str]:
    return [value or "" for value in column.to_pylist()]


def _normal(texts: list[str]) -> list[str]:
    known = {text: normalise(text) for text in set(texts)}
    return [known[text] for text in texts]


def _floats(column: pa.Array, missing: float) -> Floats:
    return np.asarray(pc.cast(column, pa.float64()).fill_null(missing), dtype=np.float64)


def followers(user: Ints, session: Ints, at_s: Floats, window_turns: int, max_gap_s: float) -> Ints:
    """How many of the next turns lie in the window of each: same user and session, no gap over ``max_gap_s`` between.

    Parameters
    ----------
    user, session, at_s
        (n,), ordered by user and time.

    >>> followers(np.array([1, 1, 1, 2]), np.zeros(4, int), np.array([0.0, 9.0, 99.0, 99.0]), 3, 45.0).tolist()
    [1, 0, 0, 0]
    """
    n = len(user)
    if n == 0:
        return np.zeros(0, np.int64)
    breaks = (user[1:] != user[:-1]) | (session[1:] != session[:-1]) | (at_s[1:] - at_s[:-1] > max_gap_s)
    ends = np.append(np.flatnonzero(breaks), n - 1)  # last turn of each run
    last = np.repeat(ends, np.diff(ends, prepend=-1))
    return np.minimum(last - np.arange(n), window_turns)


def _codes(column: pa.Array) -> Ints:
    encoded = column.dictionary_encode()
    return np.asarray(encoded.indices.fill_null(-1), dtype=np.int64)


def _alternatives(column: pa.Array, texts: list[str]) -> list[tuple[str, ...]]:
    if column.null_count == len(column):
        return [()] * len(texts)
    filled = column.to_pylist()
    lists = [[a["text"] or "" for a in (row or ())[: N_ALTERNATIVES + 1]] for row in filled]
    known = {text: normalise(text) for row in lists for text in row}
    out: list[tuple[str, ...]] = []
    for row, text in zip(lists, texts, strict=True):
        other = dict.fromkeys(known[a] for a in row)
        out.append(tuple(a for a in other if a and a != text)[:N_ALTERNATIVES])
    return out


def _slots(column: pa.Array) -> list[dict[str, str]]:
    return [dict(row) if row else {} for row in column.to_pylist()]


def records_of(turns: pa.Table | pa.RecordBatch) -> Records:
    """What turns of a whole log record."""
    told = (bool(pc.any(pc.greater(pc.utf8_length(turns[name]), 0)).as_py()) for name in ("intent", "response"))
    return Records(*told)


def rule_defect(table: pa.Table | pa.RecordBatch, records: Records) -> Floats:
    """Chance that each turn failed by what it says itself, for logs without a table of defects (a judgement, not a fit)."""
    lowered = pc.utf8_lower(table["response_status"])
    intents = pc.utf8_lower(table["intent"])
    confidence = _floats(table["nlu_confidence"], 1.0)
    signals: list[tuple[pa.Array, float]] = [
        (pc.is_in(lowered, value_set=pa.array(["error", "fallback", "unsupported"])), 0.7),
        (pc.equal(lowered, "no_result"), 0.3),
        (pc.is_in(intents, value_set=pa.array(NOTHING_UNDERSTOOD)), 0.7),
        (table["barge_in"], 0.15),
        (pc.equal(table["feedback"], "negative"), 0.9),
    ]
    fine = np.where(confidence < 0.5, 0.55, np.where(confidence < 0.7, 0.75, 0.92))
    if records.has_intents:
        fine *= np.where(np.asarray(table["intent"].is_null()), 0.4, 1.0)
    for present, p in signals:
        fine *= np.where(np.asarray(present.fill_null(False), dtype=bool), 1.0 - p, 1.0)
    return 1.0 - fine


def _sorted(table: pa.Table) -> pa.Table:
    keys = [(name, "ascending") for name in ("user_id", "at", "turn_index", "turn_id")]
    return table.take(pc.sort_indices(table, sort_keys=keys)).combine_chunks()


def read_log(turns: pa.Table, window_turns: int, max_gap_s: float, records: Records | None = None) -> tuple[Log, pa.Table]:
    """The turns as a `Log`, and the same turns in the log's order.

    ``turns`` has `COLUMNS`; a column ``defect`` replaces the rule where it is not null. Of a part of a log ``records`` says
    what the whole records, so that a turn is judged alike whatever is read with it.
    """
    records = records or records_of(turns)
    table = _sorted(turns)
    column = {name: pa.concat_arrays(table[name].chunks or [pa.array([], table[name].type)]) for name in table.column_names}
    utterance = _texts(column["utterance"])
    text = _normal(utterance)
    slots = _slots(column["slots"])
    domain, intent = _texts(column["domain"]), _texts(column["intent"])
    lost = np.array([not understood(value) for value in intent], dtype=bool)
    reading = [
        "" if nothing else "|".join((d, i, *(f"{k}={s[k]}" for k in sorted(s))))
        for nothing, d, i, s in zip(lost, domain, intent, slots, strict=True)
    ]
    defect = rule_defect(pa.RecordBatch.from_pydict({n: column[n] for n in column}), records)
    if "defect" in column:
        given = _floats(column["defect"], np.nan)
        defect = np.where(np.isnan(given), defect, given)
    at_s = np.asarray(column["at"].cast(pa.int64()), dtype=np.int64) / 1e6
    status = pc.index_in(pc.utf8_lower(column["response_status"]), value_set=pa.array(STATUSES)).fill_null(-1)
    values = [tuple(v for v in _normal([x or "" for x in s.values()]) if v) for s in slots]
    user = _codes(column["user_id"])
    return (
        Log(
            turn_id=column["turn_id"].to_pylist(),
            user=user,
            following=followers(user, _codes(column["session_id"]), at_s, window_turns, max_gap_s),
            at_s=at_s,
            utterance=utterance,
            text=text,
            response=_texts(column["response"]),
            status=np.asarray(status, dtype=np.int64),
            barge_in=np.asarray(column["barge_in"].fill_null(False), dtype=bool),
            lost=lost & records.has_intents,
            reading=reading,
            intent=intent,
            domain=domain,
            values=values,
            alternatives=_alternatives(column["asr_nbest"], text),
            defect=defect,
            records=records,
        ),
        table,
    )
