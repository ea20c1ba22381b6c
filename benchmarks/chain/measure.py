"""One measurement in a process of its own, so that its peak memory is that of nothing else; prints JSON.

``make N``: draw the graph of N states and save it. ``solve``: answer every source of a saved graph, timed from its counts.
``exact``, ``dense`` and ``series``: the alternatives, timed on the same graph and compared with the answers.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from benchmarks.chain.graph import LEAST_VISITS, WANDER, check, properties, random_counts
from benchmarks.chain.series import series_rows
from rewriter.markov.absorption import Solved, solve_sources
from rewriter.markov.chain import Chain, chain_of
from rewriter.markov.conditioned import conditioned
from rewriter.markov.counts import Counts
from rewriter.markov.push import CERTIFIED, OPEN, TIE, TIED

FIELDS = ("source", "target", "weight", "success", "failure")
#: What the timed SciPy series drops; its certificate follows from it.
SERIES_PRUNING = 1e-4


def load(folder: Path) -> Counts:
    """The saved counts."""
    return Counts(*(np.load(folder / f"{name}.npy") for name in FIELDS))


def make(folder: Path, n: int, wander: float, least_visits: float) -> dict[str, Any]:
    """Draw and save a graph; returns its properties, checked unless it is meant to be another kind."""
    counts = random_counts(n, wander=wander, least_visits=least_visits)
    for name in FIELDS:
        np.save(folder / f"{name}.npy", getattr(counts, name))
    found = properties(counts)
    if (wander, least_visits) == (WANDER, LEAST_VISITS):
        check(found)
    return {"n_states": n, "n_edges": len(counts.weight), "wander": wander, "least_visits": least_visits} | found


def _solved(counts: Counts, threads: int) -> tuple[Solved, dict[str, float]]:
    """Answers for every source, and the seconds of each part."""
    clock, cpu = [time.perf_counter()], time.process_time()
    chain = chain_of(counts)
    clock.append(time.perf_counter())
    ready = conditioned(chain)
    clock.append(time.perf_counter())
    solved = solve_sources(ready, np.arange(counts.n_states), threads=threads)
    clock.append(time.perf_counter())
    names = ("seconds_chain", "seconds_bounds", "seconds_rows")
    whole = {"seconds": clock[-1] - clock[0], "cpu_seconds": time.process_time() - cpu}
    return solved, whole | dict(zip(names, np.diff(clock).tolist(), strict=True))


def solve(folder: Path, threads: int, repeats: int) -> dict[str, Any]:
    """Seconds (the fastest and the median run), peak memory, and what became of the sources."""
    begun = time.perf_counter()
    _solved(Counts(np.array([0]), np.array([1]), np.ones(1), np.array([0.0, 1.0]), np.ones(2)), threads)
    jit = time.perf_counter() - begun
    counts = load(folder)
    runs = []
    for _ in range(repeats):
        solved, seconds = _solved(counts, threads)
        runs.append(seconds)
    known, n = solved.answers.known, counts.n_states
    np.savez(folder / "answers.npz", best=solved.answers.best, known=known, staying=solved.answers.staying)
    no_success = solved.absorbed == 0.0
    return min(runs, key=lambda run: run["seconds"]) | {
        "seconds_median": float(np.median([run["seconds"] for run in runs])),
        "runs": repeats,
        "threads": threads,
        "seconds_to_compile_or_load": jit,
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        # Where success cannot be reached the row is zero: there is nothing to choose, and nothing to certify.
        "share_without_success": float(no_success.mean()),
        "share_certified": float((known[~no_success] == CERTIFIED).mean()),
        "share_ties": float((known[~no_success] == TIED).mean()),
        "share_open": float((known[~no_success] == OPEN).mean()),
        "n_states": n,
        "n_edges": len(counts.weight),
    }


def _sample(n: int, size: int) -> np.ndarray:
    return np.sort(np.random.default_rng(3).choice(n, min(size, n), replace=False))


def _agreement(folder: Path, sources: np.ndarray, rows: np.ndarray) -> dict[str, int]:
    """How many certified answers of these sources the rows of C, (m, n), contradict."""
    answers = np.load(folder / "answers.npz")
    contradicted = 0
    for source, row in zip(sources.tolist(), rows, strict=True):
        staying, row[source] = row[source], -1.0
        best, said = int(row.argmax()), int(answers["best"][source])
        wrong = row[best] - row[said] > TIE if row[best] > staying else False
        contradicted += bool(answers["known"][source] == CERTIFIED and wrong)
    return {"compared": len(sources), "contradicted": contradicted}


def exact(folder: Path, chain: Chain, size: int) -> dict[str, object]:
    """One sparse LU, then a solve for each sampled source."""
    begun = time.perf_counter()
    factors = splu(sparse.csc_array((sparse.eye_array(chain.n_states) - chain.Q).T))
    factor_s = time.perf_counter() - begun
    sources = _sample(chain.n_states, size)
    rows = []
    begun = time.perf_counter()
    for source in sources:
        unit = np.zeros(chain.n_states)
        unit[source] = 1.0
        rows.append(factors.solve(unit) * chain.R[:, 0])
    solve_s = (time.perf_counter() - begun) / len(sources)
    return {
        "name": "sparse LU (SciPy splu)",
        "seconds_factor": factor_s,
        "fill_in": int(factors.L.nnz + factors.U.nnz),
        "seconds_per_source": solve_s,
        "seconds_per_source_with_factor": solve_s + factor_s / chain.n_states,
    } | _agreement(folder, sources, np.array(rows))


def dense(folder: Path, chain: Chain, size: int) -> dict[str, object]:
    """The textbook: invert I - Q."""
    begun = time.perf_counter()
    C = np.linalg.inv(np.eye(chain.n_states) - chain.Q.toarray()) * chain.R[:, 0]
    seconds = time.perf_counter() - begun
    sources = _sample(chain.n_states, size)
    found = {"name": "dense inverse (NumPy)", "seconds": seconds, "seconds_per_source": seconds / chain.n_states}
    return found | _agreement(folder, sources, C[sources])


def series(folder: Path, chain: Chain, size: int) -> dict[str, object]:
    """The pruned Neumann series in blocks of SciPy's sparse products."""
    sources = _sample(chain.n_states, size)
    begun = time.perf_counter()
    C, bound = series_rows(chain, sources, SERIES_PRUNING)
    seconds = time.perf_counter() - begun
    two = np.array([np.sort(np.append(C.data[a:b], [0.0, 0.0]))[-2:] for a, b in zip(C.indptr, C.indptr[1:], strict=False)])
    return {
        "name": "pruned Neumann series (SciPy)",
        "pruning": SERIES_PRUNING,
        "compared": len(sources),
        "seconds_per_source": seconds / len(sources),
        "share_certified": float((two[:, 1] - two[:, 0] > bound).mean()),
    }


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["make", "solve", "exact", "dense", "series"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--states", type=int, default=1000)
    parser.add_argument("--wander", type=float, default=WANDER)
    parser.add_argument("--least-visits", type=float, default=LEAST_VISITS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sample", type=int, default=50)
    args = parser.parse_args()
    if args.what == "make":
        found = make(args.folder, args.states, args.wander, args.least_visits)
    elif args.what == "solve":
        found = solve(args.folder, args.threads, args.repeats)
    else:
        alternative = {"exact": exact, "dense": dense, "series": series}[args.what]
        chain = chain_of(load(args.folder))
        found = {"n_states": chain.n_states} | alternative(args.folder, chain, args.sample)
        found["peak_memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(found))


if __name__ == "__main__":
    main()
