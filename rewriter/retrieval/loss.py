"""Contrastive loss over a batch: each query must find its own target among all candidates of the batch."""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from rewriter.retrieval.pairs import Known, Pair

TEMPERATURE = 0.05


def false_negatives(
    pairs: Sequence[Pair], candidates: Sequence[Known], positives: Set[tuple[str, str]]
) -> NDArray[np.bool_]:
    """Candidates (n, m) that are no negatives of a pair: equal in meaning or text to its target, its own query, or a known
    target of that query. A pair's own target is not among them: candidate i of pair i is its positive.

    >>> pairs = [Pair("a", "b", "1", "rephrase"), Pair("c", "d", "2", "rephrase")]
    >>> false_negatives(pairs, [Known("b", "1"), Known("d", "2"), Known("e", "1")], frozenset()).astype(int)
    array([[0, 0, 1],
           [0, 0, 0]])
    """  # noqa: D205
    mask = np.zeros((len(pairs), len(candidates)), bool)
    for i, pair in enumerate(pairs):
        for j, other in enumerate(candidates):
            same = other.text in (pair.target, pair.query) or (bool(pair.meaning) and other.meaning == pair.meaning)
            mask[i, j] = i != j and (same or (pair.query, other.text) in positives)
    return mask


def info_nce(queries: Tensor, candidates: Tensor, masked: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Mean cross entropy of finding candidate i for query i; vectors (n, d) and (m >= n, d), ``masked`` (n, m) bool.

    References
    ----------
    Karpukhin et al. 2020, *Dense passage retrieval*, section 3.2 (in-batch negatives); van den Oord et al. 2018,
    *Representation learning with contrastive predictive coding*, section 2.3.

    Examples
    --------
    >>> eye = torch.eye(2)
    >>> round(float(info_nce(eye, eye, torch.zeros(2, 2, dtype=torch.bool), temperature=1.0)), 4)
    0.3133
    """
    scores = (queries.float() @ candidates.float().T) / temperature
    return F.cross_entropy(scores.masked_fill(masked, float("-inf")), torch.arange(len(queries)))
