"""The counts of `jobs.rephrase_counts` as DuckDB queries, for adjacency and defects by status alone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

#: Turns with words in normal form, their next turn within the gap, and what each visit weighs under the cap of a user.
VISITS = """
CREATE TABLE visits AS
WITH heard AS (
    SELECT user_id, session_id, turn_index, "at", day, locale,
        trim(regexp_replace(regexp_replace(lower(utterance), '[^\\w'' ]+|_', ' ', 'g'), '\\s+', ' ', 'g')) AS state,
        CASE WHEN response_status = 'ok' THEN 0.1 ELSE 0.8 END AS defect
    FROM read_parquet('{turns}/*/*.parquet', hive_partitioning = true)
), linked AS (
    SELECT *,
        lead(state) OVER s AS next_state, lead(state, 2) OVER s AS next_2, lead(state, 3) OVER s AS next_3,
        lead(state, 4) OVER s AS next_4,
        epoch_us(lead("at") OVER s) - epoch_us("at") <= 45000000 AS near
    FROM heard WHERE state <> ''
    WINDOW s AS (PARTITION BY user_id, session_id ORDER BY turn_index, "at")
)
SELECT *, least(1.0, 3.0 / greatest(sum(CASE WHEN near AND next_state = state THEN 0 ELSE 1 END)
    OVER (PARTITION BY locale, user_id, state), 1e-9)) AS scale
FROM linked
"""
TRANSITIONS = """
CREATE TABLE transitions AS
SELECT locale, state AS source, next_state AS target, sum(CAST(round(scale * 1e6) AS BIGINT)) / 1e6 AS weight
FROM visits WHERE near AND next_state <> state GROUP BY ALL
"""
OUTCOMES = """
CREATE TABLE outcomes AS
SELECT locale, state, sum(CAST(round(scale * (1 - defect) * 1e6) AS BIGINT)) / 1e6 AS success,
    sum(CAST(round(scale * defect * 1e6) AS BIGINT)) / 1e6 AS failure
FROM visits WHERE near IS NOT TRUE GROUP BY ALL
"""
SUPPORT = """
CREATE TABLE support AS
WITH pairs AS (
    SELECT locale, user_id, session_id, day, "at", state AS source,
        unnest([next_state, next_2, next_3, next_4]) AS rewrite
    FROM visits WHERE near
)
SELECT locale, source, rewrite, count(DISTINCT user_id) AS users, count(DISTINCT (user_id, session_id)) AS sessions,
    count(DISTINCT day) AS days, min("at") AS first_seen, max("at") AS last_seen
FROM pairs WHERE rewrite IS NOT NULL AND rewrite <> source GROUP BY locale, source, rewrite
"""


def count_with_duckdb(turns: Path, folder: Path, memory: str = "10GB") -> dict[str, Any]:
    """Seconds of each query on two threads, and the rows each table got."""
    import duckdb

    database = duckdb.connect(str(folder / "counts.duckdb"))
    database.execute(f"SET threads = 2; SET memory_limit = '{memory}'; SET temp_directory = '{folder / 'spill'}'")
    steps, start = {}, time.perf_counter()
    queries = {"visits": VISITS, "transitions": TRANSITIONS, "outcomes": OUTCOMES, "support": SUPPORT}
    for name, query in queries.items():
        begun = time.perf_counter()
        database.execute(query.replace("{turns}", str(turns)))
        steps[name] = round(time.perf_counter() - begun, 1)
    seconds = round(time.perf_counter() - start, 1)
    rows = {name: database.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in queries}
    database.close()
    return {"version": duckdb.__version__, "seconds": seconds, "steps": steps, "rows": rows}
