"""What pairs are mined from: turns, defects and rephrases read from their tables, and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.days import days_of, split_days
from jobs.dialogue import with_sessions
from jobs.rephrase_threshold import rephrase_threshold
from jobs.session import spark_session
from jobs.storage import read_table
from rewriter.errors import RewriterError
from rewriter.settings import Settings
from schemas.tables import DEFECTS, REPHRASES, TURNS


@dataclass(frozen=True)
class Evidence:
    """What pairs are mined from; and by which model.

    Attributes
    ----------
    turns : frame
        With ``session_id`` filled.
    defects : frame or None
        ``turn_id``, ``defect``; None: by the rules.
    links : frame or None
        ``turn_id``, ``rephrase_turn_id``, ``weight``; None: adjacency.
    days : the log's days, the first one first
    has_intents : whether the log records intents, without which a null intent says nothing
    """

    turns: DataFrame
    defects: DataFrame | None
    links: DataFrame | None
    model: str
    days: tuple[str, ...]
    has_intents: bool


def rephrase_links(rephrases: DataFrame, threshold: float) -> DataFrame:
    """Detected rephrases from the threshold on: (turn_id, rephrase_turn_id, weight)."""
    found = F.col("rephrase_turn_id").isNotNull() & (F.col("probability") >= threshold)
    return rephrases.where(found).select("turn_id", "rephrase_turn_id", F.col("probability").cast("double").alias("weight"))


def require_shares(rows: DataFrame, column: str, where: str) -> None:
    """Refuse values that are no probability.

    Raises
    ------
    RewriterError
        Naming the table, the column and one such value.
    """
    wrong = rows.where(F.isnan(column) | ~F.col(column).between(0.0, 1.0)).select(column).head(1)
    if wrong:
        raise RewriterError(f"{where}: '{column}' is {wrong[0][0]}, expected 0 to 1")


def require_labels(labels: DataFrame, log: DataFrame, where: str) -> None:
    """Refuse defects that cannot cover the log: a turn without a label would look like a success.

    Raises
    ------
    RewriterError
        With both numbers of turns.
    """
    n_labels, n_turns = labels.count(), log.count()
    if n_labels < n_turns:
        raise RewriterError(f"{where}: labels {n_labels:,} of {n_turns:,} turns; run label_defects on the same turns")


def read_evidence(
    turns: Path, defects: Path | None, rephrases: Path | None, model: Path | None, settings: Settings, part: str = "all"
) -> Evidence:
    """Read the tables; without defects the rules label the turns, without rephrases adjacency links them."""
    spark = spark_session()
    log = read_table(spark, turns, TURNS)
    days = tuple(days_of(log))
    if part != "all":
        days = getattr(split_days(days, settings.evaluate.heldout_share), part)
        log = log.where(F.col("day").isin(list(days)))
    labels = read_table(spark, defects, DEFECTS) if defects else None
    if labels is not None:
        require_shares(labels, "defect", f"defects {defects}")
        require_labels(labels, log, f"defects {defects}")
    if log.where(F.col("session_id").isNull()).head(1):
        log = with_sessions(log, settings.sessions.max_gap_s)
    links, version = None, "adjacency"
    if rephrases is not None:
        threshold, version = rephrase_threshold(model, settings)
        found = read_table(spark, rephrases, REPHRASES)
        require_shares(found, "probability", f"rephrases {rephrases}")
        links = rephrase_links(found, threshold)
    has_intents = bool(log.where(F.col("intent").isNotNull()).head(1))
    return Evidence(log, labels, links, version, days, has_intents)
