"""The evidence behind each ordered pair of states, judged by numbers in Arrow batches, and by words where those allow it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from jobs.counted_log import CountedLog
from jobs.forms import USUAL
from jobs.rephrase_counts import Batches
from rewriter.decision.candidate import Candidate, Pair
from rewriter.decision.guards import Guards
from rewriter.decision.request import Request
from rewriter.markov.evidence import judge
from rewriter.settings import Decide, Mine
from rewriter.text import similarity, sound_similarity, token_similarity

#: Columns of a judged pair, its states by number.
JUDGED = (
    "source long, rewrite long, users long, sessions long, days long, first_seen long, last_seen long, source_p double, "
    "source_high double, rewrite_p double, rewrite_low double, lift double, lift_lower double, p_live double, reason string"
)
#: Columns of a pair that the numbers allow: the wording that would be served, and what the guards say to it.
WORDED = pa.schema(
    [
        *((name, pa.int64()) for name in ("source", "rewrite", "form")),
        ("text", pa.string()),
        *((name, pa.float64()) for name in ("p", "p_low", "source_p", "source_high", "p_live")),
        ("users", pa.int64()),
        ("refusal", pa.string()),
    ]
)


#: How alike, in wording or sound, a rewrite must be that nobody said after the source.
MIN_ALIKE = 0.5
UNLIKE = "few say it so, and it is not alike"


def _names(columns: str) -> list[str]:
    return [column.split()[0] for column in columns.split(", ")]


@dataclass(frozen=True)
class Reading:
    """One side of a pair in words: its text, and how NLU mostly read it."""

    text: str
    domain: str | None
    intent: str | None


def refusal(guards: Guards, locale: str, source: Reading, rewrite: Reading) -> str:
    """Why the run-time guards would refuse this pair of texts, or an empty string."""
    request = Request(utterance=source.text, locale=locale)
    pair = Pair(locale, source.text, rewrite.text, 0.0, 0.0, 0.0, 0, domain=rewrite.domain, intent=rewrite.intent)
    candidate = Candidate(rewrite.text, ("precomputed",), pair=pair)
    return guards.leave_alone(request, source.intent) or guards.refuse(request, candidate)


def alike(a: str, b: str) -> float:
    """How alike two wordings are, by letters, sound or shared words, in 0..1."""
    return max(similarity(a, b), sound_similarity(a, b), token_similarity(a, b))


def _side(states: DataFrame, side: str, *columns: str) -> DataFrame:
    return states.select(F.col("state").alias(side), *(F.col(c).alias(f"{side}_{c.removeprefix('p_')}") for c in columns))


def _by_numbers(settings: Mine) -> Callable[[Batches], Batches]:
    def worker(batches: Batches) -> Batches:
        for batch in batches:
            yield from judge(pa.Table.from_batches([batch]), settings).select(_names(JUDGED)).combine_chunks().to_batches()

    return worker


def judged_pairs(log: CountedLog, near: Callable[[DataFrame], DataFrame], settings: Mine) -> DataFrame:
    """Rows of `JUDGED`: ``reason`` is empty where the numbers allow the pair.

    Parameters
    ----------
    near : callable
        What a join does with a table of states: sends it to the pairs, or not.
    """
    target = log.states.select("state", "p", "p_low", "is_hub", F.lit(True).alias("is_said")).union(
        log.forms.select("state", "p", "p_low", F.lit(False), F.lit(True))
    )
    pairs = log.support.join(near(_side(log.states, "source", "p", "p_high", "is_hub")), "source")
    pairs = pairs.join(near(_side(target, "rewrite", "p", "p_low", "is_hub", "is_said")), "rewrite", "left")
    pairs = pairs.withColumnRenamed("rewrite_is_said", "is_said").join(log.votes, ["source", "rewrite"], "left")
    understood = log.usual.where(F.col("share") >= USUAL).withColumn("is_understood", F.lit(True))
    read_so = understood.selectExpr("state as source", "reading as rewrite", "is_understood")
    pairs = pairs.join(near(read_so), ["source", "rewrite"], "left")
    if log.live is None:
        pairs = pairs.withColumns({"loses_live": F.lit(False), "p_live": F.lit(float("nan"))})
    else:
        pairs = pairs.join(F.broadcast(log.live), ["source", "rewrite"], "left")
    unknown = float("nan")
    pairs = pairs.fillna({"rewrite_p": 0.0, "rewrite_low": 0.0, "vote": unknown, "came": unknown, "p_live": unknown})
    pairs = pairs.fillna(False, ["rewrite_is_hub", "is_said", "loses_live", "is_understood"])
    return pairs.mapInArrow(_by_numbers(settings), JUDGED)


def in_words(pairs: DataFrame, names: DataFrame) -> DataFrame:
    """The pairs with ``locale``, and text, domain and intent of both sides (``source_text``, ...)."""
    words = ("text", "domain", "intent")
    named = pairs.join(_side(names, "source", "locale", *words), "source").join(_side(names, "rewrite", *words), "rewrite")
    return named.withColumnRenamed("source_locale", "locale")


def _worded(guards: Guards, row: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The first form of the rewrite that may stand for the source, or the first of all with its refusal."""
    own = {"form": row["rewrite"], "text": row["rewrite_text"], "p": row["rewrite_p"], "p_low": row["rewrite_low"]}
    forms = [form for form in row["forms"] or [own] if form["text"] != row["source_text"]]
    followed = set(row["followed"] or ())
    source = Reading(row["source_text"], row["source_domain"], row["source_intent"])
    refusals = []
    for form in forms:
        rewrite = Reading(form["text"], row["rewrite_domain"], row["rewrite_intent"])
        is_known = form["form"] in followed or alike(source.text, rewrite.text) >= MIN_ALIKE
        refusals.append(refusal(guards, row["locale"], source, rewrite) if is_known else UNLIKE)
        if not refusals[-1]:
            return form, ""
    return (forms[0], refusals[0]) if forms else (own, "no other wording of it is known to succeed")


def _by_words(decide: Decide) -> Callable[[Batches], Batches]:
    def worker(batches: Batches) -> Batches:
        guards, kept = Guards(decide), ("source", "rewrite", "source_p", "source_high", "p_live", "users")
        for batch in batches:
            rows = []
            for row in batch.to_pylist():
                form, refused = _worded(guards, row)
                rows.append({name: row[name] for name in kept} | form | {"refusal": refused})
            yield pa.RecordBatch.from_pylist(rows, WORDED)

    return worker


def worded_pairs(judged: DataFrame, log: CountedLog, decide: Decide) -> DataFrame:
    """Rows of `WORDED`: the pairs that the numbers allow, in the wording that would be served."""
    allowed = judged.where(F.col("reason") == "")
    sides = allowed.select("source").union(allowed.select("rewrite")).distinct().withColumnRenamed("source", "state")
    few = F.broadcast(log.names.join(F.broadcast(sides), "state", "left_semi"))
    # What users really said next: a reading may be a catch-all, whose best known wording has nothing to do with the source.
    named = F.broadcast(allowed.select("source").distinct())
    next_words = log.said_next.join(named, "source", "left_semi")
    followed = F.broadcast(next_words.groupBy("source").agg(F.collect_set("target").alias("followed")))
    forms = F.broadcast(log.forms.join(F.broadcast(sides), "state", "left_semi")).select(
        F.col("state").alias("rewrite"), "forms"
    )
    return in_words(allowed.join(forms, "rewrite", "left").join(followed, "source", "left"), few).mapInArrow(
        _by_words(decide), from_arrow_schema(WORDED)
    )
