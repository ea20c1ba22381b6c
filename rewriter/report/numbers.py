"""Every number of the report, and what could not be told because a part is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rewriter.decision_log import read_decisions
from rewriter.errors import RewriterError
from rewriter.report import failures, pairs, traffic
from rewriter.report.tables import read, read_json
from schemas.table import Table
from schemas.tables import DECISIONS, DEFECTS, REPHRASES, REWRITE_PAIRS, WIN_LOSS

N_TOP = 25
_MADE_BY = {
    DEFECTS.name: "label_defects",
    REPHRASES.name: "detect_rephrases",
    REWRITE_PAIRS.name: "mine_rewrites",
    WIN_LOSS.name: "evaluate",
}


class _Warehouse:
    """A run's folder, with a note for each part that is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.missing: list[str] = []

    def table(self, table: Table) -> pa.Table | None:
        data = read(self.folder / "tables" / table.name, table)
        if data is None or data.num_rows == 0:
            state = "is missing" if data is None else "is empty"
            self.missing.append(f"table {table.name} {state}: it is made by the stage {_MADE_BY[table.name]}")
            return None
        return data

    def json(self, path: str, meaning: str) -> dict[str, Any]:
        content = read_json(self.folder / path)
        if content is None:
            self.missing.append(f"{path} is missing: {meaning}")
        return content or {}


def _bundle(warehouse: _Warehouse) -> dict[str, Any] | None:
    bundles = warehouse.folder / "bundles"
    try:
        version = (bundles / "CURRENT").read_text("utf-8").strip()
    except OSError:
        warehouse.missing.append("bundles/CURRENT is missing: nothing was published yet")
        return None
    files = (bundles / version).glob("pairs.parquet")
    return {"version": version, "pairs": sum(pq.read_metadata(f).num_rows for f in files)}


def _defects(defects: pa.Table | None) -> dict[str, Any] | None:
    return None if defects is None else {"by_day": failures.by_day(defects), "by_signal": failures.by_signal(defects)}


def _step(step: str, n: int, unit: str) -> dict[str, Any]:
    return {"step": step, "n": n, "unit": unit}


def _turn_steps(warehouse: _Warehouse, defects: pa.Table | None, log: dict[str, Any] | None) -> list[dict[str, Any]]:
    rephrases = warehouse.table(REPHRASES)
    threshold = warehouse.json("models/rephrase/decision.json", "it holds the rephrase threshold").get("threshold")
    if defects is None or log is None:
        return []
    steps = [_step("turns", log["turns"], "turns"), _step("judged defective", log["defective"], "turns")]
    return steps + (failures.rephrase_steps(defects, rephrases, threshold) if rephrases is not None else [])


def _pair_steps(mined: dict[str, Any] | None, bundle: dict[str, Any] | None) -> list[dict[str, Any]]:
    steps = []
    if mined:
        steps = [_step("pairs mined", mined["mined"], "pairs"), _step("active pairs", mined["by_status"]["active"], "pairs")]
    return steps + ([_step("pairs in the bundle", bundle["pairs"], "pairs")] if bundle else [])


def _win_loss(warehouse: _Warehouse) -> dict[str, Any] | None:
    rows = warehouse.table(WIN_LOSS)
    decision = warehouse.json("models/decision/decision.json", "it says which layers are on")
    if rows is None:
        return None
    layers = decision.get("layers", {})
    listed = [
        row
        | {"enabled": layers.get(row["layer"], {}).get("enabled"), "gate": layers.get(row["layer"], {}).get("reason", "")}
        for row in rows.to_pylist()
    ]
    order = ("all", "precomputed", "personal", "global", "alternative")
    listed.sort(key=lambda r: (order.index(r["layer"]) if r["layer"] in order else len(order), r["domain"]))
    return {
        "target": decision.get("target"),
        "proxy": [r for r in listed if r["basis"] == "proxy" and r["domain"] == "all"],
        "live": [r for r in listed if r["basis"] == "live" and r["domain"] == "all"],
        "domains": [r for r in listed if r["domain"] != "all"],
    }


def _traffic(folder: Path | None, warehouse: _Warehouse) -> dict[str, Any] | None:
    place = folder or warehouse.folder / "decisions"
    if folder is not None and not folder.is_dir():
        raise RewriterError(f"no such folder of decisions: {folder}")
    decisions = read(place, DECISIONS) if place.is_dir() else None
    if decisions is None and place.is_dir():
        decisions = read_decisions(place)
    if decisions is None or decisions.num_rows == 0:
        warehouse.missing.append("no decision log: give --decisions DIR to see trigger rate and latency")
        return None
    return traffic.traffic_numbers(decisions)


def _min_users(record: dict[str, Any]) -> int | None:
    """Users that a pair needed in the run; None where its record does not say."""
    settings = record.get("settings")
    mine = settings.get("mine") if isinstance(settings, dict) else None
    needed = mine.get("min_users") if isinstance(mine, dict) else None
    return needed if isinstance(needed, int) else None


def _note_stale(warehouse: _Warehouse, record: dict[str, Any]) -> None:
    for stage in record.get("stages") or ():
        if stage.get("status") == "stale":
            warehouse.missing.append(
                f"stage {stage['name']} is stale: what it made is of an earlier log, settings or code; run again to its end"
            )


def _run(record: dict[str, Any]) -> dict[str, Any] | None:
    stages = record.get("stages")
    if not stages:
        return None
    shown = [{k: s.get(k) for k in ("name", "status", "seconds", "counts")} for s in stages]
    return {"stages": shown, "seconds": round(sum(s["seconds"] or 0.0 for s in shown), 1)}


def report_numbers(folder: Path, decisions: Path | None = None) -> dict[str, Any]:
    """Numbers of the run in a warehouse; a part that is missing is None, and ``missing`` says so in words.

    Raises
    ------
    RewriterError
        If the folder does not exist or holds no part of a run at all.
    """
    if not folder.is_dir():
        raise RewriterError(f"no such warehouse: {folder}")
    if not any((folder / part).exists() for part in ("tables", "run.json", "models", "bundles")):
        raise RewriterError(f"{folder} is not the folder of a run: it has no tables/, models/, bundles/ or run.json")
    warehouse = _Warehouse(folder)
    record = warehouse.json("run.json", "stages and seconds are not shown")
    _note_stale(warehouse, record)
    defects, mined = warehouse.table(DEFECTS), warehouse.table(REWRITE_PAIRS)
    log = failures.log_numbers(defects) if defects is not None else None
    pair_part = pairs.pair_numbers(mined, N_TOP, _min_users(record)) if mined is not None else None
    bundle = _bundle(warehouse)
    return {
        "log": log,
        "funnel": _turn_steps(warehouse, defects, log) + _pair_steps(pair_part, bundle),
        "defects": _defects(defects),
        "pairs": pair_part,
        "win_loss": _win_loss(warehouse),
        "traffic": _traffic(decisions, warehouse),
        "run": _run(record),
        "bundle": bundle,
        "missing": warehouse.missing,
    }
