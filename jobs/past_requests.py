"""Past requests of a log as the run-time service would have met them, each with how it went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.columns import normal_form
from jobs.dialogue import with_sessions
from jobs.entries import served
from jobs.session import spark_session
from jobs.storage import read_table
from jobs.turns import in_session, is_served
from rewriter.decision.request import Alternative, Interpretation, PreviousTurn, Request
from rewriter.evaluation.proxy import interpretation_key
from rewriter.ranking.labels import Past
from rewriter.settings import Settings
from rewriter.text import normalise
from schemas.tables import DEFECTS, REPHRASES, TURNS

#: Longest chain of rephrases that is followed to a success.
MAX_HOPS = 3
_KEPT = (
    *("turn_id", "user_id", "day", "locale", "at", "device", "utterance", "asr_confidence", "asr_nbest"),
    *("domain", "intent", "slots", "nlu_confidence", "context"),
)
_BEFORE = ("turn_id", "at", "utterance", "response", "response_status", "barge_in", "intent")
_LATER = ("utterance", "domain", "intent", "slots")


@dataclass(frozen=True)
class Log:
    """The tables that say how past requests went."""

    turns: Path
    defects: Path
    rephrases: Path
    min_probability: float


def _links(rephrases: DataFrame, min_probability: float) -> DataFrame:
    found = F.col("rephrase_turn_id").isNotNull() & (F.col("probability") >= min_probability)
    return rephrases.where(found).select("turn_id", F.col("rephrase_turn_id").alias("target"), "probability")


def resolutions(links: DataFrame, defects: DataFrame) -> DataFrame:
    """(turn_id, resolved_by, p_later): each defective turn's first successful rephrase, at most `MAX_HOPS` rephrases later.

    ``p_later`` is the product of the probabilities of the rephrases on the way.
    """
    failed = defects.select(F.col("turn_id").alias("target"), F.col("defective").alias("target_failed"))
    step = links.join(failed, "target")
    reach = step.join(defects.where("defective").select("turn_id"), "turn_id")
    onward = step.select(
        F.col("turn_id").alias("target"),
        F.col("target").alias("next"),
        F.col("target_failed").alias("next_failed"),
        F.col("probability").alias("next_probability"),
    )
    found = ("turn_id", F.col("target").alias("resolved_by"), F.col("probability").alias("p_later"))
    resolved = reach.where(~F.col("target_failed")).select(*found)
    for _ in range(MAX_HOPS - 1):
        reach = (
            reach.where("target_failed")
            .join(onward, "target")
            .select(
                "turn_id",
                F.col("next").alias("target"),
                F.col("next_failed").alias("target_failed"),
                (F.col("probability") * F.col("next_probability")).alias("probability"),
            )
        )
        resolved = resolved.unionByName(reach.where(~F.col("target_failed")).select(*found))
    return resolved


def _previous() -> Column:
    return F.lag(F.struct(*_BEFORE)).over(in_session())


def success_limit(defects: DataFrame, sure_success: float) -> float:
    """Defect probability up to which a turn surely succeeded.

    It is ``sure_success``, or more where labels are so coarse that over a fifth of the turns that are not defective would
    be left out: a log must not lose the turns that can show a loss.
    """
    most = defects.where(~F.col("defective")).agg(F.percentile("defect", F.lit(0.8))).first()
    return max(sure_success, float(most[0])) if most and most[0] is not None else sure_success


def past_requests(log: Log, settings: Settings) -> DataFrame:
    """One row a turn that was not rewritten: its request, the turn before it, how it went and what resolved it.

    The column ``later`` is null unless the turn failed and a rephrase of it succeeded.
    """
    spark = spark_session()
    turns = read_table(spark, log.turns, TURNS)
    judged = read_table(spark, log.defects, DEFECTS)
    # Defects are floats: a limit read from them must not fall below itself in the comparison.
    surely = F.col("defect") <= success_limit(judged, settings.evaluate.sure_success) + 1e-6
    defects = judged.select("turn_id", "defective", (~F.col("defective") & surely).alias("succeeded"))
    links = _links(read_table(spark, log.rephrases, REPHRASES).drop("day"), log.min_probability)
    later = turns.select(
        F.col("turn_id").alias("resolved_by"),
        F.struct(*_LATER, normal_form(served()).alias("text")).alias("later"),
    )
    return (
        with_sessions(turns, settings.sessions.max_gap_s)
        .withColumn("previous", _previous())
        .where(~is_served())
        .select(*_KEPT, "previous")
        .join(defects, "turn_id")
        .join(resolutions(links, defects).join(later, "resolved_by").drop("resolved_by"), "turn_id", "left")
    )


def sampled(requests: DataFrame, n: int) -> DataFrame:
    """At most ``n`` rows, chosen by the hash of ``turn_id``: the same ones every time, whatever the partitions."""
    return requests.orderBy(F.xxhash64("turn_id"), "turn_id").limit(n)


def is_bare(turn_id: str) -> bool:
    """Whether this past request is judged without NLU's interpretation, as callers without a first look send it.

    Half of them are, so that ranker and thresholds hold for both kinds of caller.
    """
    return sum(turn_id.encode("utf-8", "surrogatepass")) % 2 == 1


def request_of(row: Mapping[str, Any]) -> Request:
    """The request of a row of `past_requests`."""
    before = row["previous"]
    previous = (PreviousTurn(**{name: before[name] for name in _BEFORE}),) if before and before["utterance"] else ()
    first = Interpretation(row["domain"], row["intent"], dict(row["slots"] or ()), row["nlu_confidence"])
    return Request(
        utterance=row["utterance"],
        locale=row["locale"],
        user_id=row["user_id"],
        at=row["at"],
        device=row["device"],
        asr_confidence=row["asr_confidence"],
        nbest=tuple(Alternative(a["text"] or "", a["score"]) for a in row["asr_nbest"] or ()),
        interpretation=None if is_bare(row["turn_id"]) else first,
        context=dict(row["context"] or ()),
        previous_turns=previous,
        request_id=row["turn_id"],
    )


def past_of(row: Mapping[str, Any]) -> Past:
    """How the request of a row of `past_requests` went."""
    later = row["later"]
    return Past(
        defective=bool(row["defective"]),
        succeeded=bool(row["succeeded"]),
        own=interpretation_key(row["domain"], row["intent"], row["slots"]),
        later=interpretation_key(later["domain"], later["intent"], later["slots"]) if later else None,
        later_text=later["text"] if later else "",
        domain=(later["domain"] if later else row["domain"]) or "unknown",
        p_later=row["p_later"] if later else 1.0,
        text=normalise(row["utterance"]),
    )
