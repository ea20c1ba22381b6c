"""What the chain is made of, counted in Spark: transitions, outcomes, served pairs, the support of pairs, forms of states.

One shuffle brings the turns of each user together; Arrow batches of whole users are counted by `rewriter.markov`, and only
their sums, numbers alone, meet again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from jobs.dialogue import reading
from jobs.evidence import Evidence
from jobs.turns import is_served
from rewriter.defects.sorted_view import RULE_COLUMNS, sorted_defects
from rewriter.markov.states import wordings
from rewriter.markov.support import day_words
from rewriter.markov.tally import FORM, MOVED, OUTCOME, PAIR, SAID, SERVED, TRANSITION, VOTE, tally, tally_schema
from rewriter.markov.visits import NO_SHIFTS, Shifts, Visits, given_rephrases, next_in_session, run_numbers, visits_of
from rewriter.settings import Settings

#: Rows a worker counts together: enough for the same requests to add up, few enough for a small worker.
BATCH_ROWS = 200_000
#: Defect of a turn that the given table leaves out: neither a success nor a failure.
UNLABELLED = 0.5
Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Counting:
    """How a worker turns sorted turns of whole users into visits."""

    settings: Settings
    decay: Mapping[str, float]
    has_defects: bool
    has_links: bool
    has_intents: bool

    @property
    def pooled(self) -> bool:
        """Whether wordings that NLU reads alike share one state of success: where asked for, and where NLU was logged."""
        return self.has_intents and self.settings.mine.states == "interpretation"

    def visits(self, turns: pa.Table, shifts: Shifts = NO_SHIFTS) -> Visits:
        """The visits of whole users' turns, sorted by user, session, then as they were said."""
        words = wordings(turns)
        session = run_numbers(turns.column("user_id"), turns.column("session_id"))
        if self.has_links:
            links = given_rephrases(turns)
        else:
            at = np.asarray(turns.column("at").cast(pa.int64()))
            links = next_in_session(session, at, words, self.settings.sessions.max_gap_s)
        if self.has_defects:
            defect = np.asarray(turns.column("defect").fill_null(UNLABELLED), np.float64)
        else:
            codes, texts = words
            text = pa.array(texts, pa.string()).take(pa.array(codes))
            defect = sorted_defects(turns, text, session, self.settings.defects, self.has_intents)
        return visits_of(turns, links, defect, self.decay, self.settings.mine, shifts, self.pooled)


def counting_of(evidence: Evidence, settings: Settings) -> Counting:
    """How this evidence is counted: an older day weighs less, half at each half-life."""
    days, half_life = np.array(evidence.days, "datetime64[D]"), settings.mine.half_life_days
    age = (days[-1] - days).astype(np.int64)
    weight = 0.5 ** (age / half_life) if half_life > 0 else np.ones(len(days))
    decay = dict(zip(evidence.days, weight.tolist(), strict=True))
    return Counting(settings, decay, evidence.defects is not None, evidence.links is not None, evidence.has_intents)


def user_turns(evidence: Evidence, counting: Counting) -> DataFrame:
    """The turns and what is known of each, whole users in a partition, sorted by user, session, then as they were said."""
    served = (
        F.when(is_served(), F.col("rewrite.served")) if counting.settings.mine.self_aware else F.lit(None).cast("string")
    )
    read_as = reading() if counting.pooled else F.lit(None).cast("string")
    columns: list[Column | str] = ["turn_id", "user_id", "session_id", "turn_index", "at", "day", "locale", "utterance"]
    columns += ["domain", "intent", served.alias("served"), read_as.alias("reading")]
    if evidence.defects is None:
        columns += [name for name in RULE_COLUMNS if name != "intent"]
    turns = evidence.turns.select(*columns)
    if evidence.defects is not None:
        turns = turns.join(evidence.defects.select("turn_id", F.col("defect").cast("double")), "turn_id", "left")
    if evidence.links is not None:
        turns = turns.join(evidence.links.select("turn_id", "rephrase_turn_id", "weight"), "turn_id", "left")
    needs_ids = evidence.links is not None
    placed = turns.repartition("user_id").sortWithinPartitions("user_id", "session_id", "turn_index", "at", "turn_id")
    return placed.drop("turn_index", *([] if needs_ids else ["turn_id"]))


def whole_users(batches: Batches, rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
    """Tables of about so many rows, cut only where one user's turns end."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        held.append(batch)
        first, last = held[0].column("user_id")[0], batch.column("user_id")[-1]
        if first == last or sum(b.num_rows for b in held) < rows:
            continue
        table = pa.Table.from_batches(held)
        user = run_numbers(table.column("user_id"))
        cut = int(np.searchsorted(user, user[-1]))
        yield table.slice(0, cut)
        held = table.slice(cut).combine_chunks().to_batches()
    if held:
        yield pa.Table.from_batches(held)


def tallies(turns: DataFrame, counting: Counting, shifts: Shifts) -> DataFrame:
    """Rows of `rewriter.markov.tally`, one part for each batch of users: their sums are the log's counts.

    Parameters
    ----------
    turns : frame
        As `user_turns` returns it.
    """
    n_days = len(counting.decay)
    sent = turns.sparkSession.sparkContext.broadcast(shifts)

    def count(batches: Batches) -> Batches:
        for whole in whole_users(batches):
            yield from tally(counting.visits(whole, sent.value), n_days).combine_chunks().to_batches()

    return turns.mapInArrow(count, from_arrow_schema(tally_schema(n_days)))


def summed(parts: DataFrame, n_days: int) -> DataFrame:
    """The counts of the whole log: one row a kind, source, via and target; whole numbers, so their order is nothing."""
    words = [F.bit_or(name).alias(name) for name in day_words(n_days)]
    ends = [F.sum("a").alias("a"), F.sum("b").alias("b"), F.min("first").alias("first"), F.max("last").alias("last")]
    return parts.where(F.col("kind") != FORM).groupBy("kind", "source", "via", "target").agg(*ends, *words)


def transition_counts(sums: DataFrame) -> DataFrame:
    """(source, target, weight, is_reading) of rephrases and successes; here and below weights are whole millionths."""
    is_reading = (F.col("via") == 1).alias("is_reading")
    return sums.where(F.col("kind") == TRANSITION).select("source", "target", F.col("a").alias("weight"), is_reading)


def said_next(sums: DataFrame, min_users: int) -> DataFrame:
    """(source, target) of wordings that enough users said in a turn served as it was, and then said otherwise."""
    is_said = (F.col("kind") == TRANSITION) & (F.col("via") == 0) & (F.col("b") >= min_users)
    return sums.where(is_said).select("source", "target")


def state_counts(sums: DataFrame) -> DataFrame:
    """(state, success, failure) of what was not rephrased."""
    return _ended(sums.where(F.col("kind") == OUTCOME).withColumnRenamed("source", "state"), "state")


def served_counts(sums: DataFrame) -> DataFrame:
    """(source, rewrite, success, failure) of requests served as this system's rewrite and not rephrased."""
    return _ended(sums.where(F.col("kind") == SERVED).withColumnRenamed("target", "rewrite"), "source", "rewrite")


def moved_counts(sums: DataFrame) -> DataFrame:
    """(source, rewrite, target, weight) of requests served as this system's rewrite, then rephrased to another state."""
    moved = sums.where(F.col("kind") == MOVED)
    return moved.select("source", F.col("via").alias("rewrite"), "target", F.col("a").alias("weight"))


def _ended(sums: DataFrame, *keys: str) -> DataFrame:
    return sums.select(*keys, F.col("a").alias("success"), F.col("b").alias("failure"))


def pair_support(sums: DataFrame, n_days: int) -> DataFrame:
    """(source, rewrite, users, sessions, days, first_seen, last_seen) of each ordered pair; times in microseconds."""
    days = reduce(add, (F.bit_count(name) for name in day_words(n_days)))
    return sums.where(F.col("kind") == PAIR).select(
        "source",
        F.col("target").alias("rewrite"),
        F.col("a").alias("users"),
        F.col("b").alias("sessions"),
        days.cast("long").alias("days"),
        F.col("first").alias("first_seen"),
        F.col("last").alias("last_seen"),
    )


def wording_forms(parts: DataFrame) -> DataFrame:
    """(state, reading, locale, text, domain, intent, n, users): how often each wording was read so; 0: not at all."""
    keys: list[Column | str] = [F.col("source").alias("state"), F.col("target").alias("reading")]
    keys += ["locale", "text", "domain", "intent"]
    return parts.where(F.col("kind") == FORM).groupBy(*keys).agg(F.sum("a").alias("n"), F.sum("b").alias("users"))


def votes_of(sums: DataFrame) -> DataFrame:
    """(source, rewrite, vote, came): share of the source's voters for it, null where nobody votes, and of its users."""
    cast = sums.where(F.col("kind") == VOTE).select("source", F.col("target").alias("rewrite"), "a", "b")
    users = sums.where(F.col("kind") == SAID).select("source", F.col("b").alias("users"))
    every = cast.groupBy("source").agg(F.sum("a").alias("voters")).join(users, "source")
    share = F.when(F.col("voters") > 0, F.col("a") / F.col("voters")).alias("vote")
    return cast.join(every, "source").select("source", "rewrite", share, (F.col("b") / F.col("users")).alias("came"))
