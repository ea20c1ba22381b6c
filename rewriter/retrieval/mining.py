"""Hard negatives: requests that the encoder itself confuses with the one that was meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from rewriter.retrieval.pairs import Known, Pair

NEIGHBOURS = 32  # looked at for each query
MARGIN = 0.95  # of the target's score: nearer ones may be the same request in other words


def hard_negatives(
    pairs: Sequence[Pair],
    corpus: Sequence[Known],
    vectors: Mapping[str, NDArray[np.float32]],
    positives: Set[tuple[str, str]],
    n: int = 1,
) -> list[list[Known]]:
    """For each pair up to ``n`` requests of the corpus that score next to its target, best first.

    None has the target's meaning or is a known target of the query; where a meaning is unknown there is no proof that a
    neighbour differs, so it is left out. ``vectors`` holds the vector (dim,) of every text.

    References
    ----------
    Moreira et al. 2024, *NV-Retriever*, section 3.2: a relative margin keeps false negatives out.
    """
    if not pairs or not corpus:
        return [[] for _ in pairs]
    matrix = np.stack([vectors[one.text] for one in corpus])
    queries = np.stack([vectors[p.query] for p in pairs])
    targets = np.stack([vectors[p.target] for p in pairs])
    limits = MARGIN * np.einsum("nd,nd->n", queries, targets)
    found = []
    for start in range(0, len(pairs), 512):
        scores = queries[start : start + 512] @ matrix.T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :NEIGHBOURS]
        for row, pair in enumerate(pairs[start : start + 512]):
            near = (corpus[j] for j in order[row] if scores[row, j] <= limits[start + row])
            found.append([one for one in near if _differs(pair, one, positives)][:n])
    return found


def _differs(pair: Pair, one: Known, positives: Set[tuple[str, str]]) -> bool:
    other_meaning = bool(pair.meaning) and bool(one.meaning) and pair.meaning != one.meaning
    return other_meaning and one.text not in (pair.query, pair.target) and (pair.query, one.text) not in positives
