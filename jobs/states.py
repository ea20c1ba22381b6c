"""The states of a log as one table: name, reading, what flows through each, and its success with its limits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.rephrase_counts import Batches
from rewriter.markov.evidence import success_of
from rewriter.markov.visits import UNIT
from rewriter.settings import Mine


def named_states(forms: DataFrame) -> DataFrame:
    """(state, locale, text, domain, intent, is_reading): wordings as most users had them read, readings as most said them.

    Users count, not turns: nobody has more say than another. Ties go to the alphabet.

    Parameters
    ----------
    forms : frame
        As `jobs.rephrase_counts.wording_forms` returns it.
    """
    read = forms.where(F.col("reading") != 0).withColumn("state", F.col("reading"))
    rows = forms.withColumn("is_reading", F.lit(False)).union(read.withColumn("is_reading", F.lit(True)))
    first = F.min(F.struct((-F.col("users")).alias("rarity"), "domain", "intent", "text", "locale")).alias("first")
    named = rows.groupBy("state", "is_reading").agg(first)
    return named.select("state", *(F.col(f"first.{n}") for n in ("locale", "text", "domain", "intent")), "is_reading")


def with_flows(names: DataFrame, edges: DataFrame, ends: DataFrame) -> DataFrame:
    """(state, locale, domain, success, failure, outgoing, w_log_w, incoming, total) of wordings, in whole millionths.

    What leads to a reading is success; the rest of what goes out, rephrases, is ``outgoing``.

    Parameters
    ----------
    names : frame
        As `named_states` returns it.
    edges, ends : frame
        ``source``, ``target``, ``weight``, ``is_reading``; ``state``, ``success``, ``failure``.
    """
    numbers = ("success", "failure", "outgoing", "w_log_w", "incoming")
    share = F.col("weight") / UNIT
    spread = F.round(share * F.log(share) * UNIT).cast("long")

    def rows(frame: DataFrame, state: str, **columns: Column) -> DataFrame:
        zero = F.lit(0).cast("long")
        return frame.select(F.col(state).alias("state"), *(columns.get(name, zero).alias(name) for name in numbers))

    weighty = edges.where((F.col("weight") > 0) & ~F.col("is_reading"))
    parts = [
        rows(weighty, "source", outgoing=F.col("weight"), w_log_w=spread),
        rows(weighty, "target", incoming=F.col("weight")),
        rows(ends, "state", success=F.col("success"), failure=F.col("failure")),
        rows(edges.where("is_reading"), "source", success=F.col("weight")),
    ]
    flows = (
        parts[0].union(parts[1]).union(parts[2]).union(parts[3]).groupBy("state").agg(*(F.sum(n).alias(n) for n in numbers))
    )
    wordings = names.where(~F.col("is_reading")).select("state", "locale", "domain")
    whole = wordings.join(flows, "state", "left").fillna(0, list(numbers))
    return whole.withColumn("total", F.col("success") + F.col("failure") + F.col("outgoing"))


def _estimate(settings: Mine) -> Callable[[Batches], Batches]:
    def estimate(batches: Batches) -> Batches:
        for batch in batches:
            weights = np.stack([np.asarray(batch.column(n), np.float64) for n in ("success", "total", "prior")])
            # Rare states are many and much alike: each distinct count is estimated once.
            distinct, place = np.unique(weights, axis=1, return_inverse=True)
            known = success_of(distinct[0] / UNIT, distinct[1] / UNIT, distinct[2], settings)
            limits = [pa.array(column[place.ravel()]) for column in (known.mean, known.low, known.high)]
            yield pa.RecordBatch.from_arrays([*batch.columns, *limits], [*batch.schema.names, "p", "p_low", "p_high"])

    return estimate


def estimated(rows: DataFrame, settings: Mine) -> DataFrame:
    """The rows with ``p``, ``p_low``, ``p_high`` of their ``success`` of ``total`` (whole millionths) and ``prior``."""
    columns = ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in rows.schema)
    return rows.mapInArrow(_estimate(settings), f"{columns}, p double, p_low double, p_high double")


def with_success(states: DataFrame, settings: Mine) -> DataFrame:
    """The states with ``prior``, ``p``, ``p_low``, ``p_high``: success at once, shrunk to the mean of locale and domain.

    Parameters
    ----------
    states : frame
        ``state``, ``locale``, ``domain``, ``success``, ``total`` (whole millionths) and ``is_hub``.
    """
    means = states.groupBy("locale", "domain").agg(F.sum("success").alias("hits"), F.sum("total").alias("trials"))
    prior = F.when(F.col("trials") > 0, F.col("hits") / F.col("trials")).otherwise(0.5).alias("prior")
    means = means.select(F.col("locale").alias("of_locale"), F.col("domain").alias("of_domain"), prior)
    same = F.col("domain").eqNullSafe(F.col("of_domain")) & (F.col("locale") == F.col("of_locale"))
    rows = states.join(F.broadcast(means), same).select("state", "is_hub", "success", "total", "prior")
    return estimated(rows, settings)
