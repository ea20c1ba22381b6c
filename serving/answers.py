"""What the service answers, as ``/openapi.json`` describes it; the bodies themselves are made in `serving.service`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Withheld(BaseModel):
    """What the experiment kept back."""

    rewrite: str
    source: str = Field(description="the layer that decided")


class ExperimentAnswer(BaseModel):
    """The arm of one answer; a caller that logs `arm` logs `withheld` with it, or holdouts cannot be counted later."""

    name: str
    arm: str = Field(description="treatment, holdout or control")
    propensity: float = Field(description="the chance of this arm")
    withheld: Withheld | None = Field(description="outside treatment: what would have been served, if anything")


class RewriteAnswer(BaseModel):
    """Answer of ``POST /v1/rewrite``; also where something failed inside."""

    request_id: str
    utterance: str
    rewrite: str | None = Field(description="say this instead; null: leave the request as it is")
    source: str = Field(description="the layer that decided, or none")
    probability: float | None
    reason: str
    rewrite_id: str | None = Field(description="names the pair, also where the experiment withheld it")
    bundle_version: str
    experiment: ExperimentAnswer
    timings_ms: dict[str, float]
    candidates: list[dict[str, Any]] | None = Field(None, description="with explain: true")


class BatchAnswer(BaseModel):
    """Answer of ``POST /v1/rewrite:batch``, in the order of the requests."""

    answers: list[RewriteAnswer]
