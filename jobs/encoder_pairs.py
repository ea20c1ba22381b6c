"""Pairs to train and to test the bi-encoder on, counted from the log."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.columns import normal_form
from jobs.entries import READING
from jobs.turns import is_served
from rewriter.retrieval.pairs import Known, Pair, consistent, meanings_of, wordings

_LIMIT = 20000  # most frequent pairs of a kind brought to the driver
_ALTERNATIVES = 4  # of the recogniser, after its best
_HELD_OUT = 0.1  # of the days that teach, the last ones, at least one


@dataclass(frozen=True)
class Examples:
    """Pairs to learn from and requests known to succeed, of the earlier days; pairs of the last days to test on."""

    train: list[Pair]
    test: list[Pair]
    corpus: list[Known]


def meaning() -> Column:
    """The interpretation as one string; empty where NLU understood no intent, ending in ``|`` where it has no slots."""
    slots = F.transform("slots", lambda s: F.concat_ws("=", s["key"], s["value"]))
    named = F.concat_ws("|", F.coalesce("domain", F.lit("")), "intent", F.concat_ws("|", slots))
    return F.when(F.col("intent").isNotNull(), named).otherwise("")


def rephrase_pairs(said: DataFrame, rephrases: DataFrame, threshold: float) -> DataFrame:
    """A failed request and its rephrase that succeeded: query, target, meaning, day of the failure."""
    links = rephrases.where((F.col("probability") >= threshold) & F.col("rephrase_turn_id").isNotNull())
    failed = said.where("defective").select("turn_id", F.col("utterance").alias("query"), "day")
    worked = said.where("success").select(
        F.col("turn_id").alias("rephrase_turn_id"), F.col("utterance").alias("target"), meaning().alias("meaning")
    )
    return links.select("turn_id", "rephrase_turn_id").join(failed, "turn_id").join(worked, "rephrase_turn_id")


def alternative_pairs(said: DataFrame, turns: DataFrame) -> DataFrame:
    """What the recogniser also considered, and what it heard when the request succeeded."""
    heard = turns.where(~is_served())
    others = F.slice(F.transform("asr_nbest", lambda a: a["text"]), 2, _ALTERNATIVES)
    texts = heard.select("turn_id", F.explode(others).alias("text")).select("turn_id", normal_form("text").alias("query"))
    worked = said.where("success").select("turn_id", "day", F.col("utterance").alias("target"), meaning().alias("meaning"))
    return texts.join(worked, "turn_id").where((F.col("query") != F.col("target")) & (F.length("query") > 0))


def known_requests(said: DataFrame, limit: int) -> DataFrame:
    """The ``limit`` requests that succeed most often, each with its most frequent meaning."""
    readings = said.where("success").select("utterance", meaning().alias("meaning")).groupBy("utterance", "meaning").count()
    return (
        readings.groupBy("utterance")
        .agg(F.sum("count").alias("n"), F.max(F.struct("count", "meaning")).getField("meaning").alias("meaning"))
        .orderBy(F.desc("n"), "utterance")
        .limit(limit)
    )


def last_days(days: Sequence[str]) -> list[str]:
    """The last tenth of the days, at least one, none of a single day.

    >>> last_days(["d3", "d1", "d2"]), last_days(["d1"])
    (['d3'], [])
    """
    ordered = sorted(set(days))
    n = max(1, math.ceil(_HELD_OUT * len(ordered)))
    return ordered[-n:] if len(ordered) > 1 else []


def _of_kind(links: DataFrame, kind: str) -> DataFrame:
    return links.select(F.lit(kind).alias("kind"), "query", "target", "meaning", "day")


def _pairs(links: DataFrame) -> list[Pair]:
    counted = links.groupBy("kind", "query", "target", "meaning").agg(F.count("*").alias("n"))
    most = Window.partitionBy("kind").orderBy(F.desc("n"), "query", "target", "meaning")
    chosen = counted.withColumn("rank", F.row_number().over(most)).where(F.col("rank") <= _LIMIT)
    rows = chosen.orderBy(F.desc("kind"), "rank").collect()
    return [Pair(r["query"], r["target"], r["meaning"], r["kind"], r["n"]) for r in rows]


def examples(
    turns: DataFrame, said: DataFrame, rephrases: DataFrame | None, threshold: float, corpus_limit: int
) -> Examples:
    """Everything the encoder learns from and is tested on; ``said`` are the `requests` of ``turns``, with their day."""
    said = said.select("turn_id", "day", "utterance", *READING, "success", "defective").persist()
    held = last_days([row[0] for row in said.select("day").distinct().collect()])
    early = said.where(~F.col("day").isin(held)) if held else said
    corpus = [Known(r["utterance"], r["meaning"], r["n"]) for r in known_requests(early, corpus_limit).collect()]
    is_held = F.col("day").isin(held) if held else F.lit(False)
    links = _of_kind(alternative_pairs(said, turns), "alternative")
    if rephrases is not None:
        links = _of_kind(rephrase_pairs(said, rephrases, threshold), "rephrase").unionByName(links)
    train, test = _pairs(links.where(~is_held)), _pairs(links.where(is_held))
    said.unpersist()
    meanings = meanings_of(corpus)
    # Slots pin a meaning down; without them two wordings of an intent may be two requests.
    specific = [one for one in corpus if not one.meaning.endswith("|")]
    return Examples(train=consistent(train, meanings) + wordings(specific), test=consistent(test, meanings), corpus=corpus)
