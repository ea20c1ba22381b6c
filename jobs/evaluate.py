"""Judge each layer on held-out days: thresholds that keep the win/loss target, or the layer is off; the table win_loss.

Nothing was rewritten on those days, so the proxy judges: win, the turn failed and the rewrite is what its later successful
rephrase meant; loss, the turn succeeded and the rewrite means something else. What it cannot decide is counted apart.
Turns that this system did decide on give rows of basis live.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from jobs.command import job_parser, run_main
from jobs.days import select_days
from jobs.live_outcomes import live_rows
from jobs.past_requests import past_of, past_requests, request_of, sampled
from jobs.storage import whole_folder, write_arrow
from jobs.train_ranker import add_inputs, engine_of, folders_of, log_of
from rewriter.config import as_dict, read_settings
from rewriter.decision.engine import Engine, Parts
from rewriter.decision.gates import LAYERS, Gate, switched
from rewriter.evaluation.win_loss import Outcome
from rewriter.ranking.labels import outcome_of
from rewriter.ranking.thresholds import Judged, Promise, counts, pick_gate, served
from rewriter.settings import Settings
from schemas.tables import WIN_LOSS

EXAMPLE = (
    "--turns log/turns --defects out/tables/defects --rephrases out/tables/rephrases --rephrase-model out/models/rephrase "
    "--pairs out/fit/rewrite_pairs --encoder out/models/encoder --global out/fit/global --personal out/fit/personal "
    "--ranker out/models/ranker --days evaluate --out out/tables/win_loss --decision out/models/decision"
)
_COLUMNS = "turn_id string, layer string, domain string, probability double, outcome string"
_ARROW = pa.schema(
    [(n, pa.float64() if n == "probability" else pa.string()) for n in (c.split()[0] for c in _COLUMNS.split(", "))]
)
#: Marks the one row that every request gives, so that requests without any proposal are counted.
_REQUEST = ""


def _open(engine: Engine) -> Engine:
    """The engine with every layer on from probability 0, to see all that it would propose."""
    parts = engine.parts
    gates = {name: Gate(True, 0.0, "judged here") for name in LAYERS}
    return Engine(Parts(parts.settings, parts.pairs, parts.encoder, parts.index, parts.store, parts.ranker, gates))


def proposals(engine: Engine, row: dict[str, Any]) -> list[dict[str, Any]]:
    """The best proposal of each layer for one past request, and its outcome; none if it is left alone."""
    request, past = request_of(row), past_of(row)
    known = engine.known(request)
    same = {"turn_id": row["turn_id"], "domain": past.domain}
    rows: list[dict[str, Any]] = [same | {"layer": _REQUEST, "probability": 0.0, "outcome": ""}]
    if engine.leave_alone.decide(request, known) is not None:
        return rows
    mined = engine.precomputed.decide(request, known)
    best = {"precomputed": mined.candidates[0]} if mined is not None and mined.candidates else {}
    for candidate in engine.online.judge(request, known):
        if not candidate.refused:
            for layer in candidate.layers:
                best.setdefault(layer, candidate)
    for layer, candidate in best.items():
        outcome = str(outcome_of(past, candidate))
        rows.append(same | {"layer": layer, "probability": candidate.probability or 0.0, "outcome": outcome})
    return rows


def _judging(
    folders: dict[str, str], settings: dict[str, Any]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        engine = _open(engine_of(folders, settings))
        for batch in batches:
            rows = [row for past in batch.to_pylist() for row in proposals(engine, past)]
            yield pa.RecordBatch.from_pylist(rows, schema=_ARROW)
        engine.close()

    return work


def judge(requests: DataFrame, folders: dict[str, str], settings: Settings) -> tuple[list[Judged], Counter[str]]:
    """Proposals of every layer for a sample of the requests, and the number of requests by domain."""
    workers = requests.sparkSession.sparkContext.defaultParallelism
    drawn = sampled(requests, settings.evaluate.max_requests).repartition(workers, "turn_id")
    table = drawn.mapInArrow(_judging(folders, as_dict(settings)), _COLUMNS).toArrow()
    rows = table.sort_by([("turn_id", "ascending"), ("layer", "ascending")]).to_pylist()
    n = Counter(row["domain"] for row in rows if row["layer"] == _REQUEST)
    return [Judged(**row | {"outcome": Outcome(row["outcome"])}) for row in rows if row["layer"] != _REQUEST], n


def gates_from(judged: Sequence[Judged], settings: Settings) -> dict[str, Gate]:
    """The gate of each layer, with the settings' switches applied."""
    decide = settings.decide
    mined = Promise(decide.target_win_loss, decide.min_wins)
    retrieved = Promise(decide.target_win_loss, decide.min_wins, decide.min_probability)
    gates = {
        name: pick_gate([j for j in judged if j.layer == name], mined, has_own_bounds=True)
        if name == "precomputed"
        else pick_gate([j for j in judged if j.layer == name], retrieved)
        for name in LAYERS
    }
    return switched(gates, settings.decide)


def win_loss_rows(judged: Sequence[Judged], n: Counter[str], gates: dict[str, Gate]) -> list[dict[str, Any]]:
    """Rows of `win_loss` by layer and domain, each layer alone at its threshold, and of all layers together.

    A layer that is off is counted at the threshold at which it came closest.
    """
    rows = []
    for layer in (*LAYERS, "all"):
        alone = [j for j in judged if j.layer == layer]
        mine = served(judged, gates) if layer == "all" else alone
        threshold = None if layer == "all" else gates[layer].threshold
        for domain in ("all", *sorted(n)):
            inside = [j for j in mine if domain in ("all", j.domain)]
            total = n.total() if domain == "all" else n[domain]
            rows.append(counts(inside, total, threshold or 0.0).row("proxy", layer, domain, threshold))
    return rows


def decision_card(gates: dict[str, Gate], rows: Sequence[dict[str, Any]], settings: Settings) -> dict[str, Any]:
    """The decision file: each layer's gate, and what the engine with these gates would have done on the held-out days."""
    everything = next(r for r in rows if (r["basis"], r["layer"], r["domain"]) == ("proxy", "all", "all"))
    return {
        "layers": {name: {"enabled": g.enabled, "threshold": g.threshold, "reason": g.reason} for name, g in gates.items()},
        "target": settings.decide.target_win_loss,
        "basis": "proxy",
        "held_out": {k: everything[k] for k in ("n", "rewritten", "wins", "losses", "ties", "undecided")},
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the table `win_loss` and ``decision.json``; returns the gates and the counts of all layers together."""
    parser = job_parser("evaluate", __doc__, EXAMPLE, days=True)
    add_inputs(parser)
    parser.add_argument("--ranker", type=Path, help="the model of train_ranker")
    parser.add_argument("--decision", type=Path, required=True, help="folder for decision.json")
    args = parser.parse_args(argv)
    settings = read_settings(args.config)
    log = log_of(args, settings)
    requests = select_days(past_requests(log, settings), args.days, settings.evaluate.heldout_share)
    judged, n = judge(requests, folders_of(args, ranker=args.ranker), settings)
    gates = gates_from(judged, settings)
    rows = win_loss_rows(judged, n, gates)
    card = decision_card(gates, rows, settings)
    with whole_folder(args.decision) as folder:
        (folder / "decision.json").write_text(json.dumps(card, sort_keys=True, indent=2) + "\n", "utf-8")
    write_arrow(pa.Table.from_pylist(rows + live_rows(log), schema=WIN_LOSS.schema), args.out, WIN_LOSS)
    for name, gate in gates.items():
        print(f"{name}: {'on' if gate.enabled else 'off'}: {gate.reason}")
    return {"layers": card["layers"], "held_out": card["held_out"]}


if __name__ == "__main__":
    run_main(main)
