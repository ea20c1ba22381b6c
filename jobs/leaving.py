"""How far the defects of each wording are to be corrected: `rewriter.markov.leaving` over the whole log, pass by pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.rephrase_counts import Batches, Counting, whole_users
from rewriter.markov.leaving import Kinds, Leaving, averages, replay, totals
from rewriter.markov.support import whole
from rewriter.markov.visits import NO_SHIFTS, UNIT, Shifts, Visits, units

_KIND = "state long, defect long, like long, repeats boolean, n long"
_NAMES = [column.split()[0] for column in _KIND.split(", ")]
#: Defects are counted in steps of a thousandth, chances of a rephrase in hundredths.
_DEFECT, _LIKE = 1000, 100


def kinds_of(visits: Visits) -> pa.Table:
    """What the visits that were served as they are weigh, by wording, defect, chance of a rephrase, and whether it repeats.

    Weights are whole millionths; they are capped as in the chain, so that no user has more say here.
    """
    own = visits.served < 0
    codes = [
        visits.state[own],
        np.rint(visits.defect[own] * _DEFECT).astype(np.int64),
        np.rint(visits.like[own] * _LIKE).astype(np.int64),
        (visits.to == visits.state)[own].astype(np.int64),
    ]
    wide = (max(len(visits.states.number), 1), _DEFECT + 1, _LIKE + 1, 2)
    found, place = np.unique(np.ravel_multi_index(codes, wide), return_inverse=True)
    n = whole(place, units(visits.scale[own]), len(found))
    state, defect, like, repeats = np.unravel_index(found, wide)
    return pa.table([visits.states.number[state], defect, like, repeats.astype(bool), n], _NAMES)


def _count(counting: Counting) -> Callable[[Batches], Batches]:
    def count(batches: Batches) -> Batches:
        for turns in whole_users(batches):
            yield from kinds_of(counting.visits(turns)).to_batches()

    return count


def _kinds(batches: Batches, is_given: bool) -> tuple[np.ndarray, Kinds]:
    """State numbers of a partition, and its kinds by their place."""
    held = list(batches)
    rows = pa.Table.from_batches(held) if held else pa.table([pa.array([], pa.int64())] * 5, _NAMES)
    state, defect, like, repeats, n = (rows.column(name).to_numpy() for name in _NAMES)
    number, place = np.unique(state, return_inverse=True)
    kinds = Kinds(place, defect / _DEFECT, like / _LIKE, repeats.astype(bool), n / UNIT, is_given)
    return number, kinds


def _totals(is_given: bool, passes: list[Leaving]) -> Callable[[Batches], Batches]:
    def add(batches: Batches) -> Batches:
        _, kinds = _kinds(batches, is_given)
        _, defect = replay(kinds, passes)
        yield pa.RecordBatch.from_arrays([pa.array([v]) for v in totals(kinds, defect)], list("abcd"))

    return add


def _shifts(is_given: bool, passes: list[Leaving]) -> Callable[[Batches], Batches]:
    def find(batches: Batches) -> Batches:
        number, kinds = _kinds(batches, is_given)
        shift, _ = replay(kinds, passes)
        moved = shift != 0.0
        yield pa.RecordBatch.from_arrays([pa.array(number[moved]), pa.array(shift[moved])], ["state", "shift"])

    return find


def defect_shifts(turns: DataFrame, counting: Counting) -> Shifts:
    """The shift of every wording that is said often enough; none where nobody leaves, or no pass is asked for.

    Only defects by rule are corrected: a trained model has seen what follows its turns, and its defects stand.

    Parameters
    ----------
    turns : frame
        As `jobs.rephrase_counts.user_turns` returns it.
    """
    n_passes = 0 if counting.has_defects else counting.settings.mine.defect_passes
    if not n_passes:
        return NO_SHIFTS
    keys = _NAMES[:-1]
    counted = turns.mapInArrow(_count(counting), _KIND).groupBy(*keys).agg(F.sum("n").alias("n"))
    # A state's kinds lie together and in order, and totals are whole numbers: the same log gives the same shifts.
    placed = counted.repartition("state").sortWithinPartitions(*keys).persist(StorageLevel.MEMORY_AND_DISK)
    passes: list[Leaving] = []
    for _ in range(n_passes):
        parts = placed.mapInArrow(_totals(counting.has_links, passes), "a double, b double, c double, d double").toArrow()
        log = averages(np.array([np.sum(parts.column(name).to_numpy()) for name in "abcd"]))
        if log is None:
            placed.unpersist()
            return NO_SHIFTS
        passes.append(log)
    found = placed.mapInArrow(_shifts(counting.has_links, passes), "state long, shift double").toArrow().sort_by("state")
    placed.unpersist()
    return Shifts(found.column("state").to_numpy(), found.column("shift").to_numpy())
