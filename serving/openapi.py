"""The description of the API at ``/openapi.json``; bodies are parsed by `serving.calls`, so they are described here."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.calls import BatchCall, FeedbackCall, RewriteCall

_REF = "#/components/schemas/{model}"
_FAULT = {"description": "malformed: every fault with its field", "content": {"application/json": {}}}


def body_of(kind: type[BaseModel]) -> dict[str, Any]:
    """What a route says about its body and about malformed ones."""
    schema = {"$ref": _REF.format(model=kind.__name__)}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"400": _FAULT, "413": _FAULT, "422": _FAULT},
    }


def describe(app: FastAPI) -> None:
    """Let the app describe its bodies with their fields."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            page = get_openapi(title=app.title, version=app.version, routes=app.routes)
            kinds: list[tuple[type[BaseModel], Any]] = [(k, "validation") for k in (RewriteCall, BatchCall, FeedbackCall)]
            _, definitions = models_json_schema(kinds, ref_template=_REF)
            page.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
            app.openapi_schema = page
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
