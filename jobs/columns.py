"""Column functions that several jobs share."""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from rewriter.intents import NOTHING_UNDERSTOOD
from rewriter.text import normalise


@F.arrow_udf(StringType())  # type: ignore[attr-defined,untyped-decorator]
def _normal_form(text: pa.Array) -> pa.Array:
    unique = text.dictionary_encode()
    words = [None if value is None else normalise(value) for value in unique.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(unique.indices)


def understood() -> Column:
    """`rewriter.intents.understood` of the column ``intent``."""
    return F.when(~F.lower("intent").isin(*NOTHING_UNDERSTOOD), F.col("intent"))


def normal_form(column: Column | str) -> Column:
    """`rewriter.text.normalise` of a text column; each distinct text of an Arrow batch is normalised once."""
    return _normal_form(column)  # type: ignore[no-any-return]
