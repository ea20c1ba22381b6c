"""The HTTP service: routes, bodies and their limits. What it answers is decided in `serving.service`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response

from rewriter.bundle import layout
from rewriter.bundle.write import choose
from rewriter.errors import RewriterError
from schemas.table import ContractError
from serving.answers import BatchAnswer, RewriteAnswer
from serving.calls import BatchCall, Call, FeedbackCall, MalformedCallError, RewriteCall, parse_call
from serving.decision_writer import DecisionWriter
from serving.feedback import FeedbackLog
from serving.holder import Holder
from serving.metrics import Metrics
from serving.openapi import body_of, describe
from serving.service import Limits, RewriteService

#: Bytes. A larger body is refused before it is parsed; an ordinary request takes a hundredth of it.
MAX_BODY = 256 << 10
#: The same of a batch; 256 ordinary requests take half of it.
MAX_BATCH_BODY = 4 << 20
#: Larger ones are parsed in a thread, so that no other answer waits for them.
_SMALL_BODY = 64 << 10


@dataclass(frozen=True)
class Parts:
    """What the routes share."""

    holder: Holder
    service: RewriteService
    log: DecisionWriter
    feedback: FeedbackLog
    metrics: Metrics


def _json(value: Any, status: int = 200) -> Response:
    return Response(
        orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY), status, media_type="application/json"
    )


async def _body(request: Request, most: int) -> bytes:
    """The request's body; a body over the limit is read to its end, so that the caller hears why, but not kept."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > 16 * MAX_BATCH_BODY:
            break
        if size <= most:
            chunks.append(chunk)
    if size > most:
        raise MalformedCallError(413, [("body", f"is larger than {most} bytes")])
    return b"".join(chunks)


async def _call(kind: type[Call], request: Request, most: int = MAX_BODY) -> Call:
    body = await _body(request, most)
    return parse_call(kind, body) if len(body) <= _SMALL_BODY else await asyncio.to_thread(parse_call, kind, body)


def _rewriting(app: FastAPI, parts: Parts) -> None:
    """Routes that NLU calls."""

    @app.post("/v1/rewrite", openapi_extra=body_of(RewriteCall, RewriteAnswer), tags=["rewriting"])
    async def rewrite(request: Request) -> Response:
        """Answer with a rewrite of the request, or with null: leave it as it is."""
        return _json(await parts.service.answer(await _call(RewriteCall, request)))

    @app.post("/v1/rewrite:batch", openapi_extra=body_of(BatchCall, BatchAnswer), tags=["rewriting"])
    async def rewrite_batch(request: Request) -> Response:
        """Answer several requests, in their order, all within one deadline."""
        calls = (await _call(BatchCall, request, MAX_BATCH_BODY)).requests
        return _json({"answers": await parts.service.answers(calls)})

    @app.post("/v1/feedback", openapi_extra=body_of(FeedbackCall), tags=["rewriting"])
    async def feedback(request: Request) -> Response:
        """Keep what a user said about an answer; the same ``event_id`` twice is kept once."""
        call = await _call(FeedbackCall, request)
        event = call.model_dump(mode="json") | {"at": (call.at or datetime.now(UTC)).isoformat()}
        new = await asyncio.to_thread(parts.feedback.record, event)
        if new:
            parts.metrics.heard(call.feedback)
        return _json({"event_id": call.event_id, "status": "recorded" if new else "known"})


def _bundles(app: FastAPI, parts: Parts) -> None:
    """Routes about versions."""

    @app.get("/v1/bundles", tags=["bundles"])
    async def bundles() -> Response:
        """List the versions, which one is current, and which one answers."""
        listed = await asyncio.to_thread(_list_bundles, parts.holder.bundles)
        return _json(listed | {"serving": parts.holder.version})

    @app.post("/v1/bundles/{version}:activate", tags=["bundles"])
    async def activate_bundle(version: str) -> Response:
        """Make a version current and answer from it; 404 if there is none, 409 if it is damaged."""
        folder = parts.holder.bundles
        if not layout.is_version(version) or not (folder / version).is_dir():
            return _json({"error": f"version: no bundle {version[:60]!r}"}, 404)
        try:
            await asyncio.to_thread(_activate, parts.holder, version)
        except (RewriterError, ContractError) as error:
            return _json({"error": f"version: {error}"}, 409)
        return _json({"current": version, "serving": parts.holder.version})


def _list_bundles(folder: Path) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for version in layout.versions(folder):
        try:
            manifest = layout.read_manifest(folder / version)
            rows.append({name: manifest[name] for name in ("version", "parent", "data_days", "metrics")})
        except (RewriterError, ContractError) as error:
            rows.append({"version": version, "error": str(error)})
    return {"bundles": rows, "current": layout.current_version(folder)}


def _activate(holder: Holder, version: str) -> None:
    choose(holder.bundles, version)
    holder.refresh()


def _health(app: FastAPI, parts: Parts) -> None:
    """Routes for machines that watch the service."""

    @app.get("/health/live", tags=["health"])
    async def live() -> Response:
        """Answer that the process runs."""
        return _json({"status": "live"})

    @app.get("/health/ready", tags=["health"])
    async def ready() -> Response:
        """Answer that a bundle is loaded, and what of the folder's changes could not be taken over."""
        return _json({"status": "ready", "bundle_version": parts.holder.version, "faults": dict(parts.holder.faults)})

    @app.get("/metrics", tags=["health"])
    async def metrics() -> Response:
        """Show the counters, as Prometheus scrapes them."""
        return Response(parts.metrics.text(), media_type="text/plain; version=0.0.4")


def _lifespan(parts: Parts) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        parts.holder.start()
        parts.log.start()
        yield
        parts.service.close()
        parts.log.close()
        parts.holder.close()

    return lifespan


def create_app(bundles: Path, decisions: Path, limits: Limits | None = None) -> FastAPI:
    """The service over a folder of bundles; it logs decisions and feedback below ``decisions``.

    Raises
    ------
    RewriterError, ContractError
        If there is no bundle to serve, or it is damaged.
    """
    limits = limits or Limits()
    holder, log = Holder(bundles), DecisionWriter(decisions)
    feedback = FeedbackLog(decisions / "feedback.jsonl")
    metrics = Metrics(holder, log, feedback)
    service = RewriteService(holder, log, metrics, limits)
    parts = Parts(holder, service, log, feedback, metrics)
    app = FastAPI(title="Query rewriting", version="1", lifespan=_lifespan(parts), docs_url=None, redoc_url=None)
    for routes in (_rewriting, _bundles, _health):
        routes(app, parts)

    @app.exception_handler(MalformedCallError)
    async def malformed(_: Request, fault: MalformedCallError) -> Response:
        metrics.refused(fault.status)
        return _json(fault.body(), fault.status)

    app.state.holder, app.state.service = holder, service
    describe(app)
    return app
