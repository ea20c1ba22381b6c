"""Connected components of a log's transitions, labelled in Spark: every state gets the least state it is connected with."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jobs.scratch import Scratch

#: Rounds after which labelling gives up; each halves the longest way to a label at least.
MAX_ROUNDS = 60


def _symmetric(edges: DataFrame) -> DataFrame:
    """(u, v) both ways."""
    return edges.select("u", "v").union(edges.select(F.col("v").alias("u"), F.col("u").alias("v")))


def large_star(edges: DataFrame) -> DataFrame:
    """Each state's larger neighbours are joined to the least of its neighbours and itself."""
    around = _symmetric(edges)
    own = Window.partitionBy("u")
    least = around.withColumn("m", F.least(F.min("v").over(own), F.col("u"))).where(F.col("v") > F.col("u"))
    return least.select(F.col("v").alias("u"), F.col("m").alias("v")).distinct()


def small_star(edges: DataFrame) -> DataFrame:
    """Each state and its smaller neighbours are joined to the least of them."""
    down = edges.select(F.greatest("u", "v").alias("u"), F.least("u", "v").alias("v")).where(F.col("u") > F.col("v"))
    least = down.withColumn("m", F.min("v").over(Window.partitionBy("u")))
    to_least = least.where(F.col("v") != F.col("m")).select(F.col("v").alias("u"), F.col("m").alias("v"))
    return to_least.union(least.select("u", F.col("m").alias("v"))).distinct()


def _fingerprint(edges: DataFrame) -> tuple[int, int]:
    """How many edges, and their hashes in one, which any change of an edge alters."""
    row = edges.agg(F.count("*"), F.bit_xor(F.xxhash64("u", "v"))).first()
    return (0, 0) if row is None else (int(row[0]), int(row[1] or 0))


def label_components(edges: DataFrame, scratch: Scratch) -> DataFrame:
    """(state, component) of every state with a transition; a component is named by its least state.

    Parameters
    ----------
    edges : frame
        ``source`` and ``target``; their direction does not matter.

    Notes
    -----
    Large-star and small-star alternate until nothing changes: then every state points at the least of its component. Each
    round's edges are kept apart from their history, so plans stay short.

    References
    ----------
    Kiveris et al. 2014, Connected Components in MapReduce and Beyond (SoCC), section 3.
    """
    stars = edges.select(F.greatest("source", "target").alias("u"), F.least("source", "target").alias("v"))
    stars = scratch.keep(stars.where(F.col("u") != F.col("v")).distinct())
    before = _fingerprint(stars)
    for _ in range(MAX_ROUNDS):
        following = scratch.keep(small_star(large_star(stars)))
        stars, now = following, _fingerprint(following)
        if now == before:
            break
        before = now
    else:
        raise ArithmeticError(f"components did not settle in {MAX_ROUNDS} rounds")
    label = F.col("v").alias("component")
    return stars.select(F.col("u").alias("state"), label).union(stars.select(F.col("v").alias("state"), label)).distinct()
