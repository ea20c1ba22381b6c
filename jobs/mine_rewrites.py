"""Mine `request -> rewrite` pairs: rephrase counts in Spark, absorbing Markov chains in `rewriter.markov`.

Without --defects turns are labelled by the rules; without --rephrases every next turn of a session within max_gap_s counts
as a rephrase (adjacency).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.command import job_parser, run_main
from jobs.days import select_days
from jobs.dialogue import with_sessions
from jobs.label_defects import label
from jobs.rephrase_counts import (
    adjacent_links,
    link_support,
    served_outcomes,
    state_counts,
    state_domains,
    transition_counts,
    visits_of,
)
from jobs.rephrase_threshold import rephrase_threshold
from jobs.session import spark_session
from jobs.storage import read_table, write_arrow
from rewriter.decision.candidate import Candidate, Pair
from rewriter.decision.guards import Guards
from rewriter.decision.request import Request
from rewriter.markov.rewrites import Refusal
from rewriter.markov.tables import Counted, mine_locale
from rewriter.settings import Settings, as_dict, read_settings
from schemas.tables import DEFECTS, REPHRASES, REWRITE_PAIRS, TURNS


def rephrase_links(rephrases: DataFrame, threshold: float) -> DataFrame:
    """Detected rephrases from the threshold on: (turn_id, rephrase_turn_id, weight)."""
    found = F.col("rephrase_turn_id").isNotNull() & (F.col("probability") >= threshold)
    return rephrases.where(found).select("turn_id", "rephrase_turn_id", F.col("probability").cast("double").alias("weight"))


@dataclass(frozen=True)
class Evidence:
    """What pairs are mined from: turns with sessions, their defects and the links between them; and by which model."""

    turns: DataFrame
    defects: DataFrame
    links: DataFrame
    model: str


def read_evidence(
    turns: Path, defects: Path | None, rephrases: Path | None, model: Path | None, settings: Settings, days: str = "all"
) -> Evidence:
    """Read the tables; without defects the rules label the turns, without rephrases adjacency links them."""
    spark = spark_session()
    log = select_days(read_table(spark, turns, TURNS), days, settings.evaluate.heldout_share)
    whole = with_sessions(log, settings.sessions.max_gap_s)
    labels = read_table(spark, defects, DEFECTS) if defects else label(whole, settings)
    if rephrases is None:
        return Evidence(whole, labels, adjacent_links(whole, settings.sessions.max_gap_s), "adjacency")
    threshold, version = rephrase_threshold(model, settings)
    return Evidence(whole, labels, rephrase_links(read_table(spark, rephrases, REPHRASES), threshold), version)


def counted_tables(visits: DataFrame) -> dict[str, pa.Table]:
    """The counted tables of `rewriter.markov.tables.Counted`, each with its ``locale``."""
    frames = {
        "transitions": transition_counts(visits),
        "outcomes": state_counts(visits),
        "served": served_outcomes(visits),
        "domains": state_domains(visits),
        "support": link_support(visits),
    }
    return {name: frame.toArrow() for name, frame in frames.items()}


def of_locale(tables: dict[str, pa.Table], locale: str) -> dict[str, pa.Table]:
    """One locale's rows of every counted table, sorted: the same log gives the same order."""
    return {
        name: table.filter(pc.equal(table.column("locale"), locale))
        .drop_columns("locale")
        .sort_by([(column, "ascending") for column in table.column_names[1:3]])
        for name, table in tables.items()
    }


def _guard(guards: Guards, locale: str, readings: dict[str, tuple[str | None, str | None]]) -> Refusal:
    """The run-time guards asked about a pair of texts, with how NLU mostly reads each."""

    def refuse(source: str, rewrite: str) -> str:
        request = Request(utterance=source, locale=locale)
        domain, intent = readings.get(rewrite, (None, None))
        pair = Pair(locale, source, rewrite, 0.0, 0.0, 0.0, 0, domain=domain, intent=intent)
        known_intent = readings.get(source, (None, None))[1]
        return guards.leave_alone(request, known_intent) or guards.refuse(
            request, Candidate(rewrite, ("precomputed",), pair=pair)
        )

    return refuse


def mine_log(evidence: Evidence, settings: Settings) -> tuple[pa.Table, dict[str, Any]]:
    """Judge the pairs of every locale of a log; returns REWRITE_PAIRS rows and counts.

    Counting is distributed; the counted tables, one row a state or transition, are solved on the driver locale by locale.
    """
    recipe = json.dumps([as_dict(settings.mine), evidence.model], sort_keys=True).encode()
    version = f"chain-{hashlib.sha256(recipe).hexdigest()[:12]}"
    visits = visits_of(evidence.turns, evidence.defects, evidence.links, settings.mine).cache()
    tables = counted_tables(visits)
    visits.unpersist()
    guards = Guards(settings.decide)
    pairs, counts = [], {"states": 0, "transitions": tables["transitions"].num_rows, "hubs": 0, "trapped": 0}
    for locale in sorted(tables["outcomes"].column("locale").unique().to_pylist()):
        one = of_locale(tables, locale)
        readings = zip(one["domains"]["domain"].to_pylist(), one["domains"]["intent"].to_pylist(), strict=True)
        refuse = _guard(guards, locale, dict(zip(one["domains"]["state"].to_pylist(), readings, strict=True)))
        found, mined = mine_locale(locale, Counted(**one), settings.mine, refuse, version)
        pairs.append(found)
        counts["states"] += len(mined.chain.states)
        counts["hubs"] += len(mined.hubs)
        counts["trapped"] += len(mined.chain.trapped)
    return pa.concat_tables([REWRITE_PAIRS.schema.empty_table(), *pairs]), counts


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
    pairs, counts = mine_log(evidence, settings)
    write_arrow(pairs, args.out, REWRITE_PAIRS)
    active = pc.sum(pc.equal(pairs.column("status"), "active")).as_py() or 0
    return counts | {"pairs": pairs.num_rows, "active": active}


if __name__ == "__main__":
    run_main(main)
