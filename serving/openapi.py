"""The description of the API at ``/openapi.json``; bodies are parsed by `serving.calls`, so they are described here."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.answers import BatchAnswer, RewriteAnswer
from serving.calls import BatchCall, FeedbackCall, RewriteCall

_REF = "#/components/schemas/{model}"
_FAULT = {"description": "malformed: every fault with its field", "content": {"application/json": {}}}


def _content(kind: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=kind.__name__)}}}


def body_of(kind: type[BaseModel], answer: type[BaseModel] | None = None) -> dict[str, Any]:
    """What a route says about its body, its answer and malformed bodies."""
    responses: dict[str, Any] = {"400": _FAULT, "413": _FAULT, "422": _FAULT}
    if answer is not None:
        responses["200"] = {"description": "the answer", "content": _content(answer)}
    return {"requestBody": {"required": True, "content": _content(kind)}, "responses": responses}


def describe(app: FastAPI) -> None:
    """Let the app describe its bodies with their fields."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            page = get_openapi(title=app.title, version=app.version, routes=app.routes)
            described = (RewriteCall, BatchCall, FeedbackCall, RewriteAnswer, BatchAnswer)
            kinds: list[tuple[type[BaseModel], Any]] = [(kind, "validation") for kind in described]
            _, definitions = models_json_schema(kinds, ref_template=_REF)
            page.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
            app.openapi_schema = page
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
