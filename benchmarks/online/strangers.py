"""Requests of a kind that the log has never seen: how many would be rewritten, nearly all of them wrongly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rewriter.decision.engine import Engine
from rewriter.decision.request import Interpretation, Request

#: Questions that another assistant was not made for (CLINC150, out of scope; Larson et al. 2019); few suit this one.
QUERIES = Path("clinc150/data/data_oos_plus.json")
_AT = datetime(2026, 3, 25, tzinfo=UTC)
#: What a caller sends besides the text: nothing, or all that an NLU which understood nothing can say.
_SENT: dict[str, dict[str, Any]] = {
    "text alone": {},
    "not understood": {"asr_confidence": 0.9, "interpretation": Interpretation(confidence=0.3)},
}


def strange_queries(data: Path) -> list[str]:
    """The out-of-scope queries of every part, distinct, sorted."""
    parts = json.loads((data / QUERIES).read_text("utf-8"))
    return sorted({text for name, rows in parts.items() if name.startswith("oos") for text, _ in rows})


def rewritten(bundle: Path, queries: list[str]) -> dict[str, dict[str, Any]]:
    """By what the caller sends: how many queries, how many rewritten, and the likeliest ten of those."""
    engine = Engine.load(bundle)
    rows = {}
    for name, sent in _SENT.items():
        decided = [(text, engine.decide(Request(text, "en-US", at=_AT, **sent))) for text in queries]
        served = sorted((-(d.probability or 0.0), text, d.rewrite) for text, d in decided if d.rewrite is not None)
        examples = [{"query": text, "rewrite": rewrite, "probability": round(-p, 3)} for p, text, rewrite in served[:10]]
        rows[name] = {"queries": len(queries), "rewritten": len(served), "examples": examples}
    engine.close()
    return rows
