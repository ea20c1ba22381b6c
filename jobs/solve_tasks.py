"""Solving the chain in Spark tasks: small components packed evenly, a giant one broadcast and solved by all of them."""

from __future__ import annotations

import heapq

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from jobs.chain_problem import SOLVED, Problem, Solution, n_trapped, solve_one, sorted_rows
from jobs.components import label_components
from jobs.rephrase_counts import Batches
from jobs.scratch import Scratch
from rewriter.markov.counts import Ints
from rewriter.settings import Mine

#: A solved candidate, with its task and how many trapped states the task's components have.
_BINNED = pa.schema([*SOLVED, ("bin", pa.int64()), ("trapped", pa.int64())])
#: Kinds of rows of one task's problem, and what their columns hold: source, target, weight; state, -, success, failure;
#: source, rewrite, place. One frame holds all, so that one shuffle brings a task its problem.
EDGE, END, CANDIDATE = range(3)
_COLUMNS = ("kind", "a", "b", "x", "y")


def pack(components: Ints, n_edges: Ints, per_bin: int) -> Ints:
    """The bin of each component: large ones alone, the small ones spread evenly over as few bins as hold ``per_bin``, (k,).

    >>> pack(np.arange(5), np.array([900, 40, 30, 20, 10]), 50).tolist()
    [2, 0, 1, 1, 0]
    """
    order = np.lexsort((components, -n_edges))
    large = n_edges[order] > per_bin
    n_bins = max(1, -(-int(n_edges[order][~large].sum()) // per_bin))
    filled, bins = [(0, k) for k in range(n_bins)], np.empty(len(components), np.int64)
    for row, alone in zip(order.tolist(), large.tolist(), strict=True):
        if alone:
            bins[row], n_bins = n_bins, n_bins + 1
            continue
        load, k = heapq.heappop(filled)
        bins[row] = k
        heapq.heappush(filled, (load + int(n_edges[row]) + 1, k))
    return bins


def solve_in_tasks(problem: Problem, settings: Mine, scratch: Scratch) -> Solution:
    """Components labelled in Spark; the small ones packed into tasks, each giant one broadcast to all tasks."""
    spark = problem.edges.sparkSession
    labels = label_components(problem.edges, scratch)
    candidates = spark.createDataFrame(problem.candidates)
    rows = _labelled(problem.edges, problem.ends, candidates, labels)
    held = rows.where(F.col("kind") == CANDIDATE).select("component").distinct()
    rows = scratch.keep(rows.join(F.broadcast(held), "component", "left_semi"))
    sizes = rows.groupBy("component").agg(F.count_if(F.col("kind") == EDGE).alias("n")).orderBy("component").toArrow()
    component, n_edges = sizes.column("component").to_numpy(), sizes.column("n").to_numpy()
    giant = n_edges > settings.max_component_edges
    parts = [_solve_giant(rows, c, settings) for c in component[giant].tolist()]
    if not giant.all():
        parts.append(_solve_packed(rows, component[~giant], n_edges[~giant], settings))
    return Solution(sorted_rows(pa.concat_tables([p for p, _ in parts])), len(component), sum(n for _, n in parts))


def _labelled(edges: DataFrame, ends: DataFrame, candidates: DataFrame, labels: DataFrame) -> DataFrame:
    """All rows of the problem with their ``component``; a state without transitions is one by itself."""
    none = F.lit(0).cast("long")
    parts = [
        edges.select(F.lit(EDGE).alias("kind"), "source", "target", "weight", none),
        ends.select(F.lit(END), "state", none, "success", "failure"),
        candidates.select(F.lit(CANDIDATE), "source", "rewrite", "place", none),
    ]
    rows = parts[0].union(parts[1]).union(parts[2]).toDF(*_COLUMNS)
    named = labels.select(F.col("state").alias("a"), "component")
    return rows.join(named, "a", "left").select(*_COLUMNS, F.coalesce("component", "a").alias("component"))


def _tables(rows: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Edges, ends and candidates of a task's rows."""

    def part(kind: int, *names: str) -> pa.Table:
        found = rows.filter(pc.equal(rows.column("kind"), kind)).select(list(_COLUMNS[1:])).rename_columns(names)
        return found.drop_columns([name for name in names if name.startswith("_")])

    return (
        part(EDGE, "source", "target", "weight", "_"),
        part(END, "state", "_", "success", "failure"),
        part(CANDIDATE, "source", "rewrite", "place", "_"),
    )


def _solve_packed(rows: DataFrame, component: Ints, n_edges: Ints, settings: Mine) -> tuple[pa.Table, int]:
    """Components packed into tasks; the solved candidates, and how many states are trapped."""
    bins = pa.table({"component": component, "bin": pack(component, n_edges, settings.edges_per_task)})
    packed = rows.join(F.broadcast(rows.sparkSession.createDataFrame(bins)), "component")

    def solve_bin(key: tuple[pa.Scalar, ...], table: pa.Table) -> pa.Table:
        edges, ends, candidates = _tables(table)
        solved, n = solve_one(edges, ends, candidates, settings, 1), candidates.num_rows
        extra = [np.full(n, key[0].as_py(), np.int64), np.full(n, n_trapped(edges, ends), np.int64)]
        return pa.table([*solved.select(SOLVED.names).columns, *(pa.array(c) for c in extra)], schema=_BINNED)

    solved = packed.groupBy("bin").applyInArrow(solve_bin, from_arrow_schema(_BINNED)).toArrow()
    of_bin = dict(zip(solved.column("bin").to_pylist(), solved.column("trapped").to_pylist(), strict=True))
    return solved.select(SOLVED.names), sum(of_bin.values())


def _solve_giant(rows: DataFrame, component: int, settings: Mine) -> tuple[pa.Table, int]:
    """One component by blocks of its sources, an even one for each core, with its edges broadcast to all of them."""
    spark = rows.sparkSession
    edges, ends, candidates = _tables(rows.where(F.col("component") == component).toArrow())
    sent = spark.sparkContext.broadcast((edges, ends))
    n_blocks = spark.sparkContext.defaultParallelism
    _, number = np.unique(candidates.column("source").to_numpy(), return_inverse=True)
    blocks = spark.createDataFrame(candidates.append_column("block", pa.array(number % n_blocks)))

    def solve_block(batches: Batches) -> Batches:
        held = list(batches)
        if held:
            solved = solve_one(*sent.value, pa.Table.from_batches(held), settings, 1)
            yield from solved.select(SOLVED.names).cast(SOLVED).combine_chunks().to_batches()

    placed = blocks.repartitionByRange(n_blocks, "block").select("source", "rewrite", "place")
    solved = placed.mapInArrow(solve_block, from_arrow_schema(SOLVED)).toArrow()
    sent.unpersist()
    return solved.select(SOLVED.names), n_trapped(edges, ends)
