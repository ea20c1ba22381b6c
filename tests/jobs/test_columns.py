"""Columns that Spark computes as the algorithms do."""

from __future__ import annotations

from jobs.columns import understood
from rewriter.intents import NOTHING_UNDERSTOOD
from rewriter.intents import understood as understood_by_python


def test_an_intent_is_understood_by_spark_as_by_python(spark) -> None:
    names = [None, "play_song", "Null", "AMAZON.FallbackIntent", "nothing_else", *NOTHING_UNDERSTOOD]
    rows = spark.createDataFrame([(i, name) for i, name in enumerate(names)], "i int, intent string")
    found = {row["i"]: row["said"] for row in rows.select("i", understood().alias("said")).collect()}
    expected = {i: understood_by_python(name) for i, name in enumerate(names)}
    assert found == expected
    assert [name for name in expected.values() if name] == ["play_song", "nothing_else"]
