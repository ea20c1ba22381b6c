"""Rows of C, the success that passes through each state: pruned series with a bound, and an exact solve for small chains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from rewriter.markov.chain import Chain
from rewriter.markov.counts import Floats, Ints, sums

#: Sources solved together; a block's rows stay in cache while they fill.
BLOCK = 4096
#: Series terms after which what still travels is left to the bound.
MAX_STEPS = 10_000
#: Relative error of one float64 operation; terms and rows of ordinary length stay far below a thousand operations.
ROUNDING = 1000 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Absorption:
    """Rows of C for m sources.

    Attributes
    ----------
    sources : (m,) int
    C : (m, n) sparse
        ``N[i, j] R[j, S]``, never above the true value by more than rounding.
    bound : (m,) float
        No entry of the row is further below the true value than this.
    """

    sources: Ints
    C: sparse.csr_array
    bound: Floats


def _prune(X: sparse.csr_array, tolerance: float) -> tuple[sparse.csr_array, Floats]:
    """X without entries below the tolerance, and the mass each row lost."""
    small = X.data < tolerance
    if not small.any():
        return X, np.zeros(X.shape[0])
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    lost = sums(rows[small], X.data[small], X.shape[0])
    keep = ~small
    kept = sparse.csr_array((X.data[keep], (rows[keep], X.indices[keep])), shape=X.shape)
    return kept, lost


def series_rows(chain: Chain, sources: Ints, tolerance: float) -> Absorption:
    """Rows of C by the Neumann series ``N = I + Q + Q^2 + ...``, pruned.

    Parameters
    ----------
    sources : (m,) int
    tolerance : float
        Entries of ``X <- X Q`` below it are dropped and counted; a row stops when what still travels is below it.

    Notes
    -----
    A mass dropped at state k would have added at most ``mass * C[k, j] <= mass`` to any entry, and so would what still
    travels: their sum bounds the error of every entry of the row (DESIGN of the chain; Kemeny and Snell 1960, 3.2).
    """
    sources = np.asarray(sources, np.int64)
    blocks = [_series_block(chain, sources[k : k + BLOCK], tolerance) for k in range(0, len(sources), BLOCK)]
    if not blocks:
        return Absorption(sources, sparse.csr_array((0, len(chain.states))), np.zeros(0))
    return Absorption(
        sources, sparse.csr_array(sparse.vstack([b.C for b in blocks])), np.concatenate([b.bound for b in blocks])
    )


def _series_block(chain: Chain, sources: Ints, tolerance: float) -> Absorption:
    m, n = len(sources), len(chain.states)
    X = sparse.csr_array((np.ones(m), (np.arange(m), sources)), shape=(m, n))
    N, lost = X, np.zeros(m)
    for _ in range(MAX_STEPS):
        X, dropped = _prune(sparse.csr_array(X @ chain.Q), tolerance)
        lost += dropped
        travelling: Floats = np.asarray(X.sum(axis=1)).ravel()
        done = travelling < tolerance
        if done.any():
            # Finished rows stop here; what they still carry goes to the bound.
            lost += np.where(done, travelling, 0.0)
            X = sparse.csr_array(sparse.diags_array(np.where(done, 0.0, 1.0)) @ X)
            X.eliminate_zeros()
        if not X.nnz:
            break
        N = sparse.csr_array(N + X)
    else:
        lost += np.asarray(X.sum(axis=1)).ravel()
    C = sparse.csr_array(N @ sparse.diags_array(chain.R[:, 0]))
    C.eliminate_zeros()
    return Absorption(sources, C, lost + ROUNDING)


def exact_rows(chain: Chain, sources: Ints) -> Absorption:
    """Rows of C by one sparse LU of ``I - Q``; for small chains and for checking the series."""
    n = len(chain.states)
    # Row i of N solves (I - Q)^T x = e_i.
    system = sparse.csr_array(sparse.eye_array(n) - chain.Q)
    unit = np.zeros((n, len(sources)))
    unit[sources, np.arange(len(sources))] = 1.0
    N = splu(system.T.tocsc()).solve(unit).T
    return Absorption(np.asarray(sources, np.int64), sparse.csr_array(N * chain.R[:, 0]), np.full(len(sources), ROUNDING))


def absorption_probabilities(chain: Chain) -> Floats:
    """B, (n, 2): the chance of ending in success and in failure; zero for trapped and uncounted states.

    Raises
    ------
    ArithmeticError
        If a state's two chances do not sum to 1 although it can leave: the solve has lost mass.
    """
    n = len(chain.states)
    B = np.asarray(splu(sparse.csc_array(sparse.eye_array(n) - chain.Q)).solve(chain.R)).reshape(n, 2)
    leaves = np.asarray(chain.Q.sum(axis=1)).ravel() + chain.R.sum(axis=1) > 0
    wrong = leaves & (np.abs(B.sum(axis=1) - 1.0) > 1e-6)
    wrong[list(chain.trapped)] = False
    if wrong.any():
        raise ArithmeticError(f"absorption of state '{chain.states[int(np.flatnonzero(wrong)[0])]}' does not sum to 1")
    return B
