"""Which days teach, rank and evaluate: always whole days in time order, never a random split of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from rewriter.errors import RewriterError


@dataclass(frozen=True)
class Days:
    """Days of a log in time order: ``fit`` teaches models and pairs, ``rank`` the ranker, ``evaluate`` the thresholds."""

    fit: tuple[str, ...]
    rank: tuple[str, ...]
    evaluate: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every day."""
        return self.fit + self.rank + self.evaluate


def split_days(days: Sequence[str], heldout_share: float) -> Days:
    """Hold out the last days, half of them (rounded up) to evaluate; a log of under three days holds out none.

    >>> split_days(["d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8"], 0.25)
    Days(fit=('d1', 'd2', 'd3', 'd4', 'd5', 'd6'), rank=('d7',), evaluate=('d8',))
    """
    ordered = sorted(set(days))
    if len(ordered) < 3:
        return Days(tuple(ordered), (), ())
    n_held = min(max(2, round(heldout_share * len(ordered))), len(ordered) - 1)
    n_evaluate = (n_held + 1) // 2
    fit, held = ordered[:-n_held], ordered[-n_held:]
    return Days(tuple(fit), tuple(held[: n_held - n_evaluate]), tuple(held[n_held - n_evaluate :]))


def days_of(frame: DataFrame) -> list[str]:
    """The distinct values of ``day``, sorted.

    Raises
    ------
    RewriterError
        If the log holds no turns.
    """
    days = sorted(row[0] for row in frame.select("day").distinct().collect())
    if not days:
        raise RewriterError("the log is empty: no turns to learn from")
    return days


def select_days(frame: DataFrame, part: str, heldout_share: float) -> DataFrame:
    """Rows of one part (see `jobs.command.PARTS`) of the log's days; the column ``day`` decides."""
    days = split_days(days_of(frame), heldout_share)
    return frame if part == "all" else frame.where(F.col("day").isin(list(getattr(days, part))))
