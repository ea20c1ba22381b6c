"""Tables in, tables out: order, numbering, ties and faults."""

from __future__ import annotations

import dataclasses

import pyarrow as pa
import pytest

from rewriter.markov.solve import solve
from rewriter.settings import Mine

A, B, C = 70, -5, 10**12
EDGES = [(A, B, 30.0), (A, C, 40.0), (B, C, 20.0), (B, A, 2.0), (C, B, 5.0)]
OUTCOMES = [(A, 5.0, 25.0), (B, 10.0, 18.0), (C, 180.0, 15.0)]
EXACT = dataclasses.replace(Mine(), tolerance=1e-9)


def table(rows: list[tuple], *fields: tuple[str, pa.DataType]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [[] for _ in fields]
    return pa.table({name: pa.array(values, kind) for (name, kind), values in zip(fields, columns, strict=True)})


def judged(pairs: list[tuple[int, int]], edges=EDGES, outcomes=OUTCOMES, settings: Mine = EXACT) -> list[dict]:
    number, real = pa.int64(), pa.float64()
    return solve(
        table(edges, ("source", number), ("target", number), ("weight", real)),
        table(outcomes, ("state", number), ("success", real), ("failure", real)),
        table(pairs, ("source", number), ("rewrite", number)),
        settings,
        threads=2,
    ).to_pylist()


def test_each_pair_comes_back_in_its_place_with_its_share_of_success():
    rows = judged([(B, C), (A, B), (C, B), (A, C)])
    assert [(row["source"], row["rewrite"]) for row in rows] == [(B, C), (A, B), (C, B), (A, C)]
    assert [row["passing"] for row in rows] == pytest.approx([0.3830, 0.0634, 0.0051, 0.4787], abs=5e-5)
    assert [row["staying"] for row in rows] == pytest.approx([0.2046, 0.0506, 0.9096, 0.0506], abs=5e-5)
    assert [row["absorbed"] for row in rows] == pytest.approx([0.5896, 0.5928, 0.9147, 0.5928], abs=5e-5)
    assert [row["is_best"] for row in rows] == [True, False, True, True]
    assert all(row["certified"] and row["bound"] <= 1.1e-9 for row in rows)


def test_only_allowed_pairs_compete():
    (row,) = judged([(A, B)])
    assert row["is_best"]
    assert row["certified"]
    assert row["passing"] == pytest.approx(0.0634, abs=5e-5)


def test_rows_of_the_same_edge_and_state_add_up():
    halves = [(s, t, w / 2) for s, t, w in EDGES] * 2
    ends = [(k, s / 4, f / 4) for k, s, f in OUTCOMES] * 4
    assert judged([(A, C)], halves, ends) == judged([(A, C)])


def test_of_equal_pairs_the_first_listed_is_best_and_none_is_certified():
    edges, outcomes = [(A, B, 10.0), (A, C, 10.0)], [(A, 0.0, 1.0), (B, 9.0, 1.0), (C, 9.0, 1.0)]
    for pairs in ([(A, B), (A, C)], [(A, C), (A, B)]):
        assert [row["is_best"] for row in judged(pairs, edges, outcomes)] == [True, False]
        assert not any(row["certified"] for row in judged(pairs, edges, outcomes))


def test_a_tie_by_rounding_alone_goes_to_the_first_listed():
    # C of both is 0.3, but one of them in floats a last digit more.
    edges = [(A, B, 3.0), (A, C, 1.0), (A, 4, 2.0), (A, 5, 4.0), (4, C, 1.0)]
    outcomes = [(B, 1.0, 0.0), (C, 1.0, 0.0), (5, 0.0, 1.0)]
    for pairs in ([(A, B), (A, C)], [(A, C), (A, B)]):
        rows = judged(pairs, edges, outcomes)
        assert [row["is_best"] for row in rows] == [True, False]
        assert all(row["is_tie"] and not row["certified"] for row in rows)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -1.0])
def test_a_weight_that_is_none_is_refused(weight: float):
    with pytest.raises(ValueError, match="'weight'"):
        judged([(A, C)], [(A, C, weight)])
    with pytest.raises(ValueError, match="'success'"):
        judged([(A, C)], outcomes=[(A, weight, 1.0)])


def test_a_coarse_tolerance_keeps_its_bound_and_its_certificate():
    (row,) = judged([(A, C)], settings=dataclasses.replace(Mine(), tolerance=1.0))
    assert row["certified"]
    assert row["passing"] <= 0.478709 <= row["passing"] + row["bound"]


def test_a_pair_of_states_without_any_count_passes_nothing():
    (row,) = judged([(1, 2)])
    assert (row["passing"], row["staying"], row["absorbed"], row["certified"]) == (0.0, 0.0, 0.0, False)


def test_no_pairs_give_no_rows():
    assert judged([]) == []


@pytest.mark.parametrize("pairs", [[(A, B), (A, B)], [(A, A)]])
def test_a_pair_listed_twice_or_with_itself_is_refused(pairs: list[tuple[int, int]]):
    with pytest.raises(ValueError, match="candidates"):
        judged(pairs)
