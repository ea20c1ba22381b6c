"""Solving the chain for the sources that have a candidate: in one place while the log is small, in Spark tasks beyond.

States share edges only inside a connected component, so components are solved apart: small ones packed evenly into tasks, a
giant one by every task with its edges broadcast, each task taking a block of its sources.
"""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from jobs.chain_problem import SOLVED, Problem, Solution, n_trapped, solve_one, sorted_rows
from jobs.scratch import Scratch
from jobs.solve_tasks import solve_in_tasks
from rewriter.settings import Mine


def solve_chain(problem: Problem, settings: Mine, scratch: Scratch) -> Solution:
    """C of every candidate, by the way that the number of edges asks for; all ways give the same rows within rounding."""
    if not problem.candidates.num_rows:
        return Solution(SOLVED.empty_table(), 0, 0)
    if problem.edges.count() <= settings.max_driver_edges:
        return solve_here(problem, settings)
    return solve_in_tasks(problem, settings, scratch)


def solve_here(problem: Problem, settings: Mine) -> Solution:
    """All components that hold a candidate, solved in this process by as many threads as it has cores."""
    edges, ends = problem.edges.toArrow(), problem.ends.toArrow()
    candidates, wanted = problem.candidates, pc.unique(problem.candidates.column("source")).to_numpy()
    source, target = edges.column("source").to_numpy(), edges.column("target").to_numpy()
    known = np.unique(np.concatenate([source, target, wanted]))
    i, j = np.searchsorted(known, source), np.searchsorted(known, target)
    links = sparse.coo_array((np.ones(len(i), bool), (i, j)), shape=(len(known), len(known)))
    _, label = connected_components(links, directed=False)
    held = np.unique(label[np.searchsorted(known, wanted)])
    inside = np.zeros(len(known), bool)
    inside[np.isin(label, held)] = True
    edges = edges.filter(pa.array(inside[i]))
    ends = ends.filter(pc.is_in(ends.column("state"), value_set=pa.array(known[inside])))
    solved = solve_one(edges, ends, candidates, settings, os.cpu_count() or 1)
    return Solution(sorted_rows(solved), len(held), n_trapped(edges, ends))
