"""What a request could be rewritten to: a mined pair, or a retrieved candidate with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriter.retrieval.global_index import Entry

#: Layers that look for candidates at run time; a candidate of several belongs to the first.
RETRIEVED = ("personal", "global", "alternative")


@dataclass(frozen=True, slots=True)
class Pair:
    """A mined ``source -> rewrite`` with the evidence that the decision needs; texts are normalised."""

    locale: str
    source: str
    rewrite: str
    p_success_source: float
    p_success_rewrite: float
    share: float
    support_users: int
    status: str = "active"
    domain: str | None = None
    intent: str | None = None

    @property
    def probability(self) -> float:
        """Chance that the rewrite is what was meant and succeeds: ``share * p_success_rewrite``."""
        return self.share * self.p_success_rewrite


@dataclass(frozen=True)
class Candidate:
    """One text the request could become.

    Attributes
    ----------
    utterance
        Normalised text.
    layers
        Every layer that proposed it, in the order of `RETRIEVED` (or ``("precomputed",)``).
    entry
        Its row of the global index, where everybody's statistics are; ``own`` its row of the user's own index.
    bi_encoder
        Inner product of the two embeddings, -1..1; None without an encoder.
    rank, gap
        Place in the recogniser's n-best (0 = first) and score of the first minus its own; None outside the n-best.
    cross_encoder
        Logit of the cross-encoder; None where it was not asked.
    probability
        Calibrated chance that the rewrite wins; None before ranking.
    refused
        Why a guard or the threshold turned it down; empty otherwise.
    """

    utterance: str
    layers: tuple[str, ...]
    pair: Pair | None = None
    entry: Entry | None = None
    own: Entry | None = None
    bi_encoder: float | None = None
    rank: int | None = None
    gap: float | None = None
    cross_encoder: float | None = None
    features: Mapping[str, float | None] = field(default_factory=dict)
    probability: float | None = None
    refused: str = ""

    @property
    def layer(self) -> str:
        """The first of its layers."""
        return self.layers[0]

    @cached_property
    def intent(self) -> str | None:
        """Intent of the candidate, from the pair, the user's own history or everybody's; None if unknown."""
        return next(iter(self.intents), None)

    @cached_property
    def intents(self) -> tuple[str, ...]:
        """Every intent under which it is known, from the pair, the user's own history and everybody's."""
        intents = (known.intent for known in (self.pair, self.own, self.entry) if known is not None)
        return tuple(dict.fromkeys(intent for intent in intents if intent is not None))

    @cached_property
    def domain(self) -> str | None:
        """Domain of the candidate, from the same places as the intent."""
        domains = (known.domain for known in (self.pair, self.own, self.entry) if known is not None)
        return next((domain for domain in domains if domain is not None), None)

    @cached_property
    def slots(self) -> Mapping[str, str]:
        """Slots of the candidate, from the indexes; empty if unknown."""
        return next((known.slots or {} for known in (self.own, self.entry) if known is not None), {})
