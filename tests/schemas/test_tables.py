import datetime as dt

import pyarrow as pa
import pytest
from pyspark.sql import types as T

from schemas.spark import spark_schema
from schemas.tables import ARMS, FEEDBACKS, RESPONSE_STATUSES, TABLES, TURNS

#: The input contract as its users know it: renaming or retyping one of these breaks their logs.
TURN_COLUMNS = {
    "turn_id": "string",
    "user_id": "string",
    "session_id": "string",
    "turn_index": "int32",
    "at": "timestamp[us, tz=UTC]",
    "locale": "string",
    "device": "string",
    "utterance": "string",
    "asr_confidence": "float",
    "asr_nbest": "list<item: struct<text: string, score: float>>",
    "domain": "string",
    "intent": "string",
    "slots": "map<string, string>",
    "nlu_confidence": "float",
    "response": "string",
    "response_status": "string",
    "barge_in": "bool",
    "feedback": "string",
    "context": "map<string, string>",
    "rewrite": "struct<rewrite_id: string, served: string, layer: string, arm: string, propensity: float, "
    "bundle_version: string>",
}


def test_the_input_contract_does_not_change_by_accident():
    assert {f.name: str(f.type) for f in TURNS.schema} == TURN_COLUMNS
    assert TURNS.required == ("turn_id", "user_id", "at", "locale", "utterance")
    assert RESPONSE_STATUSES == ("ok", "no_result", "error", "fallback", "unsupported")
    assert (FEEDBACKS, ARMS) == (("positive", "negative"), ("treatment", "holdout", "control"))


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_key_is_made_of_columns_that_are_never_null(table):
    assert set(table.key) <= set(table.required)
    assert len(set(table.schema.names)) == len(table.schema.names)


_SPARK = {
    "string": T.StringType(),
    "bool": T.BooleanType(),
    "int32": T.IntegerType(),
    "int64": T.LongType(),
    "float": T.FloatType(),
    "double": T.DoubleType(),
    "timestamp[us, tz=UTC]": T.TimestampType(),
}


def _as_spark(kind):
    if pa.types.is_map(kind):
        return T.MapType(_as_spark(kind.key_type), _as_spark(kind.item_type))
    if pa.types.is_list(kind):
        return T.ArrayType(_as_spark(kind.value_type))
    if pa.types.is_struct(kind):
        return T.StructType([T.StructField(f.name, _as_spark(f.type)) for f in kind])
    return _SPARK[str(kind)]


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_spark_types_derive_from_the_contract(table):
    derived = spark_schema(table)
    assert [(f.name, f.dataType, f.nullable) for f in derived] == [
        (f.name, _as_spark(f.type), f.nullable) for f in table.schema
    ]


def test_rows_survive_the_way_through_spark(spark):
    row = dict.fromkeys(TURNS.schema.names) | {
        "turn_id": "t", "user_id": "u", "locale": "en-US", "utterance": "x", "slots": {"a": "b"}, "asr_confidence": 0.5,
        "at": dt.datetime(2026, 3, 1, 23, 30), "asr_nbest": [{"text": "x", "score": 0.5}],
    }  # fmt: skip
    got = spark.createDataFrame([row], spark_schema(TURNS)).toArrow().to_pylist()[0]
    assert (got["slots"], got["asr_nbest"], got["asr_confidence"]) == ([("a", "b")], [{"text": "x", "score": 0.5}], 0.5)
