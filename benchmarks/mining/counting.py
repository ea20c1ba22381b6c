"""The counts of `jobs.rephrase_counts` as DuckDB queries: the same rows, for given defects, adjacency and no live rewrites.

One row of `counts` for each kind, source, via and target, with ``a`` and ``b`` as in `rewriter.markov.tally`, and of pairs
the days and the first and last time. States are numbered 1, 2, ... in the table `states`, 0 is none; weights are whole
millionths. The Metaphone keys come from `rewriter.text`, once for each text; all else is SQL.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rewriter.markov.likeness import BASE, CLOSENESS, HASTE_S
from rewriter.markov.support import MAX_HOPS, MIN_SUPPORT, UNDERSTOOD
from rewriter.markov.tally import FORM, OUTCOME, PAIR, SAID, TRANSITION, VOTE
from rewriter.settings import Settings
from rewriter.text import sounds_of

#: Turns as they are logged, their words in normal form, what NLU made of them, and the given chance that they failed.
HEARD = """
CREATE TABLE heard AS
SELECT user_id, session_id, turn_index, turn_id, "at", day, locale, domain, intent, CAST(defect AS DOUBLE) AS defect,
    trim(regexp_replace(regexp_replace(lower(utterance), '[^\\w'' ]+|_', ' ', 'g'), '\\s+', ' ', 'g')) AS text,
    CASE WHEN intent IS NOT NULL THEN concat(coalesce(domain, ''), '|', intent, '|') END AS reading
FROM read_parquet('{turns}/*/*.parquet', hive_partitioning = true)
JOIN (SELECT turn_id, defect FROM read_parquet('{defects}/*/*.parquet')) USING (turn_id)
"""
STATES = """
CREATE TABLE states AS
SELECT row_number() OVER () AS state, locale, text, is_reading, CASE WHEN NOT is_reading THEN sounds(text) END AS sound
FROM (SELECT DISTINCT locale, text, false AS is_reading FROM heard WHERE text <> ''
    UNION ALL SELECT DISTINCT locale, reading, true FROM heard WHERE reading IS NOT NULL AND text <> '')
"""
#: Each turn with its state, its reading (0: none), and the next turn of its session within the gap.
LINKED = """
CREATE TABLE linked AS
SELECT h.user_id, h.session_id, h.turn_index, h.turn_id, h."at", h.day, h.locale, h.domain, h.intent, h.defect,
    w.state, coalesce(r.state, 0) AS reading, lead(w.state) OVER s AS next_state,
    (epoch_us(lead(h."at") OVER s) - epoch_us(h."at")) / 1e6 AS gap_s
FROM heard h JOIN states w ON w.locale = h.locale AND w.text = h.text AND NOT w.is_reading
LEFT JOIN states r ON r.locale = h.locale AND r.text = h.reading AND r.is_reading
WINDOW s AS (PARTITION BY h.user_id, h.session_id ORDER BY h.turn_index, h."at", h.turn_id)
"""
CLOSE = """
CREATE TABLE close AS
SELECT state, next_state, greatest(
    1 - levenshtein(a.text, b.text) / greatest(length(a.text), length(b.text), 1),
    1 - levenshtein(a.sound, b.sound) / greatest(length(a.sound), length(b.sound), 1)) AS close
FROM (SELECT DISTINCT state, next_state FROM linked WHERE gap_s <= {max_gap_s})
JOIN states a USING (state) JOIN states b ON b.state = next_state WHERE a.locale = b.locale
"""
#: Turns with the weight of their rephrase (`to` 0: none), and what each weighs under the two caps of its user.
VISITS = """
CREATE TABLE visits AS
WITH weighed AS (
    SELECT l.*, coalesce(c.next_state, 0) AS "to",
        coalesce(defect / (1 + exp(gap_s / {haste_s} - {base} - {closeness} * close)), 0) AS weight
    FROM linked l LEFT JOIN close c ON c.state = l.state AND c.next_state = l.next_state AND gap_s <= {max_gap_s}
), capped AS (
    SELECT *, least(1, {user_cap} / greatest(sum(CAST(floor((1 - if("to" = state, weight, 0)) * 1e6 + 0.5) AS BIGINT))
        OVER (PARTITION BY user_id, state) / 1e6, 1e-9)) AS of_state
    FROM weighed
)
SELECT *, of_state * least(1, {user_total_cap} / greatest(sum(of_state) OVER (PARTITION BY user_id), 1e-9)) AS scale
FROM capped
"""
#: Ways to other words within the hops, over rephrases of enough weight.
WAYS = """
CREATE TABLE ways AS
WITH chains AS (
    SELECT user_id, session_id, day, "at", state, weight, [{weights}] AS onward, [{ahead}] AS ahead
    FROM visits WINDOW s AS (PARTITION BY user_id, session_id ORDER BY turn_index, "at", turn_id)
), hops AS (
    SELECT *, unnest(ahead) AS later, unnest([{unbroken}]) AS is_reached FROM chains WHERE weight >= {min_support}
)
SELECT user_id, session_id, day, "at", state AS source, weight, later.defect < {understood} AS is_understood,
    if(later.reading > 0, later.reading, later.state) AS target
FROM hops WHERE is_reached AND later.state <> state
"""
_UNITS = "CAST(sum(CAST(floor(({0}) * 1e6 + 0.5) AS BIGINT)) AS BIGINT)"
COUNTS = f"""
CREATE TABLE counts AS
SELECT {TRANSITION} AS kind, state AS source, 0 AS via, "to" AS target, {_UNITS.format("scale * weight")} AS a,
    count(DISTINCT user_id) FILTER (weight >= {MIN_SUPPORT}) AS b, 0 AS days, NULL AS first, NULL AS last
FROM visits WHERE "to" > 0 AND "to" <> state GROUP BY state, "to"
UNION ALL
SELECT {TRANSITION}, state, 1, reading, {_UNITS.format("scale * (1 - weight) * (1 - defect)")}, count(DISTINCT user_id),
    0, NULL, NULL
FROM visits WHERE reading > 0 GROUP BY state, reading
UNION ALL
SELECT {OUTCOME}, state, 0, 0, 0, {_UNITS.format("scale * (1 - weight) * if(reading > 0, defect, 1)")}, 0, NULL, NULL
FROM visits GROUP BY state
UNION ALL
SELECT {OUTCOME}, reading, 0, 0, {_UNITS.format("scale * (1 - weight) * (1 - defect)")}, 0, 0, NULL, NULL
FROM visits WHERE reading > 0 GROUP BY reading
UNION ALL
SELECT {PAIR}, source, 0, target, count(DISTINCT user_id), count(DISTINCT (user_id, session_id)), count(DISTINCT day),
    min("at"), max("at")
FROM ways GROUP BY source, target
UNION ALL
SELECT {SAID}, state, 0, 0, count(*), count(DISTINCT user_id), 0, NULL, NULL FROM visits GROUP BY state
UNION ALL
SELECT {FORM}, state, 0, reading, count(*), count(DISTINCT user_id), 0, NULL, NULL
FROM visits GROUP BY state, reading, domain, intent
"""
VOTES = f"""
INSERT INTO counts
WITH heard_as AS (
    SELECT user_id, source, target, if(is_understood, weight, 0) AS weight, is_understood AS came FROM ways
    UNION ALL
    SELECT user_id, state, reading, 0, true FROM visits WHERE reading > 0 AND defect < {UNDERSTOOD}
), voters AS (
    SELECT *, sum(weight) OVER v AS cast_weight, max(weight) OVER v AS surest
    FROM heard_as WINDOW v AS (PARTITION BY user_id, source)
)
SELECT {VOTE}, source, 0, target, {_UNITS.format("if(cast_weight > 0, surest * weight / cast_weight, 0)")},
    count(DISTINCT user_id) FILTER (came), 0, NULL, NULL
FROM voters GROUP BY source, target
"""
QUERIES = {"heard": HEARD, "states": STATES, "linked": LINKED, "close": CLOSE, "visits": VISITS, "ways": WAYS}
QUERIES |= {"counts": COUNTS, "votes": VOTES}


def queries(turns: Path, defects: Path, settings: Settings) -> dict[str, str]:
    """The queries in their order, filled in."""
    hops = range(1, MAX_HOPS + 1)
    ahead = [f"lead({{'state': state, 'reading': reading, 'defect': defect}}, {k}) OVER s" for k in hops]
    values = {
        "turns": turns,
        "defects": defects,
        "max_gap_s": settings.sessions.max_gap_s,
        "user_cap": settings.mine.user_cap,
        "user_total_cap": settings.mine.user_total_cap,
        "haste_s": HASTE_S,
        "base": BASE,
        "closeness": CLOSENESS,
        "min_support": MIN_SUPPORT,
        "understood": UNDERSTOOD,
        "ahead": ", ".join(ahead),
        "weights": ", ".join(f"coalesce(lead(weight, {k}) OVER s, 0)" for k in range(1, MAX_HOPS)),
        "unbroken": ", ".join(" AND ".join(["true", *(f"onward[{j}] >= {MIN_SUPPORT}" for j in range(1, k))]) for k in hops),
    }
    filled = {}
    for name, query in QUERIES.items():
        for key, value in values.items():
            query = query.replace(f"{{{key}}}", str(value))  # noqa: PLW2901
        filled[name] = query
    return filled


def count_with_duckdb(turns: Path, defects: Path, folder: Path, settings: Settings, memory: str = "10GB") -> dict[str, Any]:
    """Seconds of each query on two threads, and the rows of each kind; the tables stay in ``folder / counts.duckdb``."""
    import duckdb

    database = duckdb.connect(str(folder / "counts.duckdb"))
    database.execute(f"SET threads = 2; SET memory_limit = '{memory}'; SET temp_directory = '{folder / 'spill'}'")
    database.create_function("sounds", lambda text: sounds_of(text).replace(" ", ""), [str], str)
    steps = {}
    for name, query in queries(turns, defects, settings).items():
        begun = time.perf_counter()
        database.execute(query)
        steps[name] = round(time.perf_counter() - begun, 1)
    kinds = database.execute("SELECT kind, count(*) FROM counts GROUP BY kind ORDER BY kind").fetchall()
    database.close()
    return {"version": duckdb.__version__, "seconds": round(sum(steps.values()), 1), "steps": steps, "rows": dict(kinds)}
