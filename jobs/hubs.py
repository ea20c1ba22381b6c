"""Which states of a log lead anywhere, locale by locale, and the log without the ways through them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.rephrase_counts import Batches
from rewriter.markov.hubs import entropy_of, is_hub
from rewriter.markov.visits import UNIT


def _log_entropy(states: DataFrame, min_states: int) -> DataFrame:
    """(of_locale, log_entropy): how spread the successors are in each log that is large enough to tell a hub."""
    share = F.col("incoming") / UNIT
    spread = F.when(share > 0, F.round(share * F.log(share) * UNIT)).otherwise(0.0).cast("long")
    locales = states.groupBy("locale").agg(
        F.count("*").alias("n_states"), F.sum("incoming").alias("all"), F.sum(spread).alias("spread")
    )
    large = locales.where((F.col("n_states") >= min_states) & (F.col("all") > 0))
    whole = F.col("all") / UNIT
    entropy = F.log(whole) - F.col("spread") / UNIT / whole
    return large.select(F.col("locale").alias("of_locale"), entropy.alias("log_entropy"))


def _find(batches: Batches) -> Batches:
    for batch in batches:
        names = ("outgoing", "total", "w_log_w")
        outgoing, total, w_log_w = (np.asarray(batch.column(n), np.float64) / UNIT for n in names)
        found = is_hub(outgoing, total, entropy_of(outgoing, w_log_w), np.asarray(batch.column("log_entropy")))
        yield pa.RecordBatch.from_arrays([batch.column("state").filter(pa.array(found))], ["state"])


def hub_states(states: DataFrame, min_states: int) -> DataFrame:
    """(state) of the hubs.

    Parameters
    ----------
    states : frame
        ``state``, ``locale``, ``outgoing``, ``total``, ``w_log_w`` and ``incoming`` (`jobs.states.with_flows`).
    min_states : int
        The log of a locale with fewer has no hubs: it is too small to tell.
    """
    logs = F.broadcast(_log_entropy(states, min_states))
    known = states.where(F.col("outgoing") > 0).join(logs, F.col("locale") == F.col("of_locale"))
    return known.select("state", "outgoing", "total", "w_log_w", "log_entropy").mapInArrow(_find, "state long")


def without_hubs(edges: DataFrame, hubs: DataFrame) -> DataFrame:
    """The edges neither from nor to a hub; what a hub's own visits succeeded as stays."""
    rephrases, successes = edges.where(~F.col("is_reading")), edges.where("is_reading")
    kept = rephrases.join(F.broadcast(hubs.select(F.col("state").alias("source"))), "source", "left_anti")
    kept = kept.join(F.broadcast(hubs.select(F.col("state").alias("target"))), "target", "left_anti")
    return kept.select(*edges.columns).union(successes)
