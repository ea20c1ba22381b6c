"""The answer to one request. "No rewrite" is an answer too, with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from rewriter.decision.candidate import Candidate


def rewrite_id(locale: str, source: str, rewrite: str) -> str:
    """Sixteen hexadecimal digits that name one rewrite of one normalised request, the same everywhere and always.

    >>> rewrite_id("en-US", "play beet it", "play beat it")
    'a909dbebd7da9a12'
    """
    return hashlib.sha256("\x1f".join((locale, source, rewrite)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Decision:
    """What to do with a request, and why.

    Attributes
    ----------
    rewrite
        Normalised text to serve instead, or None: leave the request alone.
    source
        Layer that decided: taught, precomputed, personal, global, alternative, or none.
    probability
        What the layer believes of its rewrite: for a pair, that it is what was meant and succeeds; for a retrieved
        candidate, that it wins. None where nothing was estimated.
    reason
        Plain words.
    candidates
        All that was considered, with scores, best first.
    timings_ms
        Time of each step; not part of equality.
    """

    rewrite: str | None
    source: str
    reason: str
    rewrite_id: str | None = None
    probability: float | None = None
    candidates: tuple[Candidate, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict, compare=False)


def no_rewrite(reason: str, candidates: tuple[Candidate, ...] = ()) -> Decision:
    """The decision to leave a request alone."""
    return Decision(None, "none", reason, candidates=candidates)
