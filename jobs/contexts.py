"""Turns and defects to what people ask in which context (see `rewriter.retrieval.contexts`)."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.columns import normal_form, understood
from jobs.dialogue import with_sessions
from jobs.turns import in_session
from rewriter.retrieval.contexts import MAX_RESPONSE, RESPONSE, Contexts, shape_of

#: Rows kept at most, those of most users: they lie in the memory of every server.
MAX_ROWS = 50_000
#: Votes are summed in whole millionths, so that their order does not matter.
_UNIT = 1_000_000
_SHAPE = ("domain", "intent", "slots")
_WHERE = ("locale", "context")


def _named(name: Column, value: Column) -> Column:
    return F.struct(name.alias("name"), value.alias("value"))


def _contexts() -> Column:
    """The `contexts_of` a turn, and null for everywhere."""
    told = F.filter(F.map_entries("context"), lambda item: (F.length(item["key"]) > 0) & (F.length(item["value"]) > 0))
    items = F.transform(told, lambda item: _named(item["key"], item["value"]))
    said = F.when(F.length("before") > 0, F.array(_named(F.lit(RESPONSE), F.col("before"))))
    none = F.array().cast("array<struct<name:string,value:string>>")
    everywhere = F.array(F.lit(None).cast("struct<name:string,value:string>"))
    return F.concat(F.coalesce(items, none), F.coalesce(said, none), everywhere)


def _asked(turns: DataFrame, defects: DataFrame, max_defect: float, max_gap_s: float) -> DataFrame:
    """(locale, context, domain, intent, slots, user_id, n): how often each user succeeded with a shape in a context."""
    success = ~F.col("defective") & (F.col("defect") <= F.lit(max_defect).cast("float"))
    return (
        with_sessions(turns, max_gap_s)
        .withColumn("before", F.substring(F.lag("response").over(in_session()), 1, MAX_RESPONSE))
        .withColumn("before", normal_form("before"))
        .join(defects.where(success).select("turn_id"), "turn_id")
        .select(
            "user_id",
            "locale",
            F.explode(_contexts()).alias("context"),
            F.coalesce("domain", F.lit("")).alias("domain"),
            understood().alias("intent"),
            F.array_sort(F.map_keys(F.coalesce("slots", F.create_map().cast("map<string,string>")))).alias("slots"),
        )
        .where(F.col("intent").isNotNull())
        .groupBy(*_WHERE, *_SHAPE, "user_id")
        .agg(F.count("*").alias("n"))
    )


def context_rows(turns: DataFrame, defects: DataFrame, max_defect: float, min_users: int, max_gap_s: float) -> DataFrame:
    """(locale, context, domain, intent, slots, n_users, votes): users who succeeded with a shape in a context.

    The context is null for everywhere, and intent and slots of what all shapes have together. A user has one vote in each
    context. What fewer than ``min_users`` share, a place or a screen of their own, is not in it.
    """
    asked = _asked(turns, defects, max_defect, max_gap_s)
    of_user = F.sum("n").over(Window.partitionBy(*_WHERE, "user_id"))
    voted = asked.withColumn("vote", F.floor(_UNIT * F.col("n") / of_user))
    shapes = voted.groupBy(*_WHERE, *_SHAPE).agg(F.count("*").alias("n_users"), F.sum("vote").alias("votes"))
    users = F.count_distinct("user_id")
    totals = asked.groupBy(*_WHERE).agg(users.alias("n_users"), (_UNIT * users).alias("votes"))
    both = shapes.unionByName(totals, allowMissingColumns=True).where(F.col("n_users") >= min_users)
    # Of equals the one without an intent comes first: what all have together must not be cut away from its parts.
    return both.orderBy(F.desc("n_users"), *_WHERE, F.asc_nulls_first("intent"), "domain", "slots").limit(MAX_ROWS)


def contexts_from(rows: DataFrame, min_users: int) -> Contexts:
    """The contexts of `context_rows`, in the memory of the driver."""
    return Contexts.of(
        (
            (
                row["locale"],
                tuple(row["context"]) if row["context"] else None,
                shape_of(row["domain"], row["intent"], row["slots"] or ()),
                row["votes"] / _UNIT,
            )
            for row in rows.toLocalIterator()
        ),
        hidden=min_users - 1.0,
    )
