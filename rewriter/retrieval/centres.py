"""Where the lists of a large index lie: so many centres that finding them, and the nearest of them, takes two steps."""

from __future__ import annotations

from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

faiss: Any = _faiss  # its bundled stubs lag behind its parameters
Floats = NDArray[np.float32]

_TRAINING = 16  # vectors that place a centre
_ROUNDS = 8  # of k-means; more move no list that a query would miss
_SEED = 7
#: Groups of centres that are looked at for the list of a vector.
_GROUPS = 16


def _k_means(vectors: Floats, n: int) -> Floats:
    """``n`` centres of length 1 of the vectors; all of them, where there are no more."""
    if len(vectors) <= n:
        return vectors
    found = faiss.Kmeans(
        vectors.shape[1],
        n,
        niter=_ROUNDS,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=len(vectors),
    )
    found.train(vectors)
    centres: Floats = found.centroids
    return centres


def _nearest(vectors: Floats, centres: Floats) -> NDArray[np.int64]:
    """The centre of the greatest inner product with each vector, (n,)."""
    index = faiss.IndexFlatIP(centres.shape[1])
    index.add(centres)
    nearest: NDArray[np.int64] = index.search(vectors, 1)[1][:, 0]
    return nearest


def quantizer_of(vectors: Floats, n_lists: int) -> Any:
    """A FAISS quantizer with about ``n_lists`` centres of the vectors (n, dim), which lie in groups of their own.

    A sample is parted into groups and each group into centres, as many as its share of the sample; of a vector only the
    groups nearest to it are looked at. Both steps take the square root of the work that one would.
    """
    rows = np.random.default_rng(_SEED).permutation(len(vectors))[: n_lists * _TRAINING]
    sample = np.ascontiguousarray(vectors[np.sort(rows)])
    groups = _k_means(sample, max(1, round(n_lists**0.5)))
    group = _nearest(sample, groups)
    members = (sample[group == g] for g in range(len(groups)))
    centres = np.concatenate([_k_means(part, max(1, round(n_lists * len(part) / len(sample)))) for part in members])
    coarse = faiss.IndexFlatIP(vectors.shape[1])
    coarse.add(groups)
    # Of 8 bits a dimension: every query reads half of the centres, and memory is what it waits for.
    quantizer = faiss.IndexIVFScalarQuantizer(
        coarse, vectors.shape[1], len(groups), faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, False
    )
    coarse.this.disown()
    quantizer.own_fields = True
    quantizer.train(centres)
    quantizer.add(centres)
    quantizer.make_direct_map()  # codes are of what a vector has beside its centre
    quantizer.nprobe = min(_GROUPS, len(groups))
    return quantizer
