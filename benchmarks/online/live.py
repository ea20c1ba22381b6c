"""Simulated users in front of a bundle, in this process: parsed and decided as the service does, without HTTP."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from rewriter.bundle import layout
from rewriter.simulation.exchange import NO_REWRITE, Answer, Request
from rewriter.simulation.simulate import simulate
from rewriter.simulation.turn import Turn
from rewriter.simulation.world import World
from serving.calls import RewriteCall, parse_call
from serving.holder import Loaded, load_bundle

START = date(2026, 3, 2)


@dataclass
class EngineRewriter:
    """The current bundle's answer to every request, to everybody and without a holdout.

    Attributes
    ----------
    only
        Heard texts that are asked about; empty: all of them. Requests that nothing depends on need not be decided.
    latencies_ms
        Of every decision, the parsing of the call included.
    """

    loaded: Loaded
    only: frozenset[str] = frozenset()
    latencies_ms: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, bundles: Path, only: frozenset[str] = frozenset()) -> EngineRewriter:
        """The current bundle of a folder of bundles."""
        return cls(load_bundle(layout.current(bundles)), only)

    def __call__(self, request: Request) -> Answer:
        """The engine's decision, as the service would have given it."""
        if self.only and request.utterance not in self.only:
            return NO_REWRITE
        body = json.dumps(request.body()).encode()
        began = time.perf_counter()
        call = parse_call(RewriteCall, body)
        decision = self.loaded.engine.decide(call.request(self.loaded.locale_of(call.locale)))
        self.latencies_ms.append(1e3 * (time.perf_counter() - began))
        return Answer(
            served=decision.rewrite,
            rewrite_id=decision.rewrite_id,
            layer=decision.source,
            arm="treatment",
            propensity=1.0,
            bundle_version=self.loaded.version,
            reason=decision.reason,
        )


def live_days(world: World, users: int, days: range, rewriter: EngineRewriter) -> list[Turn]:
    """The turns of these days with the rewriter before NLU."""
    return simulate(world, users, days, START, rewriter)
