"""Simulated users in front of a bundle, in this process: parsed and decided as the service does, without HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from rewriter.bundle import layout
from rewriter.decision.decision import Decision
from rewriter.decision.engine import Engine
from rewriter.decision.gates import Gate
from rewriter.simulation.exchange import NO_REWRITE, Answer, Request
from serving.calls import RewriteCall, parse_call
from serving.holder import load_bundle

#: The world's day 0, as in the demo.
START = date(2026, 3, 2)


@dataclass
class EngineRewriter:
    """A bundle's answer to every request, to everybody and without a holdout.

    Attributes
    ----------
    texts
        Heard texts that are asked about, the others are left alone; empty: all are asked about.
    latencies_ms
        Of every decision, the parsing of the call included.
    """

    engine: Engine
    locale: str
    texts: frozenset[str] = frozenset()
    latencies_ms: list[float] = field(default_factory=list)

    @classmethod
    def of(
        cls, bundles: Path, texts: Collection[str] = (), off: Collection[str] = (), least: float | None = None
    ) -> EngineRewriter:
        """The current bundle of a folder of bundles, some layers off, the others from ``least`` on if it is given."""
        loaded = load_bundle(layout.current(bundles))
        parts = loaded.engine.parts
        gates = {
            name: Gate(False, 1.0, "off") if name in off else gate if least is None else Gate(True, least, "as asked")
            for name, gate in parts.gates.items()
        }
        return cls(Engine(replace(parts, gates=gates)), loaded.default_locale, frozenset(texts))

    def decide(self, request: Request) -> Decision:
        """The decision, as the service would have made it."""
        body = json.dumps(request.body()).encode()
        began = time.perf_counter()
        decision = self.engine.decide(parse_call(RewriteCall, body).request(self.locale))
        self.latencies_ms.append(1e3 * (time.perf_counter() - began))
        return decision

    def close(self) -> None:
        """Let go of the bundle: a process can hold its personal index open only once."""
        self.engine.close()

    def __call__(self, request: Request) -> Answer:
        """What is served."""
        if self.texts and request.utterance not in self.texts:
            return NO_REWRITE
        decision = self.decide(request)
        return Answer(decision.rewrite, decision.rewrite_id, decision.source, "treatment", 1.0, reason=decision.reason)
