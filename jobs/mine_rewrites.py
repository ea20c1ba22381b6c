"""Mine `request -> rewrite` pairs: rephrases counted in Spark, absorbing Markov chains solved by `rewriter.markov`.

Without --defects turns are labelled by the rules; without --rephrases every next turn of a session within max_gap_s counts
as a rephrase (adjacency).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jobs.chain_problem import Problem
from jobs.command import job_parser, run_main
from jobs.counted_log import CountedLog, counted_log
from jobs.evidence import Evidence, read_evidence
from jobs.judge_pairs import in_words, judged_pairs, worded_pairs
from jobs.scratch import Scratch, scratch_beside
from jobs.solve_chain import solve_chain
from jobs.storage import write_table
from rewriter.config import as_dict, read_settings
from rewriter.markov.rewrites import verdicts
from rewriter.settings import Settings
from schemas.tables import REWRITE_PAIRS

#: Pairs in one file of the output.
FILE_PAIRS = 1_000_000
#: Sections of the settings that decide on a pair: its ``model_version`` names them all.
RECIPE = ("sessions", "defects", "mine", "decide")
#: State tables up to so many rows are sent to every executor (a few hundred MB), so that the pairs need not move.
NEAR_STATES = 3_000_000


def candidates_of(worded: pa.Table) -> pa.Table:
    """(source, rewrite, place) of the pairs that no guard refused, each source's preferred rewrite first.

    Parameters
    ----------
    worded : table
        As `jobs.judge_pairs.worded_pairs` returns it.
    """
    allowed = worded.filter(pc.equal(worded.column("refusal"), ""))
    order = [("source", "ascending"), ("p", "descending"), ("users", "descending"), ("text", "ascending")]
    placed = allowed.sort_by(order).select(["source", "rewrite"])
    return placed.append_column("place", pa.array(np.arange(placed.num_rows, dtype=np.int64)))


def decisions_of(worded: pa.Table, solved: pa.Table, min_lift: float) -> pa.Table:
    """(source, rewrite, form_text, form_p, form_p_low, share, certified, status, verdict) of pairs that numbers allowed."""
    told = ["form", "p", "p_low", "source_p", "source_high", "p_live"]
    keys = ["source", "rewrite"]
    # Both hold each allowed pair once, so sorted alike their rows belong together.
    order = [(key, "ascending") for key in keys]
    worded, solved = worded.sort_by(order), solved.sort_by(order)
    is_allowed = pc.equal(worded.column("refusal"), "")
    allowed, refused = worded.filter(is_allowed), worded.filter(pc.invert(is_allowed))
    for name in told:
        solved = solved.append_column(name, allowed.column(name))
    judged = verdicts(solved, min_lift)
    n, words = refused.num_rows, ["text", "p", "p_low"]
    known = {
        "share": pa.concat_arrays([judged.column("share").combine_chunks(), pa.array(np.zeros(n))]),
        "certified": pa.concat_arrays([judged.column("certified").combine_chunks(), pa.array(np.zeros(n, bool))]),
        "status": pa.array([*judged.column("status").to_pylist(), *["rejected"] * n], pa.string()),
        "verdict": pa.array([*judged.column("reason").to_pylist(), *refused.column("refusal").to_pylist()], pa.string()),
    }
    found = pa.concat_tables([allowed.select(keys + words), refused.select(keys + words)])
    found = found.rename_columns([*keys, "form_text", "form_p", "form_p_low"])
    for name, column in known.items():
        found = found.append_column(name, column)
    return found


def near(states: DataFrame, n_states: int) -> DataFrame:
    """A table of states that a join sends to the pairs while it is small, and shuffles beyond."""
    return F.broadcast(states) if n_states <= NEAR_STATES else states


def pairs_table(judged: DataFrame, decisions: pa.Table, log: CountedLog, model_version: str) -> DataFrame:
    """The rows of `rewrite_pairs`: pairs rejected by their numbers, and the decisions on all others.

    A rewrite that is a reading is shown by the wording that would be served, else by the one most said.
    """
    names = near(log.names, log.counts["states"])
    preferred = log.forms.select(F.col("state").alias("rewrite"), F.col("forms")[0]["text"].alias("preferred"))
    decided = F.broadcast(judged.sparkSession.createDataFrame(decisions))
    pairs = in_words(judged.join(decided, ["source", "rewrite"], "left").join(preferred, "rewrite", "left"), names)
    text, p = F.coalesce("form_text", "preferred", "rewrite_text"), F.coalesce("form_p", "rewrite_p")
    lift, p_low = p - F.col("source_p"), F.coalesce("form_p_low", "rewrite_low")
    columns = {
        "locale": F.col("locale"),
        "source": F.col("source_text"),
        "rewrite": text,
        "p_success_source": F.col("source_p"),
        "p_success_rewrite": p,
        "lift": lift,
        "lift_lower": lift - F.hypot(p - p_low, F.col("source_high") - F.col("source_p")),
        "share": F.coalesce("share", F.lit(0.0)),
        "support_users": F.col("users"),
        "support_sessions": F.col("sessions"),
        "support_days": F.col("days"),
        "certified": F.coalesce("certified", F.lit(False)),
        "status": F.coalesce("status", F.lit("rejected")),
        "reason": F.coalesce("verdict", "reason"),
        "model_version": F.lit(model_version),
        "first_seen": F.timestamp_micros("first_seen"),
        "last_seen": F.timestamp_micros("last_seen"),
        "domain": F.col("rewrite_domain"),
        "intent": F.col("rewrite_intent"),
    }
    shown = (columns.get(name, F.col(name)).alias(name) for name in REWRITE_PAIRS.schema.names)
    rows = pairs.select(*shown, F.col("rewrite").alias("state"))
    # Two readings may be said mostly in the same words: the better supported one speaks for them.
    best = Window.partitionBy("locale", "source", "rewrite").orderBy("status", F.desc("support_users"), "reason", "state")
    other = F.col("source") != F.col("rewrite")
    return rows.where(other).withColumn("place", F.row_number().over(best)).where("place = 1").drop("place", "state")


def mine_log(evidence: Evidence, settings: Settings, scratch: Scratch) -> tuple[DataFrame, dict[str, int]]:
    """Judge the pairs of every locale of a log; returns REWRITE_PAIRS rows and counts."""
    recipe = json.dumps([as_dict(getattr(settings, s)) for s in RECIPE] + [evidence.model], sort_keys=True).encode()
    version = f"chain-{hashlib.sha256(recipe).hexdigest()[:12]}"
    log = counted_log(evidence, settings, scratch)
    judged = scratch.keep(judged_pairs(log, partial(near, n_states=log.counts["states"]), settings.mine))
    worded = worded_pairs(judged, log, settings.decide).toArrow()
    solution = solve_chain(Problem(log.edges, log.ends, candidates_of(worded)), settings.mine, scratch)
    decisions = decisions_of(worded, solution.solved, settings.mine.min_lift)
    pairs = scratch.keep(pairs_table(judged, decisions, log, version))
    solved = {"trapped": solution.trapped, "components": solution.components}
    counts = log.counts | solved | {"pairs": pairs.count(), "active": pairs.where("status = 'active'").count()}
    # Rows fall into files by their texts and lie sorted by them: the same log gives the same files.
    n_files = 1 + counts["pairs"] // FILE_PAIRS
    return pairs.repartition(n_files, "source", "rewrite").sortWithinPartitions("locale", "source", "rewrite"), counts


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Read turns (and defects, rephrases), write the rewrite_pairs table."""
    example = "--turns turns --defects defects --rephrases rephrases --out pairs"
    parser = job_parser("mine_rewrites", __doc__, example, days=True)
    parser.add_argument("--turns", type=Path, required=True, help="turns table: a folder or one Parquet file")
    parser.add_argument("--defects", type=Path, help="defects table (default: the rules)")
    parser.add_argument("--rephrases", type=Path, help="rephrases table (default: adjacency)")
    parser.add_argument("--rephrase-model", type=Path, help="folder with the model's decision.json, for its threshold")
    args = parser.parse_args(argv)
    settings = read_settings(args.config)
    evidence = read_evidence(args.turns, args.defects, args.rephrases, args.rephrase_model, settings, args.days)
    with scratch_beside(args.out) as scratch:
        pairs, counts = mine_log(evidence, settings, scratch)
        write_table(pairs, args.out, REWRITE_PAIRS, files=1 + counts["pairs"] // FILE_PAIRS)
    return dict(counts)


if __name__ == "__main__":
    run_main(main)
