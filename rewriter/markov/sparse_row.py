"""Two sparse vectors on the few states that one row of the chain touches: a hash table, reused from row to row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rewriter.markov.compiled import Ints32, compiled
from rewriter.markov.counts import Floats, Ints

#: States one row may touch; a row that needs more is left open.
CAPACITY = 1 << 19
_SMALLEST_TABLE = 64
_SPREAD = np.int64(-7046029254386353131)  # odd, 2^64 over the golden ratio: Fibonacci hashing


class Row(NamedTuple):
    """Two sparse vectors on the same few states: a hash table from state to slot, and what the slots hold."""

    table: Ints32  # slot of each hash, -1 where free
    state: Ints32  # state of each slot
    travelling: Floats  # r, or y
    settled: Floats  # c, or x
    size: Ints  # slots in use; table length - 1; edges and states walked


@compiled
def new_row() -> Row:
    """Room for a row; `clear` makes it empty."""
    return Row(
        np.empty(2 * CAPACITY, np.int32),
        np.empty(CAPACITY, np.int32),
        np.empty(CAPACITY),
        np.empty(CAPACITY),
        np.zeros(3, np.int64),
    )


@compiled
def clear(row: Row) -> None:
    """Make the row empty."""
    row.size[:] = 0, _SMALLEST_TABLE - 1, 0
    row.table[:_SMALLEST_TABLE] = -1


@compiled
def place_of(row: Row, state: int) -> int:
    """Where in the table a state is, or would be."""
    mask = row.size[1]
    place = ((np.int64(state) * _SPREAD) >> np.int64(32)) & mask
    while row.table[place] >= 0 and row.state[row.table[place]] != state:
        place = (place + 1) & mask
    return int(place)


@compiled
def _grow(row: Row) -> None:
    row.size[1] = 2 * row.size[1] + 1
    row.table[: row.size[1] + 1] = -1
    for slot in range(row.size[0]):
        row.table[place_of(row, row.state[slot])] = slot


@compiled
def add(row: Row, state: int, travelling: float, settled: float) -> None:
    """Add to both vectors at a state, given a slot if it has none."""
    place = place_of(row, state)
    slot = row.table[place]
    if slot >= 0:
        row.travelling[slot] += travelling
        row.settled[slot] += settled
        return
    slot = row.size[0]
    row.table[place] = slot
    row.state[slot], row.travelling[slot], row.settled[slot] = state, travelling, settled
    row.size[0] += 1
    if 2 * row.size[0] > row.size[1]:
        _grow(row)


@compiled
def has_room(row: Row, n: int) -> bool:
    """Whether n more states fit."""
    return bool(row.size[0] + n < CAPACITY)
