"""A log as the chain sees it: states by number, transitions and outcomes corrected for what was served, hubs cut out."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.evidence import Evidence
from jobs.forms import reading_forms, through_readings, usual_readings
from jobs.hubs import hub_states, without_hubs
from jobs.leaving import defect_shifts
from jobs.rephrase_counts import (
    counting_of,
    pair_support,
    said_next,
    served_counts,
    state_counts,
    summed,
    tallies,
    transition_counts,
    user_turns,
    votes_of,
    wording_forms,
)
from jobs.scratch import Scratch
from jobs.served import corrected, posteriors
from jobs.states import named_states, with_flows, with_success
from rewriter.settings import Settings


@dataclass(frozen=True)
class CountedLog:
    """The counted tables; weights are whole millionths, states are numbers (`rewriter.markov.states.state_number`).

    Attributes
    ----------
    names : frame
        ``state``, ``locale``, ``text``, ``domain``, ``intent``, ``is_reading``.
    usual : frame
        ``state``, ``reading``, ``share``: how each wording is mostly read, and by what share of its users.
    transitions : frame
        ``source``, ``target``, ``weight``, ``is_reading``.
    edges, ends : frame
        The transitions neither from nor to hubs; ``state``, ``success``, ``failure``.
    states : frame
        ``state``, ``is_hub``, ``p``, ``p_low``, ``p_high`` of each wording: success at once.
    forms : frame
        ``state``, ``p``, ``p_low``, ``forms`` of each reading (`jobs.forms.reading_forms`).
    support, votes, said_next : frame
        `jobs.rephrase_counts.pair_support`, `votes_of` and `said_next`.
    live : frame or None
        ``source``, ``rewrite``, ``loses_live``, ``p_live`` of served pairs (`live_verdicts`); None where nothing was served.
    counts
        Numbers of ``states``, ``transitions`` (before hubs are cut) and ``hubs``.
    """

    names: DataFrame
    usual: DataFrame
    transitions: DataFrame
    edges: DataFrame
    ends: DataFrame
    states: DataFrame
    forms: DataFrame
    support: DataFrame
    votes: DataFrame
    said_next: DataFrame
    live: DataFrame | None
    counts: dict[str, int]


def counted_log(evidence: Evidence, settings: Settings, scratch: Scratch) -> CountedLog:
    """Count a log; what several later steps read is kept in the scratch folder."""
    n_days, counting = len(evidence.days), counting_of(evidence, settings)
    turns = user_turns(evidence, counting).persist(StorageLevel.DISK_ONLY)
    parts = tallies(turns, counting, defect_shifts(turns, counting)).persist()
    sums, forms = scratch.keep(summed(parts, n_days)), scratch.keep(wording_forms(parts))
    for frame in (parts, turns):
        frame.unpersist()
    names, usual = scratch.keep(named_states(forms)), scratch.keep(usual_readings(forms))
    fixed, live = sums, None
    if settings.mine.self_aware and served_counts(sums).head(1):
        known = scratch.keep(posteriors(sums, settings.mine))
        fixed = scratch.keep(through_readings(corrected(sums, known), usual))
        live = scratch.keep(live_verdicts(known, usual))
    transitions, ends = transition_counts(fixed), state_counts(fixed)
    counts = {"states": names.count(), "transitions": transitions.count()}
    flows = scratch.keep(with_flows(names, transitions, ends))
    hubs = scratch.keep(hub_states(flows, settings.mine.min_states_for_hubs))
    counts["hubs"] = hubs.count()
    edges = scratch.keep(without_hubs(transitions, hubs)) if counts["hubs"] else transitions
    states = scratch.keep(with_success(_marked(flows, hubs), settings.mine))
    known_forms = scratch.keep(reading_forms(usual, states, transitions, settings.mine))
    known_pairs = pair_support(sums, n_days), votes_of(sums), said_next(sums, settings.mine.min_users)
    return CountedLog(names, usual, transitions, edges, ends, states, known_forms, *known_pairs, live, counts)


def live_verdicts(known: DataFrame, usual: DataFrame) -> DataFrame:
    """(source, rewrite, loses_live, p_live) of served pairs, and of what they mean: another wording would fare as well.

    Where wordings of one reading disagree, a losing one speaks for it, else the least successful of those that win.
    """
    told = known.select("source", "rewrite", "loses_live", "p_live")
    meant = told.join(usual.select(F.col("state").alias("rewrite"), "reading"), "rewrite")
    each = told.union(meant.select("source", "reading", "loses_live", "p_live")).groupBy("source", "rewrite")
    # NaN, of a pair that does not win, is the largest number to Spark.
    found = each.agg(F.max("loses_live").alias("loses_live"), F.min("p_live").alias("p_live"))
    return found.withColumn("p_live", F.when(~F.col("loses_live"), F.col("p_live")).otherwise(float("nan")))


def _marked(flows: DataFrame, hubs: DataFrame) -> DataFrame:
    """The states with ``is_hub``."""
    marked = F.broadcast(hubs.withColumn("is_hub", F.lit(True)))
    return flows.join(marked, "state", "left").fillna(False, ["is_hub"])
