"""Show what stands behind a pair: its verdict, the counts on each edge, the strongest ways and example sessions."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from jobs.columns import normal_form
from jobs.command import Parser, run_main
from jobs.counted_log import counted_log
from jobs.evidence import Evidence, read_evidence
from jobs.neighbourhood import Neighbourhood, neighbourhood
from jobs.rephrase_counts import counting_of, user_turns
from jobs.run import RECORD, SETTINGS
from jobs.scratch import scratch_beside
from jobs.storage import read_arrow
from rewriter.config import read_settings
from rewriter.errors import RewriterError
from rewriter.markov.paths import strongest_ways
from rewriter.markov.states import state_number
from rewriter.settings import Mine, Settings
from rewriter.text import normalise
from schemas.tables import REWRITE_PAIRS

_EXAMPLES = 3
#: Users who said both texts, among whom example sessions are looked for.
_EXAMPLE_USERS = 200


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


def edge_lines(around: Neighbourhood, state: int) -> list[str]:
    """Each way out of a side of the pair with its weight and share, heaviest first."""
    counts, total = around.counts, float(around.total[state])
    own = counts.source == state
    edges = [
        (weight, around.texts[j] + (" (hub: cut out of the chain)" if around.is_hub[[state, j]].any() else ""))
        for j, weight in zip(counts.target[own].tolist(), counts.weight[own].tolist(), strict=True)
    ]
    edges += [(float(counts.success[state]), "SUCCESS"), (float(counts.failure[state]), "FAILURE")]
    shown = sorted((e for e in edges if e[0] > 0), key=lambda e: (-e[0], e[1]))
    return [f"  {w:10.2f}  {w / total:6.1%}  -> {name}" for w, name in shown[:8]] or ["  no way out"]


def verdict_lines(pair: dict[str, Any], pairs: pa.Table, settings: Mine) -> list[str]:
    """What was decided on the pair, by which numbers and against which thresholds."""
    lines = [
        f"{pair['source']!r} -> {pair['rewrite']!r} ({pair['locale']}): {pair['status']}, {pair['reason']}",
        f"  success at once {pair['p_success_source']:.3f} -> {pair['p_success_rewrite']:.3f}, "
        f"lift {pair['lift']:+.3f} (lower bound {pair['lift_lower']:+.3f}), share {pair['share']:.1%}",
        f"  {pair['support_users']} users, {pair['support_sessions']} sessions, {pair['support_days']} days, "
        f"{pair['first_seen']:%Y-%m-%d} to {pair['last_seen']:%Y-%m-%d}; {pair['model_version']}",
        f"  needed: {settings.min_users} users, {settings.min_sessions} sessions, {settings.min_days} days, a source that "
        f"succeeds at most {settings.max_source_success:.0%}, a lower bound above {settings.min_lift:+.3f}",
    ]
    same = pc.and_(pc.equal(pairs.column("source"), pair["source"]), pc.equal(pairs.column("locale"), pair["locale"]))
    for other in pairs.filter(pc.and_(same, pc.equal(pairs.column("status"), "active"))).to_pylist():
        if other["rewrite"] != pair["rewrite"]:
            lines.append(f"  rewritten instead to {other['rewrite']!r}, share {other['share']:.1%}")
    return lines


def example_lines(evidence: Evidence, settings: Settings, source: str, rewrite: str, locale: str) -> list[str]:
    """A few sessions in which the rewrite directly follows the source, turn by turn with what was answered."""
    turns = evidence.turns
    said = turns.where(F.col("locale") == locale).select("user_id", normal_form("utterance").alias("text"))
    both = said.where(F.col("text").isin(source, rewrite)).distinct().groupBy("user_id").count().where("count = 2")
    users = F.broadcast(both.orderBy("user_id").limit(_EXAMPLE_USERS).select("user_id"))
    theirs = replace(evidence, turns=turns.join(users, "user_id", "left_semi"))
    counting = counting_of(evidence, settings)
    visits = counting.visits(user_turns(theirs, counting).toArrow())
    numbers = visits.states.number
    direct = (visits.to >= 0) & (numbers[visits.state] == state_number(locale, source))
    direct &= numbers[visits.to] == state_number(locale, rewrite)
    found = visits.turns.filter(pa.array(direct)).select(["user_id", "session_id"]).to_pylist()
    sessions = sorted({(row["session_id"], row["user_id"]) for row in found})[:_EXAMPLES]
    lines = []
    for session, user in sessions:
        lines.append(f"  session {session}")
        own = turns.where((F.col("user_id") == user) & (F.col("session_id") == session))
        rows = own.orderBy("turn_index", "at", "turn_id").select("at", "utterance", "intent", "response_status", "response")
        for row in rows.collect():
            read = f"{row['intent'] or 'not understood'}, {row['response_status'] or 'no status'}"
            lines.append(f"    {row['at']:%Y-%m-%d %H:%M:%S}  {row['utterance']!r:<45} ({read}) {row['response'] or ''}")
    return lines or ["  none where one directly follows the other"]


def explain(warehouse: Path, source: str, rewrite: str, locale: str | None) -> str:
    """All that stands behind a pair, as text. The log is counted again, and solved only around the pair."""
    record_file = warehouse / RECORD
    if not record_file.exists():
        raise RewriterError(f"{warehouse} is not a run's folder: no {RECORD}")
    try:
        record = json.loads(record_file.read_text("utf-8"))
    except ValueError as error:
        raise RewriterError(f"{record_file} is damaged ({error})") from error
    pairs = read_arrow(warehouse / "tables/rewrite_pairs", REWRITE_PAIRS)
    pair = find_pair(pairs, source, rewrite, locale)
    kept = warehouse / SETTINGS  # runs of before kept the name of their file alone
    settings = read_settings(kept if kept.exists() else record.get("config"))
    tables, locale = warehouse / "tables", str(pair["locale"])
    evidence = read_evidence(
        Path(record["turns"]), tables / "defects", tables / "rephrases", warehouse / "models/rephrase", settings
    )
    print("counting the log again around the pair", file=sys.stderr, flush=True)
    with scratch_beside(warehouse / "explain") as scratch:
        log = counted_log(evidence, settings, scratch)
        around = neighbourhood(log, state_number(locale, source), state_number(locale, rewrite))
    ways = [
        f"  {way.probability:8.4f}  {' -> '.join(around.texts[s] for s in way.states)} -> SUCCESS"
        for way in strongest_ways(around.chain, around.source, around.rewrite, longest=3)
    ]
    lines = [
        *verdict_lines(pair, pairs, settings.mine),
        f"ways out of {source!r} (weight, share)",
        *edge_lines(around, around.source),
        f"ways out of {rewrite!r}",
        *edge_lines(around, around.form),
        "strongest ways to success through the rewrite",
        *(ways or ["  none"]),
        "example sessions",
        *example_lines(evidence, settings, source, rewrite, locale),
    ]
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
