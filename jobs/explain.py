"""Show what stands behind a pair: its verdict, the counts on each edge, the strongest ways and example sessions."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.command import Parser, run_main
from jobs.mine_rewrites import counted_tables, of_locale, read_evidence
from jobs.rephrase_counts import visits_of
from jobs.run import RECORD
from jobs.storage import read_arrow
from rewriter.errors import RewriterError
from rewriter.markov.chain import chain_of
from rewriter.markov.counts import Counts
from rewriter.markov.paths import strongest_ways
from rewriter.markov.tables import Counted, counts_of_tables
from rewriter.settings import read_settings
from rewriter.text import normalise
from schemas.tables import REWRITE_PAIRS

_EXAMPLES = 3


def find_pair(pairs: pa.Table, source: str, rewrite: str, locale: str | None) -> dict[str, Any]:
    """The row of the pair, texts in normal form.

    Raises
    ------
    RewriterError
        If the pair was never seen, naming the rewrites that were seen for the source.
    """
    of_source = pairs.filter(pc.equal(pairs.column("source"), source))
    if locale is not None:
        of_source = of_source.filter(pc.equal(of_source.column("locale"), locale))
    rows = of_source.sort_by([("support_users", "descending")]).to_pylist()
    for row in rows:
        if row["rewrite"] == rewrite:
            return dict(row)
    seen = ", ".join(f"'{row['rewrite']}'" for row in rows[:5]) or "none"
    raise RewriterError(f"no user said '{rewrite}' after '{source}'; rewrites seen for it: {seen}")


def edge_lines(counts: Counts, source: int) -> list[str]:
    """Each way out of a state with its weight and share, heaviest first."""
    total = float(counts.total[source])
    edges = [
        (float(w), counts.states[j])
        for i, j, w in zip(counts.source.tolist(), counts.target.tolist(), counts.weight.tolist(), strict=True)
        if i == source
    ]
    edges += [(float(counts.success[source]), "SUCCESS"), (float(counts.failure[source]), "FAILURE")]
    shown = sorted((e for e in edges if e[0] > 0), key=lambda e: (-e[0], e[1]))
    return [f"  {w:10.2f}  {w / total:6.1%}  -> {name}" for w, name in shown[:8]] or ["  no way out"]


def example_lines(visits: DataFrame, turns: DataFrame, source: str, rewrite: str, locale: str) -> list[str]:
    """A few sessions in which the rewrite follows the source, turn by turn with what was answered."""
    sessions = (
        visits.where((F.col("locale") == locale) & (F.col("state") == source) & (F.col("target") == rewrite))
        .select("user_id", F.col("session").alias("session_id"))
        .distinct()
        .orderBy("session_id", "user_id")
        .limit(_EXAMPLES)
    )
    rows = (
        turns.join(sessions, ["user_id", "session_id"])
        .orderBy("session_id", "user_id", "turn_index", "at", "turn_id")
        .select("session_id", "user_id", "at", "utterance", "intent", "response_status", "response")
        .collect()
    )
    lines, before = [], None
    for row in rows:
        if (row["session_id"], row["user_id"]) != before:
            before = row["session_id"], row["user_id"]
            lines.append(f"  session {row['session_id']}")
        read = f"{row['intent'] or 'not understood'}, {row['response_status'] or 'no status'}"
        lines.append(f"    {row['at']:%Y-%m-%d %H:%M:%S}  {row['utterance']!r:<45} ({read}) {row['response'] or ''}")
    return lines or ["  none where one directly follows the other"]


def explain(warehouse: Path, source: str, rewrite: str, locale: str | None) -> str:
    """All that stands behind a pair, as text."""
    record_file = warehouse / RECORD
    if not record_file.exists():
        raise RewriterError(f"{warehouse} is not a run's folder: no {RECORD}")
    record = json.loads(record_file.read_text("utf-8"))
    pair = find_pair(read_arrow(warehouse / "tables/rewrite_pairs", REWRITE_PAIRS), source, rewrite, locale)
    settings = read_settings(record.get("config"))
    tables = warehouse / "tables"
    evidence = read_evidence(
        Path(record["turns"]), tables / "defects", tables / "rephrases", warehouse / "models/rephrase", settings
    )
    visits = visits_of(evidence.turns, evidence.defects, evidence.links, settings.mine).cache()
    counts = counts_of_tables(Counted(**of_locale(counted_tables(visits), pair["locale"])))
    chain = chain_of(counts)
    i, j = counts.states.index(source), counts.states.index(rewrite)
    ways = [f"  {way.probability:8.4f}  {' -> '.join(way.states)} -> SUCCESS" for way in strongest_ways(chain, i, j)]
    lines = [
        f"{source!r} -> {rewrite!r} ({pair['locale']}): {pair['status']}, {pair['reason']}",
        f"  success at once {pair['p_success_source']:.3f} -> {pair['p_success_rewrite']:.3f}, "
        f"lift {pair['lift']:+.3f} (lower bound {pair['lift_lower']:+.3f}), share {pair['share']:.1%}",
        f"  {pair['support_users']} users, {pair['support_sessions']} sessions, {pair['support_days']} days, "
        f"{pair['first_seen']:%Y-%m-%d} to {pair['last_seen']:%Y-%m-%d}; {pair['model_version']}",
        f"ways out of {source!r} (weight, share)",
        *edge_lines(counts, i),
        f"ways out of {rewrite!r}",
        *edge_lines(counts, j),
        "strongest ways to success through the rewrite",
        *(ways or ["  none"]),
        "example sessions",
        *example_lines(visits, evidence.turns, source, rewrite, pair["locale"]),
    ]
    visits.unpersist()
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the explanation of one pair."""
    parser = Parser(
        prog="rewriter explain",
        description=__doc__,
        epilog='example: rewriter explain "play feet it" "play beat it" --warehouse warehouse',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", help="request, as it was heard")
    parser.add_argument("rewrite", help="what it becomes")
    parser.add_argument("--warehouse", type=Path, required=True, help="folder of `rewriter run`")
    parser.add_argument("--locale", help="e.g. en-US (default: where most users said it)")
    args = parser.parse_args(argv)
    print(explain(args.warehouse, normalise(args.source), normalise(args.rewrite), args.locale))


if __name__ == "__main__":
    run_main(main)
