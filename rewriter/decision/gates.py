"""Which layers are on, from which probability: what evaluation on held-out days decided."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewriter.errors import RewriterError
from rewriter.settings import Decide

#: Every layer that evaluation judges.
LAYERS = ("precomputed", "personal", "global", "alternative")


@dataclass(frozen=True)
class Gate:
    """One layer: on from ``threshold`` upwards, or off, and why."""

    enabled: bool
    threshold: float
    reason: str


#: Without a decision file mined pairs are served (mining has its own bounds) and nothing else is.
UNJUDGED = {
    name: Gate(name == "precomputed", 0.0 if name == "precomputed" else 1.0, "not judged on held-out days")
    for name in LAYERS
}


def gates_of(layers: Mapping[str, Mapping[str, Any]], decide: Decide) -> dict[str, Gate]:
    """The gate of each layer as judged, with the settings' switches applied."""
    gates = UNJUDGED | {
        name: Gate(bool(g["enabled"]), float(g["threshold"]), str(g["reason"]))
        for name, g in layers.items()
        if name in LAYERS
    }
    return switched(gates, decide)


def switched(gates: Mapping[str, Gate], decide: Decide) -> dict[str, Gate]:
    """The gates with the layers off that the settings switch off."""
    on = {
        "precomputed": decide.precomputed,
        "personal": decide.personal,
        "global": decide.global_,
        "alternative": decide.alternative,
    }
    return {n: g if on[n] else Gate(False, g.threshold, "switched off in the settings") for n, g in gates.items()}


def read_gates(path: Path | None, decide: Decide) -> dict[str, Gate]:
    """Gates of ``decision.json``, or `UNJUDGED` without one.

    Raises
    ------
    RewriterError
        If the file is not what evaluation writes.
    """
    if path is None or not path.exists():
        return gates_of({}, decide)
    try:
        return gates_of(json.loads(path.read_text("utf-8"))["layers"], decide)
    except (ValueError, KeyError, TypeError) as error:
        raise RewriterError(f"{path}: not a decision file ({error})") from error
