"""Turns and defects to index entries: who asked what, how often it worked, and what it was taken to mean."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.columns import normal_form, understood
from jobs.turns import is_served

#: What NLU understood; ``slots`` is an array of entries sorted by key, since maps cannot be grouped or ordered.
READING = ("domain", "intent", "slots")


def served() -> Column:
    """The text that NLU was given: the rewrite where one was served, else what was heard."""
    return F.when(is_served(), F.col("rewrite.served")).otherwise(F.col("utterance"))


def requests(turns: DataFrame, defects: DataFrame, max_defect: float) -> DataFrame:
    """One row a turn that said something: user, locale, normalised request as served, reading, outcome, instant.

    ``success`` if the probability of a defect is at most ``max_defect``, ``defective`` as the table says; a turn in
    between is neither.
    """
    outcome = defects.select("turn_id", "defect", "defective")
    slots = F.array_sort(F.map_entries(F.coalesce("slots", F.create_map().cast("map<string,string>"))))
    return (
        turns.join(outcome, "turn_id")
        .select(
            *(c for c in ("turn_id", "day") if c in turns.columns),
            "user_id",
            "locale",
            normal_form(served()).alias("utterance"),
            "domain",
            understood().alias("intent"),
            slots.alias("slots"),
            (~F.col("defective") & (F.col("defect") <= F.lit(max_defect).cast("float"))).alias("success"),
            "defective",
            "at",
        )
        .where(F.length("utterance") > 0)
    )


def usage(said: DataFrame) -> DataFrame:
    """`requests` counted by user, locale, utterance and reading: successes, defects and the last success."""
    return said.groupBy("user_id", "locale", "utterance", *READING).agg(
        F.count_if("success").alias("n_success"),
        F.count_if("defective").alias("n_defect"),
        F.max(F.when(F.col("success"), F.col("at"))).alias("last_seen"),
    )


def _statistics(used: DataFrame, keys: tuple[str, ...], user_cap: float) -> DataFrame:
    """Counts, users and the majority reading by ``keys``, where successes are at least as many as defects.

    ``n_readers`` is how many users had success with that very reading.

    In that comparison and in the majority one user has at most ``user_cap`` votes for a reading; counts are whole.
    Ties between readings go to the greater in text order.
    """
    votes = F.least(F.col("n_success").cast("double"), F.lit(user_cap))
    against = F.least(F.col("n_defect").cast("double"), F.lit(user_cap))
    readings = used.groupBy(*keys, *READING).agg(
        F.sum("n_success").alias("n_success"),
        F.sum("n_defect").alias("n_defect"),
        F.sum(votes).alias("votes"),
        F.sum(against).alias("against"),
        F.collect_set(F.when(F.col("n_success") > 0, F.col("user_id"))).alias("users"),
        F.max("last_seen").alias("last_seen"),
    )
    return (
        readings.groupBy(*keys)
        .agg(
            F.max(F.struct("votes", *READING, F.size("users").alias("readers"))).alias("top"),
            F.sum("n_success").alias("n_success"),
            F.sum("n_defect").alias("n_defect"),
            F.sum("votes").alias("votes"),
            F.sum("against").alias("against"),
            F.size(F.array_distinct(F.flatten(F.collect_list("users")))).cast("long").alias("n_users"),
            F.max("last_seen").alias("last_seen"),
        )
        .where((F.col("n_success") > 0) & (F.col("votes") >= F.col("against")))
        .withColumn("n_readers", F.col("top.readers"))
        .select(
            *keys,
            *(F.col(f"top.{c}").alias(c) for c in READING),
            "n_success",
            "n_defect",
            "n_users",
            "n_readers",
            "last_seen",
        )
    )


def global_entries(used: DataFrame, min_users: int, user_cap: float) -> DataFrame:
    """Rows of ``index_entries`` of scope global: `usage` of requests that ``min_users`` distinct users had success with.

    Slots stay only where as many users had success with that very reading: "navigate home" has a different address in
    each, and none of them may reach another user.
    """
    shared = F.when(F.col("n_readers") >= min_users, F.map_from_entries("slots"))
    return (
        _statistics(used, ("locale", "utterance"), user_cap)
        .where(F.col("n_users") >= min_users)
        .select(
            F.lit("global").alias("scope"),
            *("locale", "utterance", "domain", "intent"),
            F.coalesce(shared, F.create_map().cast("map<string,string>")).alias("slots"),
            *("n_success", "n_defect", "n_users", "last_seen"),
        )
    )


def _one_wording(own: DataFrame) -> DataFrame:
    """One row a user and interpretation: the wording of most successes, then the latest; counts are of all wordings.

    A reading without slots does not tell one request from another of its intent, so there each wording stays.
    """
    wording = F.when((F.size("slots") == 0) | F.col("intent").isNull(), F.col("utterance"))
    return (
        own.withColumn("wording", wording)
        .groupBy("user_id", "locale", *READING, "wording")
        .agg(
            F.max(F.struct("n_success", "last_seen", "utterance")).getField("utterance").alias("utterance"),
            F.sum("n_success").alias("n_success"),
            F.sum("n_defect").alias("n_defect"),
            F.max("last_seen").alias("last_seen"),
        )
    )


def personal_entries(used: DataFrame, newest: dt.datetime | None, max_entries: int, max_age_days: float) -> DataFrame:
    """Rows of ``index_entries`` whose scope is a user: the latest ``max_entries`` of each user's own successful requests.

    Age counts from ``newest``, the log's last turn, never from the clock, so the same log gives the same entries.
    """
    age_s = (F.unix_micros(F.lit(newest)) - F.unix_micros("last_seen")) / 1e6
    own = _statistics(used, ("user_id", "locale", "utterance"), float("inf"))
    young = own.where(age_s <= max_age_days * 86400.0)
    latest = Window.partitionBy("user_id").orderBy(F.desc("last_seen"), F.desc("n_success"), "locale", "utterance")
    return (
        _one_wording(young)
        .withColumn("rank", F.row_number().over(latest))
        .where(F.col("rank") <= max_entries)
        .select(
            F.col("user_id").alias("scope"),
            *("locale", "utterance", "domain", "intent"),
            F.map_from_entries("slots").alias("slots"),
            *("n_success", "n_defect"),
            F.lit(1).cast("long").alias("n_users"),
            "last_seen",
        )
    )
