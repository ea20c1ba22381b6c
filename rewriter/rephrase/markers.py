"""Markers of the input: what the log says beside the words, each one learnt vector above the encoder's vocabulary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rewriter.rephrase.log import STATUSES

#: Upper bounds of the buckets; the last bucket is open.
GAPS_S = (3.0, 6.0, 10.0, 20.0)
DEFECTS = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8)
CLOSENESS = (-2.5, -2.0, -1.5, -1.0, 0.0, 1.0, 2.0)  # log-odds, see `rewriter.rephrase.evidence`

#: Name of each marker and the words whose embeddings it starts from. Its token id is the vocabulary's size + position.
MARKERS: tuple[tuple[str, str], ...] = (
    ("source", "the request"),
    ("turn", "then the user said"),
    ("response", "the assistant answered"),
    ("also_heard", "or maybe"),
    ("barge_in", "interrupted"),
    ("lost", "not understood"),
    *((f"status_{name}", name.replace("_", " ")) for name in STATUSES),
    *((f"gap_{i}", "seconds later") for i in range(len(GAPS_S) + 1)),
    *((f"defect_{i}", words) for i, words in enumerate(("fine", "good", "maybe", "unsure", "doubtful", "wrong", "failed"))),
    *((f"close_{i}", words) for i, words in enumerate(
        ("different", "other", "unlike", "vaguely", "alike", "similar", "close", "same")
    )),
)  # fmt: skip
NAMES = tuple(name for name, _ in MARKERS)


def marker(name: str) -> int:
    """Position of a marker in ``MARKERS``."""
    return NAMES.index(name)


def bucket(values: NDArray[np.float64], bounds: tuple[float, ...]) -> NDArray[np.int64]:
    """Number of the bucket of each value: how many bounds it reaches.

    >>> bucket(np.array([0.0, 3.0, 99.0]), GAPS_S).tolist()
    [0, 1, 4]
    """
    return np.searchsorted(np.asarray(bounds), values, side="right").astype(np.int64)
