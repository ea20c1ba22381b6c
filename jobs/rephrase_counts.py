"""What the chain is made of, counted in Spark: visits, transitions, outcomes and the support of each ordered pair.

Weights are summed as whole millionths: integer sums do not depend on the order in which partitions arrive.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.columns import normal_form
from jobs.turns import in_session, is_served
from rewriter.settings import Mine

_UNIT = 1_000_000
#: Longest chain of rephrases whose first and last request count as an ordered pair.
MAX_HOPS = 4


def _units(weight: Column) -> Column:
    return F.round(weight * _UNIT).cast("long")


def adjacent_links(turns: DataFrame, max_gap_s: float) -> DataFrame:
    """Every next turn of a session within the gap as a rephrase of weight 1: (turn_id, rephrase_turn_id, weight)."""
    order = in_session()
    gap_us = F.unix_micros(F.lead("at").over(order)) - F.unix_micros("at")
    return (
        turns.withColumns({"rephrase_turn_id": F.lead("turn_id").over(order), "gap_us": gap_us})
        .where(F.col("gap_us") <= max_gap_s * 1e6)
        .select("turn_id", "rephrase_turn_id", F.lit(1.0).alias("weight"))
    )


def _heard(turns: DataFrame) -> DataFrame:
    return turns.select(
        "turn_id",
        "user_id",
        F.col("session_id").alias("session"),
        "locale",
        "day",
        "at",
        "domain",
        "intent",
        normal_form("utterance").alias("state"),
        is_served().alias("is_served"),
        normal_form("rewrite.served").alias("served"),
    ).where(F.col("state") != "")


def visits_of(turns: DataFrame, defects: DataFrame, links: DataFrame, settings: Mine) -> DataFrame:
    """One row a turn: its state, defect probability, rephrase (state and weight, null and 0 without) and capped weight.

    ``scale`` decays with age and shrinks so that one user gives a state at most ``settings.user_cap`` visits. A rephrase in
    the same words collapses: its share of the visit moves to the repeat.
    """
    heard = _heard(turns)
    target = heard.select(F.col("turn_id").alias("rephrase_turn_id"), F.col("state").alias("target"))
    linked = links.join(target, "rephrase_turn_id").select("turn_id", "rephrase_turn_id", "target", "weight")
    visits = (
        heard.join(defects.select("turn_id", "defect"), "turn_id", "left")
        .join(linked, "turn_id", "left")
        .withColumn("weight", F.coalesce("weight", F.lit(0.0)))
        .withColumn("defect", F.coalesce(F.col("defect").cast("double"), F.lit(0.0)))
    )
    last_day = heard.agg(F.max("day").alias("last_day"))
    age = F.datediff(F.to_date("last_day"), F.to_date("day"))
    decay = F.pow(F.lit(0.5), age / settings.half_life_days) if settings.half_life_days > 0 else F.lit(1.0)
    repeated = F.when(F.col("target") == F.col("state"), F.col("weight")).otherwise(0.0)
    own = Window.partitionBy("locale", "user_id", "state")
    return (
        visits.crossJoin(F.broadcast(last_day))
        .withColumn("given", decay * (1.0 - repeated))
        .withColumn("all_given", F.sum(_units(F.col("given"))).over(own) / _UNIT)
        .withColumn("scale", decay * F.least(F.lit(1.0), settings.user_cap / F.greatest("all_given", F.lit(1e-9))))
        .drop("last_day", "given", "all_given")
    )


def transition_counts(visits: DataFrame) -> DataFrame:
    """(locale, source, target, weight) of rephrases to other words."""
    moved = visits.where(~F.col("is_served") & F.col("target").isNotNull() & (F.col("target") != F.col("state")))
    weight = (F.sum(_units(F.col("scale") * F.col("weight"))) / _UNIT).alias("weight")
    return moved.groupBy("locale", F.col("state").alias("source"), "target").agg(weight)


def state_counts(visits: DataFrame) -> DataFrame:
    """(locale, state, success, failure) of what was not rephrased, by the defect probability."""
    stay = F.col("scale") * (1.0 - F.col("weight"))
    return (
        visits.where(~F.col("is_served"))
        .groupBy("locale", "state")
        .agg(
            (F.sum(_units(stay * (1.0 - F.col("defect")))) / _UNIT).alias("success"),
            (F.sum(_units(stay * F.col("defect"))) / _UNIT).alias("failure"),
        )
    )


def served_outcomes(visits: DataFrame) -> DataFrame:
    """(locale, source, target, success, failure) of requests that were served as this system's rewrite."""
    return (
        visits.where(F.col("is_served"))
        .groupBy("locale", F.col("state").alias("source"), F.col("served").alias("target"))
        .agg(
            (F.sum(_units(F.col("scale") * (1.0 - F.col("defect")))) / _UNIT).alias("success"),
            (F.sum(_units(F.col("scale") * F.col("defect"))) / _UNIT).alias("failure"),
        )
    )


def state_domains(visits: DataFrame) -> DataFrame:
    """(locale, state, domain, intent): how NLU most often read each state; ties go to the first in the alphabet."""
    order = Window.partitionBy("locale", "state").orderBy(F.desc("n"), "domain", "intent")
    return (
        visits.groupBy("locale", "state", "domain", "intent")
        .agg(F.count("*").alias("n"))
        .withColumn("place", F.row_number().over(order))
        .where(F.col("place") == 1)
        .select("locale", "state", "domain", "intent")
    )


def link_support(visits: DataFrame) -> DataFrame:
    """Distinct users, sessions and days with source before rewrite in one rephrase chain, for each ordered pair.

    Served rewrites support their own pair: the user said the source and the system answered the rewrite.
    """
    columns = ["locale", "user_id", "session", "day", "at"]
    step = visits.where(F.col("target").isNotNull()).select(
        "turn_id", "rephrase_turn_id", F.col("state").alias("source"), F.col("target").alias("rewrite"), *columns
    )
    onward = step.select(
        F.col("turn_id").alias("rephrase_turn_id"), F.col("rephrase_turn_id").alias("next"), F.col("rewrite").alias("end")
    )
    pairs, reach = step, step
    for _ in range(MAX_HOPS - 1):
        reach = reach.join(onward, "rephrase_turn_id").select(
            "turn_id", F.col("next").alias("rephrase_turn_id"), "source", F.col("end").alias("rewrite"), *columns
        )
        pairs = pairs.unionByName(reach)
    served = visits.where(F.col("is_served")).select(
        F.col("state").alias("source"), F.col("served").alias("rewrite"), *columns
    )
    return (
        pairs.drop("turn_id", "rephrase_turn_id")
        .unionByName(served)
        .where(F.col("source") != F.col("rewrite"))
        .groupBy("locale", "source", "rewrite")
        .agg(
            F.countDistinct("user_id").alias("users"),
            F.countDistinct("user_id", "session").alias("sessions"),
            F.countDistinct("day").alias("days"),
            F.unix_micros(F.min("at")).alias("first_seen"),
            F.unix_micros(F.max("at")).alias("last_seen"),
        )
    )
