"""What a bundle does to the held-out recordings: served over HTTP, driven and scored by the evaluation's own programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.real import drive, json_of, scorer


def decide(bundles: Path, data: Path, decisions: Path) -> dict[str, Any]:
    """Serve, drive and score the held-out recordings: counts of the driver and of the scorer, each as it prints them."""
    intent, slurp = scorer(data, "slurp_intent.py"), data / "slurp_a"
    driven = drive(data, bundles, slurp / "turns_heldout.parquet", decisions)
    requests = slurp / "requests_heldout.parquet"
    return {"driven": driven, "scored": json_of(intent, "--decisions", decisions, "--requests", requests, "--data", data)}
