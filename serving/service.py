"""Answers requests from the bundle in service, and never breaks its caller: what fails answers "no rewrite"."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from rewriter.decision.candidate import Candidate
from rewriter.decision.decision import Decision, no_rewrite
from rewriter.decision.request import Request
from rewriter.ingest.convert import MAX_UTTERANCE as LONGEST_LOGGED
from serving.calls import RewriteCall
from serving.decision_writer import DecisionWriter
from serving.experiment import Assignment
from serving.holder import Holder, Loaded
from serving.metrics import Metrics
from serving.pool import Pool

_LOGGER = logging.getLogger("rewriter.serving")
#: Seconds that a closing service waits for a decision that does not end.
GRACE_S = 10.0


@dataclass(frozen=True)
class Limits:
    """What protects the service and its callers.

    Attributes
    ----------
    workers
        Threads that decide; one ONNX Runtime thread each.
    max_in_flight
        Requests decided or waiting at once; more are answered at once with "overload".
    deadline_ms
        Time to answer where the caller sets none; also the most a caller may set.
    """

    workers: int = 2
    max_in_flight: int = 64
    deadline_ms: float = 1000.0


@dataclass(frozen=True)
class Outcome:
    """A decision with what it was made from."""

    decision: Decision
    request: Request
    version: str
    assignment: Assignment
    failure: str = ""  # deadline, overload or failure


class RewriteService:
    """Decides in a few threads, so that a slow or stuck request delays no other answer and no health check.

    Attributes
    ----------
    in_flight
        Requests decided or waiting now; one left at its deadline counts until its thread is free again.
    """

    def __init__(self, holder: Holder, log: DecisionWriter, metrics: Metrics, limits: Limits) -> None:
        self.holder, self._log, self._metrics, self._limits = holder, log, metrics, limits
        self._pool = Pool(limits.workers, "decide")
        self.in_flight, self._reported = 0, set[str]()

    async def answer(self, call: RewriteCall, began: float | None = None) -> dict[str, Any]:
        """The answer's body: a rewrite, or none with the reason. Raises nothing.

        Parameters
        ----------
        began
            An instant of ``time.monotonic()`` from which the deadline counts; default now.
        """
        began = time.monotonic() if began is None else began
        try:
            outcome = await self._outcome(call, began)
            return self._finish(call, outcome, 1e3 * (time.monotonic() - began))
        except Exception as error:  # noqa: BLE001 - the caller's request must go on, whatever is wrong here
            return self._apology(call, self._explain(error), 1e3 * (time.monotonic() - began))

    async def answers(self, calls: Sequence[RewriteCall]) -> list[dict[str, Any]]:
        """The bodies for a batch, in its order: as many at a time as there are threads, every deadline counted from now."""
        began, waiting, bodies = time.monotonic(), iter(enumerate(calls)), dict[int, dict[str, Any]]()

        async def take_turns() -> None:
            for place, call in waiting:
                bodies[place] = await self.answer(call, began)

        await asyncio.gather(*(take_turns() for _ in range(self._limits.workers)))
        return [bodies[place] for place in range(len(calls))]

    def close(self, grace_s: float = GRACE_S) -> None:
        """Finish what is being decided, and stop; a decision that is not ready within ``grace_s`` seconds is left behind."""
        if not self._pool.close(grace_s):
            _LOGGER.error("a decision did not end within %g s and is left behind", grace_s)

    async def _outcome(self, call: RewriteCall, began: float) -> Outcome:
        allowed_ms = min(
            call.deadline_ms if call.deadline_ms is not None else self._limits.deadline_ms, self._limits.deadline_ms
        )
        deadline = began + allowed_ms / 1e3
        if time.monotonic() >= deadline:
            return self._failed(call, "deadline", f"deadline: no decision within {allowed_ms:g} ms")
        if self.in_flight >= self._limits.max_in_flight:
            return self._failed(call, "overload", f"overload: {self.in_flight} requests in flight")
        self.in_flight += 1
        future = self._pool.submit(lambda: self._decide(call, deadline))
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda done: self._leave(loop, done))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), deadline - time.monotonic())
        except TimeoutError:
            return self._failed(call, "deadline", f"deadline: no decision within {allowed_ms:g} ms")

    def _leave(self, loop: asyncio.AbstractEventLoop, done: Future[Outcome]) -> None:
        with suppress(RuntimeError):  # the loop is closed: a decision that was left behind has ended after all
            loop.call_soon_threadsafe(self._left, done)

    def _left(self, _: Future[Outcome]) -> None:
        self.in_flight -= 1

    def _decide(self, call: RewriteCall, deadline: float) -> Outcome:
        """One decision, in a thread of the pool."""
        with self.holder.lease() as loaded:
            request = call.request(loaded.locale_of(call.locale))
            failure = ""
            try:
                decision = self._engine_decides(loaded, request, deadline)
            except Exception as error:  # noqa: BLE001 - fail open: a broken part must not break the request
                decision, failure = no_rewrite(self._explain(error)), "failure"
            if decision.rewrite is None and not failure and not loaded.has(request.locale):
                decision = no_rewrite(f"no bundle data for locale {request.locale}")
            assignment = loaded.experiment.assign(_unit(request), decision.rewrite_id)
            return Outcome(decision, request, loaded.version, assignment, failure)

    def _engine_decides(self, loaded: Loaded, request: Request, deadline: float) -> Decision:
        """The engine's decision; what is longer than any logged request is like none, and too dear to compare."""
        if len(request.key) > LONGEST_LOGGED:
            return no_rewrite(f"the request has {len(request.key)} characters in its normal form, at most {LONGEST_LOGGED}")
        return loaded.engine.decide(request, self.holder.controls, deadline)

    def _failed(self, call: RewriteCall, failure: str, reason: str) -> Outcome:
        with self.holder.lease() as loaded:
            request = call.request(loaded.locale_of(call.locale))
            assignment = loaded.experiment.assign(_unit(request), None)
            return Outcome(no_rewrite(reason), request, loaded.version, assignment, failure)

    def _explain(self, error: Exception) -> str:
        """Which part failed, without the caller's data; the whole story goes to the log, once a kind."""
        frames = traceback.extract_tb(error.__traceback__)
        part = next((_module(f.filename) for f in reversed(frames) if _module(f.filename)), "the service")
        kind = f"{part} raised {type(error).__name__}"
        if kind not in self._reported:
            self._reported.add(kind)
            _LOGGER.error("failing open: %s (further ones are only counted)", kind, exc_info=error)
        return f"failed open: {kind}"

    def _apology(self, call: RewriteCall, reason: str, total_ms: float) -> dict[str, Any]:
        """The whole body for a failure around the decision, made from the call alone."""
        self._metrics.failed("failure")
        name = call.request_id or uuid4().hex
        request = Request(call.utterance, call.locale or "", call.user_id, call.session_id, request_id=name)
        assignment = self.holder.experiment.assign(_unit(request), None)
        outcome = Outcome(no_rewrite(reason), request, self.holder.version, assignment, "failure")
        return _body(outcome, total_ms, explain=bool(call.explain))

    def _finish(self, call: RewriteCall, outcome: Outcome, total_ms: float) -> dict[str, Any]:
        """Count, log and spell an outcome."""
        if outcome.failure:
            self._metrics.failed(outcome.failure)
        self._metrics.answered(outcome.decision.source, outcome.assignment.arm, total_ms / 1e3)
        self._log.put(_log_row(outcome, total_ms))
        return _body(outcome, total_ms, explain=bool(call.explain))


def _unit(request: Request) -> str:
    """Whom the experiment assigns."""
    return request.user_id or request.session_id or request.request_id or ""


def _module(filename: str) -> str:
    """Dotted name of a file of this project's algorithms; empty for any other."""
    parts = filename.replace("\\", "/").removesuffix(".py").split("/")
    return ".".join(parts[len(parts) - 1 - parts[::-1].index("rewriter") :]) if "rewriter" in parts else ""


def _log_row(outcome: Outcome, total_ms: float) -> dict[str, Any]:
    """A row of `decisions`; what the experiment withheld is logged as what would have been served."""
    decision, request = outcome.decision, outcome.request
    return {
        "request_id": request.request_id,
        "at": request.at or datetime.now(UTC),
        "user_id": request.user_id,
        "session_id": request.session_id,
        "locale": request.locale,
        "utterance": request.utterance,
        "rewrite": decision.rewrite,
        "source": decision.source,
        "rewrite_id": decision.rewrite_id,
        "probability": decision.probability,
        "reason": decision.reason,
        "bundle_version": outcome.version,
        "arm": outcome.assignment.arm,
        "propensity": outcome.assignment.propensity,
        "total_ms": round(total_ms, 3),
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "rewrite": candidate.utterance,
        "layers": list(candidate.layers),
        "probability": candidate.probability,
        "refused": candidate.refused,
        "bi_encoder": candidate.bi_encoder,
        "cross_encoder": candidate.cross_encoder,
        "features": dict(candidate.features),
        "pair": asdict(candidate.pair) if candidate.pair is not None else None,
    }


def _served(outcome: Outcome) -> Mapping[str, Any]:
    """What the caller may use: nothing, where the arm of the experiment withholds it."""
    decision = outcome.decision
    if decision.rewrite is not None and not outcome.assignment.serves:
        reason = f"withheld by the experiment ({outcome.assignment.arm})"
        return {"rewrite": None, "source": "none", "probability": None, "reason": reason}
    return {
        "rewrite": decision.rewrite,
        "source": decision.source,
        "probability": decision.probability,
        "reason": decision.reason,
    }


def _withheld(outcome: Outcome) -> dict[str, str] | None:
    """What the arm of the experiment kept back; callers log it, so that later training can compare."""
    decision = outcome.decision
    if decision.rewrite is None or outcome.assignment.serves:
        return None
    return {"rewrite": decision.rewrite, "source": decision.source}


def _body(outcome: Outcome, total_ms: float, *, explain: bool) -> dict[str, Any]:
    body = {"request_id": outcome.request.request_id, "utterance": outcome.request.utterance, **_served(outcome)}
    body |= {
        "rewrite_id": outcome.decision.rewrite_id,
        "bundle_version": outcome.version,
        "experiment": {**outcome.assignment.body(), "withheld": _withheld(outcome)},
        "timings_ms": {**outcome.decision.timings_ms, "total": round(total_ms, 4)},
    }
    if explain:
        body["candidates"] = [_candidate(c) for c in outcome.decision.candidates]
    return body
