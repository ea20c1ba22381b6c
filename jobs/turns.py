"""What a turn was served, and its place in its session."""

from __future__ import annotations

from pyspark.sql import Column, Window, WindowSpec
from pyspark.sql import functions as F


def is_served() -> Column:
    """Whether NLU was given this system's rewrite instead of the request; never null."""
    return F.coalesce((F.col("rewrite.arm") == "treatment") & F.col("rewrite.served").isNotNull(), F.lit(False))


def in_session(*alike: str) -> WindowSpec:
    """The turns of a user's session by ``turn_index`` where the log has it, else by time; users may share its name.

    ``alike``: columns in which they agree besides.
    """
    return Window.partitionBy("user_id", "session_id", *alike).orderBy("turn_index", "at", "turn_id")
