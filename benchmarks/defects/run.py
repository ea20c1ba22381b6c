"""How well failures are found without annotation: average precision against independent labels of real dialogues.

calls   restaurant calls; a turn with a goal failed if what was understood is not what a human heard; training callers train
chats   chats with four bots, about 30 raters an answer; training chats train

rules              `python -m jobs.label_defects` without a model
boosting           gradient boosting on the model's features, taught by strong signals of the log
boosting, runtime  the same on what is known before the answer
model              `python -m jobs.train_defects`, then `label_defects`: offline
model, runtime     the same with ``--variant runtime``

Each method learns from the training split alone, without its labels, and judges the whole log. The data folder is
``REWRITER_DATA``. Prints a table and JSON; writes JSON.

example: REWRITER_DATA=data python -m benchmarks.defects.run --part dev
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.defects.score import draws_of, score
from benchmarks.defects.sets import SETS, Judged
from jobs import train_defects
from jobs.defect_evidence import evidence, with_wording
from jobs.label_defects import judge, model_features
from jobs.session import spark_session
from jobs.storage import read_table
from rewriter.defects.features import FEATURES, GROUPS, RUNTIME_GROUPS
from rewriter.defects.model import load_model
from rewriter.settings import Settings
from schemas.tables import TURNS

RESULTS = Path(__file__).parents[2] / "benchmarks/results/defects.json"
DRAWS = 1000
Scores = dict[str, dict[str, float]]


def _column(rows: pa.Table, name: str) -> dict[str, float]:
    return dict(zip(rows["turn_id"].to_pylist(), rows[name].to_pylist(), strict=True))


def _boosted(rows: pa.Table, training: set[str], base_rate: float, seed: int) -> Scores:
    """Gradient boosting that learns the strong signals of training turns from features, and judges all turns."""
    batch = rows.combine_chunks().to_batches()[0]
    lost = np.asarray(batch.column("lost"), dtype=np.float32)[:, None]
    features = np.hstack([model_features(batch, base_rate), lost])
    strong = np.asarray(batch.column("strong"), dtype=bool)
    ids = rows["turn_id"].to_pylist()
    fit = np.array([i in training for i in ids])
    early = [i for i, name in enumerate(FEATURES) if GROUPS[name] in RUNTIME_GROUPS] + [len(FEATURES)]
    columns = {"boosting": list(range(features.shape[1])), "boosting, runtime": early}
    found: Scores = {}
    for name, used in columns.items():
        known = [i for i in used if not np.isnan(features[fit, i]).all()]
        boosting = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.05, max_leaf_nodes=15, random_state=seed)
        boosting.fit(features[fit][:, known], strong[fit])
        found[name] = dict(zip(ids, boosting.predict_proba(features[:, known])[:, 1].tolist(), strict=True))
    return found


def judgements(judged: Judged, settings: Settings, folder: Path) -> Scores:
    """Method -> turn_id -> probability, for every turn of the log."""
    train = judged.write_split("train", folder / "train.parquet")
    train_defects.main(["--turns", str(train), "--out", str(folder / "model")])
    model = load_model(folder / "model")
    rows = evidence(read_table(spark_session(), judged.turns, TURNS), settings, folder / "model").persist()
    found = {
        "rules": judge(rows, settings),
        "model": judge(rows, settings, model),
        "model, runtime": judge(rows, settings, model, "runtime"),
    }
    scores = {name: _column(frame.toArrow(), "defect") for name, frame in found.items()}
    gold = judged.gold
    training = set(gold.loc[gold["split"] == "train", "turn_id"])
    scores |= _boosted(with_wording(rows).toArrow().sort_by("turn_id"), training, model.base_rate, settings.seed)
    rows.unpersist()
    return scores


def measure(name: str, part: str, seed: int, folder: Path) -> dict[str, Any]:
    """One set as JSON."""
    judged = SETS[name]()
    scores = judgements(judged, Settings(), folder)
    gold = judged.gold[(judged.gold["split"] == part) & judged.gold["counts"]]
    failed = gold["failed"].to_numpy(dtype=np.float64)
    methods = {m: np.array([of[t] for t in gold["turn_id"]]) for m, of in scores.items()}
    draws = draws_of(gold["unit"].to_numpy(dtype=object), DRAWS, seed)
    rate = float(failed.mean())
    about = {"set": name, "part": part, "turns": len(gold), "units": int(gold["unit"].nunique())}
    about |= {"failed": round(rate, 4), "brier_of_base_rate": round(rate * (1.0 - rate), 4)}
    return about | {"methods": score(failed, methods, draws, "model")}


def table_of(row: dict[str, Any]) -> str:
    """One set as a table."""
    head = f"{row['set']}, {row['part']}: {row['turns']:,} turns of {row['units']:,}, {100 * row['failed']:.1f}% failed"
    lines = [head + f", base rate's Brier {row['brier_of_base_rate']:.3f}"]
    lines += [f"{'':18} {'average precision':>24} {'gain of the model':>20} {'ECE':>6} {'Brier':>6}"]
    for name, m in row["methods"].items():
        precision = f"{m['average_precision']:.3f} [{m['low']:.3f}, {m['high']:.3f}]"
        gain = "[{:+.3f}, {:+.3f}]".format(*m["gain"])
        lines.append(f"{name:18} {precision:>24} {gain:>20} {m['calibration_error']:>6.3f} {m['brier']:>6.3f}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--part", choices=("train", "dev"), default="dev", help="split whose labels score (default dev)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go")
    args = parser.parse_args(argv)
    rows = []
    for name in args.sets:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(name, args.part, args.seed, Path(folder)))
        print(table_of(rows[-1]), flush=True)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"draws": DRAWS, "seed": args.seed, "sets": rows}, indent=1) + "\n", "utf-8")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
