"""Visits: what each turn gives the chain, from the turns of whole users, sorted by user, session and time.

Links never leave a user, so a batch of whole users is counted alone: no turn is joined with another log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rewriter.markov.counts import Floats, Ints, sums
from rewriter.markov.leaving import corrected
from rewriter.markov.likeness import likeness
from rewriter.markov.states import States, distinct_states, normal_forms, readings, wordings
from rewriter.settings import Mine

Flags = NDArray[np.bool_]
#: Weights are summed as whole millionths: integer sums do not depend on the order in which parts arrive.
UNIT = 1_000_000


def units(weight: Floats) -> Ints:
    """Weights as whole millionths."""
    return np.floor(weight * UNIT + 0.5).astype(np.int64)


@dataclass(frozen=True)
class Visits:
    """One visit a turn with words; n visits of whole users.

    Attributes
    ----------
    turns : table of n rows
        The turns themselves.
    states : States
    state : (n,) int
        Place of each visit's wording in ``states``.
    reading : (n,) int
        Place of its reading, -1 without.
    user, session, day, at : (n,) int
        Users and sessions numbered from 0 in the batch, the day's place in the log, microseconds since 1970.
    rephrase : (n,) int
        The visit that rephrases this one, -1 without.
    like : (n,) float
        Chance of that rephrase if the turn failed (where it is given: whatever the turn did), 0 without.
    weight : (n,) float
        Chance of that rephrase, 0 without.
    defect : (n,) float
        Probability that the turn failed.
    fade : (n,) float
        What is left of the visit's weight at its age.
    scale : (n,) float
        What the visit weighs: it decays with age, a user's visits to one state weigh ``user_cap`` at most, and all that a
        user said ``user_total_cap``.
    pooled : bool
        Whether successes pass through readings; a turn that NLU made nothing of then succeeded at nothing.
    served : (n,) int
        Place of the state that was served in this one's stead, -1 where it was served as it is.
    """

    turns: pa.Table
    states: States
    state: Ints
    reading: Ints
    user: Ints
    session: Ints
    day: Ints
    at: Ints
    rephrase: Ints
    like: Floats
    weight: Floats
    defect: Floats
    fade: Floats
    scale: Floats
    served: Ints
    pooled: bool = False

    @property
    def to(self) -> Ints:
        """Place of the state that the rephrase leads to, -1 without a rephrase, (n,)."""
        return np.where(self.rephrase >= 0, self.state[self.rephrase], -1)


def run_numbers(*columns: pa.ChunkedArray) -> Ints:
    """Number of the run of equal values that each row of sorted columns belongs to, from 0, (n,)."""
    n = len(columns[0])
    starts = np.zeros(n, bool)
    for column in columns:
        codes = np.asarray(column.combine_chunks().dictionary_encode().indices.fill_null(-1))
        starts[1:] |= codes[1:] != codes[:-1]
    return np.cumsum(starts).astype(np.int64)


@dataclass(frozen=True)
class Links:
    """The turn that may rephrase each of n turns: its row (-1 without), and the chance that it does.

    ``is_given``: the chance comes from a model and stands; else it holds if the turn failed, and the defect decides.
    """

    row: Ints
    chance: Floats
    is_given: bool


def next_in_session(session: Ints, at: Ints, words: tuple[Ints, list[str]], max_gap_s: float) -> Links:
    """Every next turn of a session within the gap, with its `likeness`."""
    n = len(session)
    follows = np.flatnonzero((session[1:] == session[:-1]) & (at[1:] - at[:-1] <= max_gap_s * 1e6))
    row, chance = np.full(n, -1), np.zeros(n)
    row[follows] = follows + 1
    codes, texts = words
    chance[follows] = likeness(codes[follows], codes[follows + 1], texts, (at[follows + 1] - at[follows]) / 1e6)
    return Links(row, chance, is_given=False)


def given_rephrases(turns: pa.Table) -> Links:
    """The rephrases of ``rephrase_turn_id`` and ``weight``; none where it is not among the turns."""
    ids = turns.column("turn_id").combine_chunks()
    row = pc.index_in(turns.column("rephrase_turn_id"), value_set=ids, skip_nulls=True).fill_null(-1)
    weight = np.asarray(turns.column("weight").fill_null(0.0), np.float64)
    return Links(np.asarray(row, np.int64), weight, is_given=True)


def user_scale(own: Ints, decay: Floats, repeated: Floats, cap: float) -> Floats:
    """What each visit weighs so that ``own`` (a user in one state) adds up to at most ``cap``, (n,).

    A repeat in the same words collapses: what moves on to it (``repeated``) does not count twice.
    """
    given = sums(own, units(decay * (1.0 - repeated)).astype(np.float64), int(own.max(initial=-1)) + 1)[own] / UNIT
    scale: Floats = decay * np.minimum(1.0, cap / np.maximum(given, 1e-9))
    return scale


def total_scale(user: Ints, weight: Floats, cap: float) -> Floats:
    """By how much each visit counts less, so that all visits of a user add up to at most ``cap``, (n,)."""
    factor: Floats = np.minimum(1.0, cap / np.maximum(sums(user, weight, int(user.max(initial=-1)) + 1), 1e-9))
    return factor[user]


@dataclass(frozen=True)
class Shifts:
    """By how much `rewriter.markov.leaving` moves the defects of states; ``state`` numbers sorted, both (m,)."""

    state: Ints
    shift: Floats

    def of(self, number: Ints) -> Floats:
        """The shift of each state number, zero where there is none, (k,)."""
        if not len(self.state):
            return np.zeros(len(number))
        place = np.minimum(np.searchsorted(self.state, number), len(self.state) - 1)
        return np.where(self.state[place] == number, self.shift[place], 0.0)


NO_SHIFTS = Shifts(np.zeros(0, np.int64), np.zeros(0))


def visits_of(
    turns: pa.Table,
    links: Links,
    defect: Floats,
    decay: Mapping[str, float],
    settings: Mine,
    shifts: Shifts = NO_SHIFTS,
    pooled: bool = False,
) -> Visits:
    """The visits of n turns of whole users.

    Parameters
    ----------
    turns : table of n rows
        ``user_id``, ``session_id``, ``at``, ``day``, ``locale``, ``utterance``, ``reading``, ``served`` (null: as it is),
        ``domain`` and ``intent``, sorted by user, session, then as they were said.
    defect : (n,) float
        By each turn's own signs.
    decay : weight of each day of the log, by its name, the first day first
    settings : Mine
        Its caps on what one user may weigh.
    """
    locale = turns.column("locale").combine_chunks()
    served = turns.column("served").combine_chunks()
    states, (state, other, read) = distinct_states(locale, [wordings(turns), normal_forms(served), readings(turns)])
    user, session = run_numbers(turns.column("user_id")), run_numbers(turns.column("user_id"), turns.column("session_id"))
    known = np.array([key != "" for key in states.key], bool)
    heard = known[state] if len(state) else np.zeros(0, bool)
    shift = shifts.of(states.number)[state] if len(state) else np.zeros(0)
    defect = np.where(shift != 0.0, corrected(defect, shift), defect)
    # What was served in the same words, or in none, was served as it is.
    is_other = known[other] & (other != state) if len(state) else np.zeros(0, bool)
    same_locale, rephrase = _codes(locale), links.row
    ok = (rephrase >= 0) & heard & heard[rephrase] & (user == user[rephrase]) & (same_locale == same_locale[rephrase])
    rephrase, like = np.where(ok, rephrase, -1), np.where(ok, links.chance, 0.0)
    weight = like if links.is_given else like * defect
    day = np.asarray(pc.index_in(turns.column("day"), value_set=pa.array(list(decay), pa.string())), np.int64)
    fade = np.array(list(decay.values()), np.float64)[day]
    repeated = np.where(ok & (state == state[rephrase]), weight, 0.0)
    _, own = np.unique((user * len(states.number) + state)[heard], return_inverse=True)
    scale = user_scale(own, fade[heard], repeated[heard], settings.user_cap)
    scale *= total_scale(user[heard], scale, settings.user_total_cap)
    new_row = np.append(np.cumsum(heard) - 1, -1)
    return Visits(
        turns.filter(pa.array(heard)),
        states,
        state[heard],
        (np.where(known[read], read, -1) if len(read) else read)[heard],
        user[heard],
        session[heard],
        day[heard],
        np.asarray(turns.column("at").cast(pa.int64()))[heard],
        new_row[rephrase][heard],
        like[heard],
        weight[heard],
        defect[heard],
        fade[heard],
        scale,
        np.where(np.asarray(served.is_valid()) & is_other, other, -1)[heard],
        pooled,
    )


def _codes(column: pa.Array) -> Ints:
    return np.asarray(column.dictionary_encode().indices, np.int64)
