"""How fast a trained model reads a log: Spark beside a plain torch pipeline and the encoder's own rate, and its memory.

All over the same simulated sessions, repeated under new names until there are enough turns.

spark     sessions a second through `jobs.detect_rephrases.detect` on local[cores], models loaded, first pass not counted
torch     the same work in plain torch: the same sources and inputs, float32, batches of 32 in the log's order
encoder   sources a second of the int8 graph alone on inputs of those lengths, one thread, times cores
          The encoder reads here whatever weight the held-out labels gave it: this is the dearest case.
memory    most resident megabytes of one worker after a tenth of the turns and after all of them, by the evidence alone;
          then over a tenth of them with the encoder run

Prints and writes JSON.

example: python -m benchmarks.rephrase.throughput --model wh/models/rephrase --turns 1000000
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file

from benchmarks.real import ROOT
from jobs.detect_rephrases import detect, detect_table, turns_with_defects, whole_users
from jobs.session import spark_session
from rewriter.bert.pretrained import load_pretrained
from rewriter.bert.runtime import OnnxModel, Tokens
from rewriter.bert.training import tensors
from rewriter.rephrase.decision import read_decision
from rewriter.rephrase.detector import SpanDetector, worth_reading
from rewriter.rephrase.encode import encode
from rewriter.rephrase.evidence import rule_chance
from rewriter.rephrase.log import COLUMNS, Ints, Log, read_log
from rewriter.rephrase.model import SpanModel
from rewriter.simulation.simulate import simulate
from rewriter.simulation.tables import turns_table
from rewriter.simulation.world import World

_IDS = ("turn_id", "user_id", "session_id")
_GAP_S = 45.0
_PLAIN_BATCH = 32


def seconds(call: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def weighed(model: Path, folder: Path, span_weight: float) -> Path:
    """A copy of the model whose spans have that weight: the encoder is run for any but 0."""
    copy = Path(shutil.copytree(model, folder / f"model-{span_weight:g}"))
    replace(read_decision(copy), span_weight=span_weight).write(copy)
    return copy


def copies(turns: pa.Table, n: int) -> Iterator[pa.Table]:
    """The log again and again under other names, ordered by user, until there are ``n`` turns."""
    ordered = turns.sort_by([(name, "ascending") for name in ("user_id", "at", "turn_id")])
    for copy in range(max(1, -(-n // turns.num_rows))):
        again = ordered
        for name in _IDS:
            ids = pa.array([f"{copy:05}:{value}" for value in ordered[name].to_pylist()])
            again = again.set_column(again.column_names.index(name), name, ids)
        yield again


def through_spark(files: Path, model: Path, cores: int) -> float:
    """Seconds of one pass, after one that starts the workers."""
    spark = spark_session()
    turns = turns_with_defects(spark, files, None).repartition(4 * cores, "user_id")

    def once() -> None:
        detect(turns, model, _GAP_S).write.format("noop").mode("overwrite").save()

    once()
    return seconds(once)


def sources(detector: SpanDetector, turns: pa.Table) -> tuple[Log, Ints, Tokens]:
    """The log, the sources that the model reads, and their inputs."""
    log, _ = read_log(turns.select(COLUMNS), detector.decision.window_turns, _GAP_S, detector.decision.records)
    views = detector.views(log)
    rows = np.flatnonzero(worth_reading(rule_chance(log, views)))
    return log, rows, encode(log, rows, views[rows], detector.tokenizer, detector.decision.max_length).tokens


def through_torch(turns: pa.Table, model: Path, encoder: str) -> float:
    """Seconds of the plain pipeline over a log."""
    detector = SpanDetector(model)
    bert, tokenizer = load_pretrained(encoder)
    plain = SpanModel(bert, tokenizer, 0)
    plain.load_state_dict(load_file(model / "model.safetensors"))
    plain.eval()

    def run() -> None:
        _, rows, tokens = sources(detector, turns)
        with torch.inference_mode():
            for first in range(0, len(rows), _PLAIN_BATCH):
                plain(*tensors(tokens, np.arange(first, min(first + _PLAIN_BATCH, len(rows)))))

    return seconds(run)


def through_encoder(turns: pa.Table, model: Path) -> tuple[float, int]:
    """Seconds of the int8 graph alone, one thread, and how many sources it read."""
    _, rows, tokens = sources(SpanDetector(model), turns)
    graph = OnnxModel(model)
    return seconds(lambda: list(graph.run_all(tokens))), len(rows)


def memory_mb(turns: pa.Table, model: Path, n: int) -> list[float]:
    """Most resident megabytes of this process after a tenth of ``n`` turns and after all."""
    detector, done = SpanDetector(model), 0
    marks: list[float] = []
    batches = (batch for copy in copies(turns, n) for batch in copy.select(COLUMNS).to_batches(max_chunksize=10_000))
    for users in whole_users(batches):
        done += detect_table(detector, users, _GAP_S).num_rows
        if len(marks) < 1 and done >= n // 10:
            marks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return [round(mb, 1) for mb in (*marks, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of train_rephrase")
    parser.add_argument("--encoder", default="", help="BERT-family folder it was trained from; default the packaged MiniLM")
    parser.add_argument("--turns", type=int, default=1_000_000, help="of the memory test; a tenth of them for the speed")
    parser.add_argument("--users", type=int, default=300, help="simulated")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/rephrase_throughput.json")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(args, Path(folder))
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result, indent=1))


def measure(args: argparse.Namespace, folder: Path) -> dict[str, object]:
    """All rates and the memory of a model; ``folder`` takes its copies and the log."""
    model, bare = (weighed(args.model, folder, weight) for weight in (1.0, 0.0))
    turns = turns_table(simulate(World(7), args.users, range(6)))
    sessions = len(set(turns["session_id"].to_pylist()))
    memory = {"evidence_alone": memory_mb(turns, bare, args.turns), "encoder": memory_mb(turns, model, args.turns // 10)}
    torch.set_num_threads(args.cores)
    plain = through_torch(turns, model, args.encoder)
    alone, read = through_encoder(turns, model)
    files, n = folder / "turns", 0
    files.mkdir()
    for n, copy in enumerate(copies(turns, args.turns // 10), start=1):
        pq.write_table(copy, files / f"part-{n}.parquet")
    spark = through_spark(files, model, args.cores)
    return {
        "turns": turns.num_rows * n,
        "spark_sessions_per_s": round(n * sessions / spark, 1),
        "torch_sessions_per_s": round(sessions / plain, 1),
        "spark_over_torch": round(n * plain / spark, 2),
        "spark_sources_per_s": round(n * read / spark, 1),
        "encoder_sources_per_s": round(args.cores * read / alone, 1),
        "spark_share_of_encoder": round(n * alone / (args.cores * spark), 3),
        "memory_mb": memory,
    }


if __name__ == "__main__":
    main()
