"""Turns and defects to what people ask in which context (see `rewriter.retrieval.contexts`)."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.columns import normal_form, understood
from jobs.dialogue import with_sessions
from jobs.turns import in_session
from rewriter.retrieval.contexts import RESPONSE, Contexts, shape_of

#: Rows kept at most, those of most users: about 20 MB of memory at run time.
MAX_ROWS = 100_000
_SHAPE = ("domain", "intent", "slots")


def _named(name: Column, value: Column) -> Column:
    return F.struct(name.alias("name"), value.alias("value"))


def _contexts() -> Column:
    """The `contexts_of` a turn, and null for everywhere."""
    told = F.filter(F.map_entries("context"), lambda item: F.length(item["value"]) > 0)
    items = F.transform(told, lambda item: _named(item["key"], item["value"]))
    said = F.when(F.length("before") > 0, F.array(_named(F.lit(RESPONSE), F.col("before"))))
    none = F.array().cast("array<struct<name:string,value:string>>")
    everywhere = F.array(F.lit(None).cast("struct<name:string,value:string>"))
    return F.concat(F.coalesce(items, none), F.coalesce(said, none), everywhere)


def context_rows(turns: DataFrame, defects: DataFrame, max_defect: float, min_users: int, max_gap_s: float) -> DataFrame:
    """(context, domain, intent, slots, n_users): distinct users who succeeded with a shape in a context, null for any.

    One user has one vote. What fewer than ``min_users`` share, a place or a screen of their own, is not in it.
    """
    success = ~F.col("defective") & (F.col("defect") <= F.lit(max_defect).cast("float"))
    return (
        with_sessions(turns, max_gap_s)
        .withColumn("before", F.lag("response").over(in_session()))
        .withColumn("before", normal_form("before"))
        .join(defects.where(success).select("turn_id"), "turn_id")
        .select(
            "user_id",
            F.explode(_contexts()).alias("context"),
            "domain",
            understood().alias("intent"),
            F.array_sort(F.map_keys(F.coalesce("slots", F.create_map().cast("map<string,string>")))).alias("slots"),
        )
        .where(F.col("intent").isNotNull())
        .groupBy("context", *_SHAPE)
        .agg(F.count_distinct("user_id").alias("n_users"))
        .where(F.col("n_users") >= min_users)
        .orderBy(F.desc("n_users"), "context", *_SHAPE)
        .limit(MAX_ROWS)
    )


def contexts_from(rows: DataFrame) -> Contexts:
    """The contexts of `context_rows`, in the memory of the driver."""
    return Contexts.of(
        (tuple(row["context"]) if row["context"] else None, shape, row["n_users"])
        for row in rows.toLocalIterator()
        if (shape := shape_of(row["domain"], row["intent"], row["slots"])) is not None
    )
