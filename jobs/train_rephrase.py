"""Train the rephrase span model on weak labels from the log: which later turn says a failed request again.

Writes model.onnx (int8), model.safetensors, config.json, tokenizer.json, decision.json and card.md.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.command import job_parser, run_main
from jobs.days import days_of, select_days
from jobs.detect_rephrases import turns_with_defects
from jobs.session import spark_session
from jobs.storage import whole_folder
from rewriter.bert.training import Progress
from rewriter.config import read_settings
from rewriter.errors import RewriterError
from rewriter.rephrase.artefact import write_decision, write_model, write_sentences
from rewriter.rephrase.card import model_card
from rewriter.rephrase.decode import probabilities
from rewriter.rephrase.detector import SpanDetector, worth_reading
from rewriter.rephrase.evidence import evidence, rule_chance, usual, with_usual
from rewriter.rephrase.log import Floats, Log, read_log
from rewriter.rephrase.meaning import has_readings, read_meaning
from rewriter.rephrase.train import Judged, choose_examples, held_out, held_out_days, judge, relabelled, train_model
from rewriter.rephrase.weak_labels import WeakLabels, take, weak_labels
from rewriter.settings import Settings
from schemas.table import day_of

#: Turns that are read for labels; of a larger log, the users of some buckets of a hash are taken, whole.
MOST_TURNS = 200_000


def sample_users(turns: DataFrame, most: int) -> DataFrame:
    """All turns of enough users to give about ``most`` turns, chosen by a hash of their ids."""
    n = turns.count()
    if n <= most:
        return turns
    buckets = 1000
    return turns.where(F.pmod(F.xxhash64("user_id"), F.lit(buckets)) < F.lit(max(1, buckets * most // n)))


def _show(step: int, total: int, loss: float) -> None:
    if step % max(1, total // 10) == 0 or step == total:
        print(f"train_rephrase: step {step}/{total}, loss {loss:.4f}", flush=True)


@dataclass(frozen=True)
class Lesson:
    """A log with its evidence, the labels that teach and those that judge."""

    log: Log
    views: Floats
    taught: WeakLabels
    held: WeakLabels


def one_round(lesson: Lesson, settings: Settings, out: Path, progress: Progress | None) -> Judged:
    """Train, write the model into ``out`` and judge it on the held-out labels."""
    log, views = lesson.log, lesson.views
    write_model(*train_model(log, views, lesson.taught, settings, progress), settings, out)
    detector = SpanDetector(out, settings.train.threads)
    return judge(log, views, lesson.held, lambda rows: detector.odds_at(log, rows, views[rows]), settings.seed)


def second_round(lesson: Lesson, first: Judged, settings: Settings, out: Path, progress: Progress | None) -> Judged:
    """Train again on labels moved towards the first model; kept where the held-out labels, not moved, like it better."""
    source, found = lesson.taught.source, first.calibration
    spans = SpanDetector(out, settings.train.threads)
    odds = spans.odds_at(lesson.log, source, lesson.views[source])(found.span_weight)
    moved = relabelled(lesson.taught, probabilities(odds, found.temperature, found.null_bias))
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(out, folder, dirs_exist_ok=True)
        second = one_round(dataclasses.replace(lesson, taught=moved), settings, Path(folder), progress)
        if second.metrics["cross_entropy"] >= first.metrics["cross_entropy"]:
            return first
        shutil.copytree(folder, out, dirs_exist_ok=True)
    return second


def learn(turns: pa.Table, settings: Settings, out: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Train on turns (with a column ``defect``) and write the model into the existing folder ``out``.

    Raises
    ------
    RewriterError
        If no turn has another in its window.
    """
    log, ordered = read_log(turns, settings.rephrase.window_turns, settings.sessions.max_gap_s)
    if not has_readings(log):
        write_sentences(settings, out)
    views = evidence(log, settings.rephrase.window_turns, settings.rephrase.weak_similarity, read_meaning(out))
    habits = usual(log, views)
    views = with_usual(views, log, habits)
    labels = weak_labels(log, views)
    if not len(labels.source):
        raise RewriterError("no session of the log has two turns: there is nothing to learn rephrases from")
    day = np.array(day_of(ordered["at"]).to_pylist())
    days = sorted(set(day.tolist()))
    held = held_out_days(days)
    is_held = held_out(labels.source, day)
    fitted = take(labels, ~is_held) if held and not is_held.all() else labels
    judged_on = take(labels, is_held) if is_held.any() else labels
    budget = settings.train.max_steps * settings.train.batch_size
    read = worth_reading(rule_chance(log, views))[fitted.source]
    chosen = choose_examples(fitted, read, budget, settings.seed)
    if not len(chosen):
        chosen = np.arange(min(len(fitted.source), budget))
    examples = Lesson(log, views, take(fitted, chosen), judged_on)
    found = one_round(examples, settings, out, progress)
    if settings.rephrase.self_training and is_held.any():
        found = second_round(examples, found, settings, out, progress)
    decision = write_decision(found, habits, log.records, settings, out)
    card = model_card(
        decision,
        settings,
        days=days,
        held=sorted(held),
        n_examples=len(chosen),
        counts=labels.counts(),
        metrics=found.metrics,
    )
    (out / "card.md").write_text(card, "utf-8")
    return {
        "turns": len(log),
        "labels": labels.counts(),
        "examples": len(chosen),
        "threshold": decision.threshold,
        "model_version": decision.model_version,
        **{name: round(value, 6) for name, value in found.metrics.items()},
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Train and write the model; returns counts and held-out figures."""
    parser = job_parser(
        "train_rephrase",
        __doc__,
        "--turns log/turns --defects wh/tables/defects --days fit --out wh/models/rephrase",
        days=True,
    )
    parser.add_argument("--turns", type=Path, required=True, help="folder or Parquet file of turns")
    parser.add_argument("--defects", type=Path, help="table of label_defects; without it, a rule on each turn")
    parser.add_argument("--encoder", help="BERT-family folder; default [train] encoder, empty = packaged all-MiniLM-L6-v2")
    args = parser.parse_args(argv)
    settings = read_settings(args.config)
    if args.encoder is not None:
        settings = dataclasses.replace(settings, train=dataclasses.replace(settings.train, encoder=args.encoder))
    spark = spark_session()
    turns = turns_with_defects(spark, args.turns, args.defects)
    days_of(turns)
    turns = sample_users(select_days(turns, args.days, settings.evaluate.heldout_share), MOST_TURNS)
    with whole_folder(args.out) as folder:
        counts = learn(turns.drop("day").toArrow(), settings, folder, _show)
    print(f"train_rephrase: {counts['examples']:,} examples, expected F1 {counts['expected_f1']:.3f}", flush=True)
    return counts


if __name__ == "__main__":
    run_main(main)
