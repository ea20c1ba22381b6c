"""The layers of the decision, in order; each answers, or passes and notes why."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from rewriter.decision.candidate import Candidate, Pair
from rewriter.decision.decision import Decision, no_rewrite, rewrite_id
from rewriter.decision.gates import Gate
from rewriter.decision.guards import Guards
from rewriter.decision.known import Known, known_success
from rewriter.decision.pairs import PairTable
from rewriter.decision.request import Request
from rewriter.decision.retrieve import Directory, Retriever
from rewriter.settings import Decide
from rewriter.text import normalise, similarity


class Layer(Protocol):
    """One step of the decision."""

    name: str

    def decide(self, request: Request, known: Known) -> Decision | None:
        """The decision, which may be to leave the request alone; None passes to the next layer, with a note in ``known``."""


class Ranker(Protocol):
    """Judges all candidates of a request together."""

    def rank(self, request: Request, known: Known, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        """The candidates with features and calibrated probability, best first."""


def serve(request: Request, layer: str, candidate: Candidate, reason: str) -> Decision:
    """The decision to serve a candidate."""
    name = rewrite_id(request.locale, request.key, candidate.utterance)
    return Decision(candidate.utterance, layer, reason, name, candidate.probability, (candidate,))


def is_blocked(request: Request, known: Known, rewrite: str) -> bool:
    """Whether an analyst blocked this rewrite of this request."""
    return (request.locale, request.key, rewrite) in known.controls.blocked


class Taught:
    """What a person taught, unless it is blocked; guards do not apply, because a person decided."""

    name = "taught"

    def decide(self, request: Request, known: Known) -> Decision | None:
        """The taught rewrite."""
        rewrite = normalise(known.controls.taught.get((request.locale, request.key), ""))
        if not rewrite or rewrite == request.key:
            return None
        if is_blocked(request, known, rewrite):
            known.notes.append(f"taught rewrite '{rewrite}' is blocked")
            return None
        return serve(request, self.name, Candidate(rewrite, (self.name,)), "taught by a person")


class LeaveAlone:
    """Requests that nothing below may touch: protected ones, and those known to succeed as they are."""

    name = "none"

    def __init__(self, guards: Guards, decide: Decide) -> None:
        self._guards, self._decide = guards, decide

    def decide(self, request: Request, known: Known) -> Decision | None:
        """No rewrite, or pass."""
        intents = (stored.intent for stored in (known.own, known.entry) if stored is not None)
        why = self._guards.leave_alone(request, *intents) or known_success(known, self._decide)
        return no_rewrite(why) if why else None


class Precomputed:
    """Mined pairs."""

    name = "precomputed"

    def __init__(self, pairs: PairTable, gate: Gate, guards: Guards, directory: Directory) -> None:
        self._pairs, self._gate, self._guards, self._directory = pairs, gate, guards, directory

    def decide(self, request: Request, known: Known) -> Decision | None:
        """The best pair that is on, not blocked and passes the guards."""
        if not self._gate.enabled:
            known.notes.append(f"precomputed is off: {self._gate.reason}")
            return None
        pairs = self._pairs.of(request.locale, request.key, known.controls.approved)
        for pair in pairs:
            candidate = Candidate(
                pair.rewrite,
                (self.name,),
                pair=pair,
                entry=self._directory.of(pair.locale, pair.rewrite),
                probability=pair.probability,
            )
            if not (why := self._refuse(request, known, candidate)):
                return serve(request, self.name, candidate, _evidence(pair))
            known.notes.append(f"pair '{pair.rewrite}': {why}")
        if not pairs:
            known.notes.append("no mined pair for this request")
        return None

    def _refuse(self, request: Request, known: Known, candidate: Candidate) -> str:
        if is_blocked(request, known, candidate.utterance):
            return "blocked by an analyst"
        if (candidate.probability or 0.0) < self._gate.threshold:
            return f"probability {candidate.probability:.3f} is below {self._gate.threshold:.3f}"
        return self._guards.refuse(request, candidate)


def _evidence(pair: Pair) -> str:
    return (
        f"{pair.support_users} users said this and succeeded with '{pair.rewrite}': "
        f"success {100 * pair.p_success_source:.0f}% as said, {100 * pair.p_success_rewrite:.0f}% rewritten"
    )


class Online:
    """Retrieved candidates: personal, global and the recogniser's alternatives, judged together by one ranker.

    Of the candidates that pass the guards and their own layer's threshold the likeliest to win is served, so that a habit
    beats everybody's meaning only where the ranker finds it likelier; a tie goes to the personal one.
    """

    name = "online"

    def __init__(
        self,
        retriever: Retriever | None,
        ranker: Ranker | None,
        gates: Mapping[str, Gate],
        guards: Guards,
        missing: str = "",
        max_alike: float = 1.0,
    ) -> None:
        self._retriever, self._ranker, self._guards = retriever, ranker, guards
        self._gates, self._missing, self._max_alike = gates, missing, max_alike

    def decide(self, request: Request, known: Known) -> Decision | None:
        """The best candidate above its layer's threshold, else None with the best refusal noted."""
        if self._retriever is None or self._ranker is None:
            known.notes.append(f"retrieval is off: {self._missing}")
            return None
        if not any(gate.enabled for gate in self._gates.values()):
            known.notes.append("; ".join(f"{name} is off: {gate.reason}" for name, gate in self._gates.items()))
            return None
        if is_late(known):
            return no_rewrite("deadline passed before retrieval")
        ranked = self.judge(request, known)
        if is_late(known):
            return no_rewrite("deadline passed while ranking", ranked)
        best = next((c for c in ranked if not c.refused), None)
        if best is None:
            known.notes.append(f"'{ranked[0].utterance}': {ranked[0].refused}" if ranked else "nothing similar is known")
            return replace(no_rewrite("; ".join(known.notes)), candidates=ranked)
        layer = self._layer(best)
        threshold = self._gates[layer].threshold
        reason = f"{_origin(layer, best)}: it wins with probability {best.probability:.3f}, threshold {threshold:.3f}"
        return replace(serve(request, layer, best, reason), candidates=ranked)

    def allowed(self, request: Request, known: Known) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
        """Retrieved candidates that no guard objects to, and those refused, with the reason."""
        found = self._retriever.candidates(request, known) if self._retriever else ()
        with known.timed("guard"):
            why = [self._objection(request, known, c) for c in found]
        judged = list(zip(found, why, strict=True))
        return tuple(c for c, w in judged if not w), tuple(replace(c, refused=w) for c, w in judged if w)

    def judge(self, request: Request, known: Known) -> tuple[Candidate, ...]:
        """All candidates, the likeliest first and the refused last, each with the reason that turned it down, if one did."""
        with known.timed("retrieve"):
            allowed, refused = self.allowed(request, known)
        with known.timed("rank"):
            ranked = self._ranker.rank(request, known, allowed) if self._ranker and not is_late(known) else allowed
        needless = self._needless(request, ranked[0]) if ranked and self._max_alike < 1.0 else ""
        doubts = [needless or self._doubt(candidate) for candidate in ranked]
        return (*(replace(c, refused=why) if why else c for c, why in zip(ranked, doubts, strict=True)), *refused)

    def _needless(self, request: Request, likeliest: Candidate) -> str:
        """Why nothing is worth serving: if the likeliest is what was heard but for a letter, the others are not meant."""
        alike = similarity(request.key, likeliest.utterance)
        if alike <= self._max_alike:
            return ""
        return f"'{likeliest.utterance}' is {100 * alike:.0f}% what was heard: too little to win"

    def _layer(self, candidate: Candidate) -> str:
        """The layer that serves a candidate: the first of its layers that is on and whose threshold it passes."""
        passed = (n for n in candidate.layers if self._gates[n].enabled and _passes(candidate, self._gates[n]))
        return next(passed, "")

    def _objection(self, request: Request, known: Known, candidate: Candidate) -> str:
        if is_blocked(request, known, candidate.utterance):
            return "blocked by an analyst"
        return self._guards.refuse(request, candidate)

    def _doubt(self, candidate: Candidate) -> str:
        if self._layer(candidate):
            return ""
        on = [self._gates[n].threshold for n in candidate.layers if self._gates[n].enabled]
        if not on:
            return "; ".join(f"{n} is off: {self._gates[n].reason}" for n in candidate.layers)
        return f"wins with probability {candidate.probability or 0.0:.3f}, below {min(on):.3f}"


def _passes(candidate: Candidate, gate: Gate) -> bool:
    return candidate.probability is not None and candidate.probability >= gate.threshold


def is_late(known: Known) -> bool:
    """Whether the caller's deadline has passed."""
    return known.deadline is not None and time.monotonic() >= known.deadline


def _origin(layer: str, candidate: Candidate) -> str:
    if layer == "personal" and candidate.own is not None:
        return f"this user's own request, {candidate.own.n_success} successes"
    if candidate.entry is not None:
        return f"said by {candidate.entry.n_users} users, {candidate.entry.n_success} successes"
    return f"number {(candidate.rank or 0) + 1} of the recogniser's hypotheses"
