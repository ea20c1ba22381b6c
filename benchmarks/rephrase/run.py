"""How well rephrases are found: the span model beside similarity baselines and a pairwise cross-encoder of the same labels.

Restaurant calls and airline sessions (labels that people's semantics made; ``REWRITER_DATA`` names their folder, without it
they are left out) and six simulated sets with planted truth: four domains in English, one world in Devanagari and one in
kana without spaces. Each model learns from the train part of its log alone, by weak labels, and chooses its own threshold
there. The baselines' thresholds come from train's truth, which no model sees: an advantage to them.

F1             at the method's own threshold; average precision beside it; intervals: users drawn again
lead           mean over sets of the span model's F1 less that of each set's best similarity baseline, paired bootstrap
cost           milliseconds of one core a session of the log, best of three: the int8 graphs over the same sources in this
               run, and no graph where the held-out labels gave the spans no weight

Prints a table; writes JSON.

example: python -m benchmarks.rephrase.run --steps 300 --folder /tmp/rephrase
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.real import ROOT
from benchmarks.rephrase import cross_encoder
from benchmarks.rephrase.baselines import SIMILARITIES, Predictions, predicted
from benchmarks.rephrase.score import Floats, Verdicts, figures, paired, user_weights
from benchmarks.rephrase.sets import CALLS_GAP_S, DATA, Gold, data_folder, real
from benchmarks.rephrase.sets import Log as Source
from benchmarks.rephrase.worlds import simulated
from jobs.train_rephrase import learn
from rewriter.bert.runtime import load_tokenizer
from rewriter.rephrase.detector import SpanDetector, worth_reading
from rewriter.rephrase.evidence import rule_chance
from rewriter.rephrase.log import Log, read_log
from rewriter.rephrase.train import choose_examples, held_out
from rewriter.rephrase.weak_labels import take, weak_labels
from rewriter.settings import Sessions, Settings, Train
from schemas.table import day_of

SPAN, PAIRS = "span model", "cross-encoder"
DRAWS = 1000
_BARE = ("asr_confidence",)


def settings_of(source: Source, args: argparse.Namespace) -> Settings:
    """Settings of a log's models: both learn in as many steps."""
    train = Train(encoder=args.encoder, max_steps=args.steps, batch_size=args.batch, threads=args.threads)
    return replace(Settings(), sessions=Sessions(max_gap_s=source.max_gap_s), train=train, seed=args.seed)


def folder_name(source: Source, args: argparse.Namespace) -> str:
    """Where a log's models are kept: others for other steps, batches, seed, worlds or encoder."""
    learned = json.dumps([args.steps, args.batch, args.seed, args.users, args.days, args.encoder])
    return f"{source.name}-{hashlib.sha256(learned.encode()).hexdigest()[:12]}"


def read(turns: Any, settings: Settings) -> Log:
    """The turns as the models read them."""
    return read_log(turns.drop(_BARE), settings.rephrase.window_turns, settings.sessions.max_gap_s)[0]


def verdicts(log: Log, found: Predictions, gold: Mapping[str, Gold], sources: frozenset[str]) -> Verdicts:
    """What a method says of the sources of a set, judged by the truth."""
    users = np.unique(log.user, return_inverse=True)[1]
    asked = np.array([turn in sources for turn in log.turn_id])
    kept = asked[found.source]
    source, later = found.source[kept].tolist(), found.later[kept].tolist()
    pairs = [(gold[log.turn_id[i]], log.turn_id[j]) for i, j in zip(source, later, strict=True)]
    right = np.array([truth.defective and said in truth.rephrases for truth, said in pairs], bool)
    same = np.array([not t.defective and t.meaning == gold[said].meaning for t, said in pairs], bool)
    again = np.array([said in truth.verbatim for truth, said in pairs], bool)
    wanted = np.array([a and gold[t].defective and bool(gold[t].rephrases) for a, t in zip(asked, log.turn_id, strict=True)])
    positives = np.bincount(users, wanted, int(users.max(initial=-1)) + 1).astype(np.float64)
    return Verdicts(found.probability[kept], right, ~right & ~same & ~again, users[found.source[kept]], positives)


def timed(call: Callable[[], Predictions]) -> tuple[Predictions, float]:
    """What a call returns, and the processor's seconds it took."""
    begin = time.process_time()
    return call(), time.process_time() - begin


def span(log: Log, spans: SpanDetector) -> Predictions:
    """What the trained span model says of a log."""
    found = spans.detect(log)
    rows = np.flatnonzero(found.turn > 0)
    return Predictions(rows, rows + found.turn[rows], found.probability[rows])


def train_span(source: Source, settings: Settings, folder: Path) -> None:
    """Train the span model, unless its folder is there."""
    if not (folder / "card.md").exists():
        folder.mkdir(parents=True, exist_ok=True)
        learn(source.train.drop(_BARE), settings, folder)


def train_pairs(source: Source, settings: Settings, folder: Path) -> cross_encoder.CrossEncoder:
    """Train the cross-encoder on the span model's examples, unless its folder is there; calibrate it as that one."""
    log, ordered = read_log(source.train.drop(_BARE), settings.rephrase.window_turns, settings.sessions.max_gap_s)
    views = SpanDetector(folder.parent / "span").views(log)
    labels, worth = weak_labels(log, views), worth_reading(rule_chance(log, views))
    held = held_out(labels.source, np.array(day_of(ordered["at"]).to_pylist()))
    if not (folder / "model.onnx").exists():
        folder.mkdir(parents=True, exist_ok=True)
        fitted = take(labels, ~held)
        budget = settings.train.max_steps * settings.train.batch_size
        chosen = choose_examples(fitted, worth[fitted.source], budget, settings.seed)
        cross_encoder.train(log, take(fitted, chosen), settings, folder)
    model = cross_encoder.CrossEncoder(folder, load_tokenizer(folder))
    model.judge(log, take(labels, held & worth[labels.source]))
    return model


def methods(source: Source, settings: Settings, home: Path) -> Iterator[tuple[str, Predictions, Predictions | None, float]]:
    """Each method's name, what it says of test and (for a threshold) of train, or its own threshold."""
    train, test = read(source.train, settings), read(source.test, settings)
    for (name, on_train), (_, on_test) in zip(predicted(train), predicted(test), strict=True):
        yield name, on_test, on_train, 0.0
    train_span(source, settings, home / "span")
    spans = SpanDetector(home / "span")
    yield SPAN, span(test, spans), None, spans.decision.threshold
    pairs = train_pairs(source, settings, home / "pairs")
    yield PAIRS, pairs_of(test, pairs, spans), None, pairs.threshold


def pairs_of(log: Log, model: cross_encoder.CrossEncoder, spans: SpanDetector) -> Predictions:
    """What the cross-encoder says of a log; it is run for the sources that the span model is run for."""
    chance = rule_chance(log, spans.views(log))
    return model.predict(log, worth_reading(chance), spans.decision.window_turns, chance)


def costs(source: Source, settings: Settings, home: Path) -> dict[str, float]:
    """Milliseconds of one core a session of the test part, best of three, loaded models."""
    log = read(source.test, settings)
    sessions = len(set(source.test["session_id"].to_pylist()))
    pairs = cross_encoder.CrossEncoder(home / "pairs", load_tokenizer(home / "pairs"))
    spans = SpanDetector(home / "span")
    runs = {SPAN: lambda: span(log, spans), PAIRS: lambda: pairs_of(log, pairs, spans)}
    return {name: round(1e3 * min(timed(run)[1] for _ in range(3)) / sessions, 3) for name, run in runs.items()}


def measure(source: Source, args: argparse.Namespace, folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, Floats]]]:
    """Each set of a log: its figures by method, and their bootstrap samples of F1."""
    settings, home = settings_of(source, args), folder / folder_name(source, args)
    found = list(methods(source, settings, home))
    train, test = read(source.train, settings), read(source.test, settings)
    spent = costs(source, settings, home)
    for name, asked in source.sets.items():
        row: dict[str, Any] = {
            "set": name,
            "turns": len(asked.intersection(test.turn_id)),
            "cost_ms_per_session": spent,
            "methods": {},
        }
        samples: dict[str, Floats] = {}
        for method, on_test, on_train, own in found:
            judged = verdicts(test, on_test, source.gold, asked)
            named = frozenset(train.turn_id)
            threshold = own if on_train is None else verdicts(train, on_train, source.gold, named).best_threshold()
            weights = user_weights(len(judged.positives), DRAWS, args.seed)
            row["methods"][method], draws = figures(judged, threshold, weights)
            row["positives"] = int(judged.positives.sum())
            samples[method] = draws[:, 0]
            if on_train is None:
                row["methods"][method]["calibration"] = judged.calibration()
        yield row, samples


def summary(rows: Sequence[dict[str, Any]], samples: Sequence[dict[str, Floats]]) -> dict[str, Any]:
    """The span model's lead over each set's best similarity baseline, and over the cross-encoder."""
    best = [max(SIMILARITIES, key=lambda m: row["methods"][m]["f1"]) for row in rows]
    return {
        "lead_over_best_similarity": paired([s[SPAN] - s[b] for s, b in zip(samples, best, strict=True)]),
        "lead_over_cross_encoder": paired([s[SPAN] - s[PAIRS] for s in samples]),
        "best_similarity": {row["set"]: b for row, b in zip(rows, best, strict=True)},
    }


def table_of(rows: Sequence[dict[str, Any]]) -> str:
    """F1 and average precision of every method on every set."""
    names = list(rows[0]["methods"])
    lines = [f"{'set':14}{'n':>6} " + "".join(f"{name:>16}" for name in names)]
    for row in rows:
        cells = [f"{m['f1']:.3f} / {m['average_precision']:.3f}".rjust(16) for m in row["methods"].values()]
        lines.append(f"{row['set']:14}{row['positives']:>6} " + "".join(cells))
    return "\n".join(lines)


def arguments_of(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=800, help="of each simulated world; English has five times as many")
    parser.add_argument("--days", type=int, default=6)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--steps", type=int, default=300, help="training steps of every model")
    parser.add_argument("--batch", type=int, default=16, help="requests a step, with every later turn of each")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--encoder", default="", help="BERT-family folder; default the packaged MiniLM")
    parser.add_argument("--folder", type=Path, help="models are kept here, and one of the same settings is used again")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/rephrase.json")
    return parser.parse_args(argv)


def sources_of(args: argparse.Namespace) -> Iterator[Source]:
    """The logs: real ones where there are any, then the simulated worlds."""
    folder = data_folder()
    if folder is None:
        print(f"{DATA} names no folder: simulated sets only", flush=True)
    else:
        yield real(folder, "dstc2", CALLS_GAP_S)
        yield real(folder, "atis", Settings().sessions.max_gap_s)
    yield simulated(args.users, args.days, args.seed, Settings().sessions.max_gap_s)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    args = arguments_of(argv)
    rows: list[dict[str, Any]] = []
    samples: list[dict[str, Floats]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for source in sources_of(args):
            for row, drawn in measure(source, args, args.folder or Path(temporary)):
                rows.append(row)
                samples.append(drawn)
                print(table_of([row]), flush=True)
    about = {
        "steps": args.steps,
        "batch": args.batch,
        "users": args.users,
        "days": args.days,
        "seed": args.seed,
        "draws": DRAWS,
    }
    result = {"about": about, "summary": summary(rows, samples), "sets": rows}
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(table_of(rows))
    print(json.dumps(result["summary"], indent=1))


if __name__ == "__main__":
    main()
