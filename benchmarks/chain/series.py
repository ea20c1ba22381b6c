"""The plain way to prune a Neumann series: blocks of sources, sparse products, small entries dropped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rewriter.markov.chain import Chain

Floats = NDArray[np.float64]
BLOCK = 4096
MAX_STEPS = 10_000


def _pruned(X: sparse.csr_array, tolerance: float) -> tuple[sparse.csr_array, Floats]:
    """X without entries below the tolerance, and the mass each row lost."""
    small = X.data < tolerance
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    lost = np.bincount(rows[small], X.data[small], minlength=X.shape[0]).astype(np.float64)
    kept = sparse.csr_array((X.data[~small], (rows[~small], X.indices[~small])), shape=X.shape)
    return kept, lost


def _block(chain: Chain, sources: NDArray[np.int64], tolerance: float) -> tuple[sparse.csr_array, Floats]:
    m, n = len(sources), chain.n_states
    X = sparse.csr_array((np.ones(m), (np.arange(m), sources)), shape=(m, n))
    N, bound = X, np.zeros(m)
    for _ in range(MAX_STEPS):
        X, lost = _pruned(sparse.csr_array(X @ chain.Q), tolerance)
        bound += lost
        if not X.nnz:
            break
        N = sparse.csr_array(N + X)
    return sparse.csr_array(N @ sparse.diags_array(chain.R[:, 0])), bound + np.asarray(X.sum(axis=1)).ravel()


def series_rows(chain: Chain, sources: NDArray[np.int64], tolerance: float) -> tuple[sparse.csr_array, Floats]:
    """Rows of C, (m, n) sparse, and what no entry is further below the true value than, (m,)."""
    blocks = [_block(chain, sources[k : k + BLOCK], tolerance) for k in range(0, len(sources), BLOCK)]
    return sparse.csr_array(sparse.vstack([C for C, _ in blocks])), np.concatenate([bound for _, bound in blocks])
