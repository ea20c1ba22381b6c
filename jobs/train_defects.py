"""Train the defect model on a log that nobody annotated: evidence is weighed by how far it agrees.

The last fifth of the chosen days compares it with the rules: strong signals told from what does not restate them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.command import job_parser, run_main
from jobs.days import days_of, select_days
from jobs.defect_evidence import evidence, with_wording
from jobs.label_defects import model_features
from jobs.session import spark_session
from jobs.storage import read_table, whole_folder
from rewriter.config import read_settings
from rewriter.defects.card import model_card
from rewriter.defects.comparison import Examples
from rewriter.defects.features import LABEL_GROUPS
from rewriter.defects.meaning import N_ANSWERS
from rewriter.defects.model import DefectModel
from rewriter.defects.prepare import drop_meaning, save_meaning
from rewriter.defects.signals import SIGNALS
from rewriter.defects.training import train
from rewriter.settings import Settings
from schemas.tables import TURNS

#: Of more turns than this a sample teaches: weights of 20 features need no more, and an encoder reads each.
MAX_TURNS = 50_000
HELDOUT_SHARE = 0.2


def _heldout_days(days: Sequence[str]) -> tuple[str, ...]:
    """The last days, which compare: a fifth of them, at least one; none of a single day."""
    n = max(1, round(HELDOUT_SHARE * len(days)))
    return tuple(days[-n:]) if len(days) > 1 else ()


def _examples(rows: pa.Table, heldout: Sequence[str]) -> Examples:
    batch = rows.sort_by("turn_id").combine_chunks().to_batches()[0]
    fired = [set(names) for names in batch.column("signals").to_pylist()]
    held = np.isin(np.asarray(batch.column("day").to_pylist()), heldout)
    strong = np.asarray(batch.column("strong"), dtype=bool)
    hidden = np.asarray(batch.column("hidden_rules").flatten()).reshape(batch.num_rows, len(LABEL_GROUPS))
    return Examples(
        features=model_features(batch, float(strong[~held].mean())),
        signals={name: np.asarray([name in names for names in fired]) for name in SIGNALS},
        rules=np.asarray(batch.column("rules")),
        hidden_rules={group: hidden[:, i] for i, group in enumerate(LABEL_GROUPS)},
        heldout=held,
    )


def _some_answers(turns: DataFrame) -> list[str]:
    """Answers drawn by a hash of turn_id, fewer where the log has fewer."""
    drawn = turns.where(F.col("response").isNotNull()).orderBy(F.xxhash64("turn_id"), "turn_id").limit(N_ANSWERS)
    return [row["response"] for row in drawn.select("response").collect()]


def _with_history(rows: DataFrame, every: DataFrame, heldout: Sequence[str]) -> DataFrame:
    """Evidence with the history of its wording on the days that teach: the held-out ones must not tell how they went."""
    return with_wording(rows, every.where(~F.col("day").isin(*heldout)))


def fit(turns: DataFrame, settings: Settings, folder: Path) -> tuple[DefectModel, dict[str, Any]]:
    """The model of the turns' days, and what it was trained on; writes the encoder into the folder if the model needs it."""
    days = days_of(turns)
    heldout = _heldout_days(days)
    answers = _some_answers(turns)
    if answers:
        save_meaning(folder, settings.train.encoder, answers)
    # The history of wordings counts turns beyond the sample, for which no encoder is needed; kept, because it is read twice.
    every = evidence(turns, settings).persist()
    share = MAX_TURNS / max(every.count(), 1)
    rows = _with_history(evidence(turns, settings, folder, share), every, heldout).toArrow()
    every.unpersist()
    about = {"turns": rows.num_rows, "first_day": days[0], "last_day": days[-1], "heldout_days": list(heldout)}
    model = train(_examples(rows, heldout), settings.defects.swapped_fails)
    if answers and not model.needs_encoder:
        drop_meaning(folder)
    return model, about


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write ``defects.json``, a model card and the encoder if the model needs it; returns what was kept, and scores."""
    parser = job_parser("train_defects", __doc__, "--turns log/turns --days fit --out warehouse/models/defects", days=True)
    parser.add_argument("--turns", type=Path, required=True, help="folder or Parquet file of turns")
    args = parser.parse_args(argv)
    settings = read_settings(args.config)
    turns = read_table(spark_session(), args.turns, TURNS)
    with whole_folder(args.out) as folder:
        model, about = fit(select_days(turns, args.days, settings.evaluate.heldout_share), settings, folder)
        model.save(folder)
        (folder / "card.md").write_text(model_card(model, about), "utf-8")
    mean = model.metrics.get("mean", {})
    print(f"defects: kept {model.kind}; held-out average precision {mean or model.metrics.get('reason', '')}")
    return {"turns": about["turns"], "kept": model.kind, **{f"average_precision_{k}": v for k, v in mean.items()}}


if __name__ == "__main__":
    run_main(main)
