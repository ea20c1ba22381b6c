"""Train the ranker on the log: candidates of past requests, labelled by what their users said next.

Candidates come from the same code that serves requests. Days before --days teach the cross-encoder, --days the combiners.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.command import Parser, job_parser, run_main
from jobs.days import select_days
from jobs.past_requests import Log, past_of, past_requests, request_of, sampled
from jobs.rephrase_threshold import rephrase_threshold
from jobs.storage import whole_folder
from rewriter.config import as_dict, read_settings, settings_of
from rewriter.decision.engine import Engine, load_parts
from rewriter.ranking.features import FEATURES, features_of
from rewriter.ranking.labels import label_of, weight_of
from rewriter.ranking.train import Examples, fold_of, train_ranker
from rewriter.settings import Settings

EXAMPLE = (
    "--turns log/turns --defects out/tables/defects --rephrases out/tables/rephrases --rephrase-model out/models/rephrase "
    "--encoder out/models/encoder --global out/fit/global --personal out/fit/personal --days rank --out out/models/ranker"
)
_COLUMNS = "turn_id string, user_id string, request string, candidate string, label int, weight double, features binary"


def add_inputs(parser: Parser) -> None:
    """The inputs that ranking and evaluation share."""
    parser.add_argument("--turns", type=Path, required=True, help="turns: a folder or one Parquet file")
    parser.add_argument("--defects", type=Path, required=True, help="defects of the turns")
    parser.add_argument("--rephrases", type=Path, required=True, help="rephrases of the turns")
    parser.add_argument("--rephrase-model", type=Path, help="its decision.json holds the threshold (default 0.5)")
    parser.add_argument("--pairs", type=Path, help="rewrite_pairs mined on earlier days")
    parser.add_argument("--encoder", type=Path, help="the model of train_encoder")
    parser.add_argument("--global", dest="index", type=Path, help="global index of earlier days")
    parser.add_argument("--personal", type=Path, help="personal index of earlier days")


def log_of(args: Any, settings: Settings) -> Log:
    """The labelled log that the command line names."""
    return Log(args.turns, args.defects, args.rephrases, rephrase_threshold(args.rephrase_model, settings)[0])


def folders_of(args: Any, **more: Path | None) -> dict[str, str]:
    """Absolute paths of an engine's parts, as `engine_of` takes them; parts that are not there are left out."""
    named = {"pairs": args.pairs, "encoder": args.encoder, "index": args.index, "store": args.personal, **more}
    return {name: str(path.resolve()) for name, path in named.items() if path is not None and path.exists()}


def engine_of(folders: dict[str, str], settings: dict[str, Any]) -> Engine:
    """The engine that a worker judges past requests with."""
    paths = {name: Path(path) for name, path in folders.items()}
    return Engine(load_parts(settings_of(settings, "settings"), threads=1, **paths))


def _examples(
    folders: dict[str, str], settings: dict[str, Any]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        engine = engine_of(folders, settings)
        for batch in batches:
            rows = [row for past in batch.to_pylist() for row in _rows_of(engine, past)]
            yield pa.RecordBatch.from_pylist(rows, schema=_ARROW)
        engine.close()

    return work


_ARROW = pa.schema(
    [
        ("turn_id", pa.string()),
        ("user_id", pa.string()),
        ("request", pa.string()),
        ("candidate", pa.string()),
        ("label", pa.int32()),
        ("weight", pa.float64()),
        ("features", pa.binary()),
    ]
)


def _rows_of(engine: Engine, row: dict[str, Any]) -> list[dict[str, Any]]:
    """The labelled candidates of one past request, none if the engine would have left it alone."""
    request, past = request_of(row), past_of(row)
    known = engine.known(request)
    if engine.leave_alone.decide(request, known) is not None:
        return []
    candidates, _ = engine.online.allowed(request, known)
    labelled = [(c, x, label_of(past, c)) for c, x in zip(candidates, features_of(request, known, candidates), strict=True)]
    weight = row["weight"] * weight_of(past)
    same = {"turn_id": row["turn_id"], "user_id": row["user_id"], "request": request.key, "weight": weight}
    return [
        same | {"candidate": c.utterance, "label": label, "features": x.astype("<f8").tobytes()}
        for c, x, label in labelled
        if label is not None
    ]


def _drawn(requests: DataFrame, n: int) -> DataFrame:
    """Resolved failures up to half of ``n``, the rest successes, with ``weight``: how many of the log one stands for."""
    resolved = requests.where(F.col("later").isNotNull())
    succeeded = requests.where("succeeded")
    counts = requests.agg(F.count("later").alias("resolved"), F.count_if("succeeded").alias("succeeded")).first()
    n_resolved, n_succeeded = (int(counts[0]), int(counts[1])) if counts else (0, 0)
    first = min(n_resolved, n // 2)
    second = min(n_succeeded, n - first)
    return (
        sampled(resolved, first)
        .withColumn("weight", F.lit(n_resolved / max(first, 1)))
        .unionByName(sampled(succeeded, second).withColumn("weight", F.lit(n_succeeded / max(second, 1))))
    )


def examples_of(requests: DataFrame, folders: dict[str, str], settings: Settings, n: int) -> Examples:
    """Labelled candidates of at most ``n`` past requests, in the order of their turns."""
    workers = requests.sparkSession.sparkContext.defaultParallelism
    drawn = _drawn(requests, n).repartition(workers, "turn_id")
    found = drawn.mapInArrow(_examples(folders, as_dict(settings)), _COLUMNS).toArrow()
    table = found.sort_by([("turn_id", "ascending"), ("candidate", "ascending")])
    names = table.column("turn_id").to_pylist()
    group = {name: i for i, name in enumerate(dict.fromkeys(names))}
    packed = b"".join(table.column("features").to_pylist())
    return Examples(
        requests=tuple(table.column("request").to_pylist()),
        candidates=tuple(table.column("candidate").to_pylist()),
        groups=np.array([group[name] for name in names], np.int64),
        users=np.array([fold_of(user) for user in table.column("user_id").to_pylist()], np.int64),
        labels=table.column("label").to_numpy().astype(np.float64),
        weights=table.column("weight").to_numpy().astype(np.float64),
        features=np.frombuffer(packed, "<f8").reshape(-1, len(FEATURES)).copy(),
    )


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write ``ranker.json`` and the cross-encoder; returns what it learnt from and how well."""
    parser = job_parser("train_ranker", __doc__, EXAMPLE, days=True)
    add_inputs(parser)
    args = parser.parse_args(argv)
    settings = read_settings(args.config)
    folders = folders_of(args)
    requests = past_requests(log_of(args, settings), settings).cache()
    share, n = settings.evaluate.heldout_share, settings.train.max_rank_requests
    examples = examples_of(select_days(requests, args.days, share), folders, settings, n)
    # The cross-encoder must not have seen the pairs on which its score is weighed against the other features.
    texts = examples if args.days == "all" else examples_of(select_days(requests, "fit", share), folders, settings, n // 2)
    requests.unpersist()
    with whole_folder(args.out) as folder:
        card = train_ranker(texts, examples, settings, folder, print)
    counts = {"candidates": len(examples.labels), "wins": int(examples.labels.sum()), "metrics": card["metrics"]}
    return counts | ({"reason": card["reason"]} if "reason" in card else {})


if __name__ == "__main__":
    run_main(main)
