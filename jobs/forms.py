"""The way out of a reading: the wordings that are read so and succeed, best known first."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jobs.states import estimated
from rewriter.markov.tally import OUTCOME, TRANSITION
from rewriter.settings import Mine

#: Share of a wording's users from which a reading is its usual one, and a rewrite into it is understood so.
USUAL = 0.6
#: How far below the best form's success another may lie and still be preferred for its users.
NEARLY_BEST = 0.1
#: Forms of one reading that the guards are asked about.
MOST_FORMS = 8


def usual_readings(forms: DataFrame) -> DataFrame:
    """(state, reading, share, users, text): how most users had each wording read, where it was read at all.

    ``share`` is that of these users among all, each counted once for every reading he had.

    Parameters
    ----------
    forms : frame
        As `jobs.rephrase_counts.wording_forms` returns it.
    """
    whole = Window.partitionBy("state")
    order = whole.orderBy(F.desc("users"), "reading")
    shares = forms.where(F.col("users") > 0).withColumn("share", F.col("users") / F.sum("users").over(whole))
    ranked = shares.withColumn("place", F.row_number().over(order))
    first = ranked.where((F.col("place") == 1) & (F.col("reading") != 0))
    return first.select("state", "reading", "share", "users", "text")


def through_readings(fixed: DataFrame, usual: DataFrame) -> DataFrame:
    """The sums with all success of a wording led through a reading: what has none of its own goes to the usual one.

    That is the success of turns that were served a rewrite, judged as the rewrite is mostly read.
    """
    ended = (F.col("kind") == OUTCOME) & (F.col("a") > 0)
    named = usual.select(F.col("state").alias("source"), "reading")
    direct = fixed.where(ended).join(named, "source", "left")
    zero, one = F.lit(0).cast("long"), F.lit(1).cast("long")
    columns = ("kind", "source", "via", "target", "a", "b")
    moved, kept = direct.where(F.col("reading").isNotNull()), direct.where(F.col("reading").isNull())
    transition, outcome = (F.lit(kind).cast("byte").alias("kind") for kind in (TRANSITION, OUTCOME))
    rows = [
        fixed.where(~ended).select(*columns),
        kept.select(*columns),
        moved.select(transition, "source", one.alias("via"), F.col("reading").alias("target"), "a", zero.alias("b")),
        moved.select(outcome, F.col("reading").alias("source"), zero, zero, "a", zero).toDF(*columns),
        moved.select(outcome, "source", zero, zero, zero, "b").toDF(*columns),
    ]
    every = rows[0].union(rows[1]).union(rows[2]).union(rows[3]).union(rows[4])
    return every.groupBy("kind", "source", "via", "target").agg(F.sum("a").alias("a"), F.sum("b").alias("b"))


def reading_forms(usual: DataFrame, states: DataFrame, edges: DataFrame, settings: Mine) -> DataFrame:
    """(state, p, p_low, forms) of each reading that enough users say: its best success, its preferred wordings first.

    Parameters
    ----------
    usual : frame
        As `usual_readings` returns it.
    states : frame
        As `jobs.states.with_success` returns it.
    edges : frame
        ``source``, ``target``, ``weight``, ``is_reading``.

    Returns
    -------
    frame
        ``forms`` holds structs of ``form`` (state number), ``text``, ``p`` and ``p_low``: the chance that the wording is
        understood so and succeeds. A form is said and read so by ``min_users`` users; of those nearly as good as the best
        the one with the most users comes first.
    """
    said = usual.where((F.col("share") >= USUAL) & (F.col("users") >= settings.min_users))
    reached = edges.where("is_reading").select(F.col("source").alias("state"), F.col("target").alias("reading"), "weight")
    totals = states.select("state", "total", "prior")
    rows = said.join(reached, ["state", "reading"]).join(totals, "state").withColumnRenamed("weight", "success")
    known = estimated(rows.drop("share"), settings)
    best = F.max("p").over(Window.partitionBy("reading"))
    good = known.withColumn("best", best).where(F.col("p") >= F.col("best") - NEARLY_BEST)
    form = F.struct((-F.col("users")).alias("rarity"), "text", F.col("state").alias("form"), "p", "p_low")
    listed = F.slice(F.sort_array(F.collect_list(form)), 1, MOST_FORMS).alias("forms")
    return good.groupBy(F.col("reading").alias("state")).agg(F.max("p").alias("p"), F.max("p_low").alias("p_low"), listed)
