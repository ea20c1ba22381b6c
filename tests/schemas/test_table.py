import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from schemas.table import ContractError, Table, conform, day_of, require_schema, schema_faults, type_text
from schemas.tables import STRINGS

AT = pa.timestamp("us", tz="UTC")
THINGS = Table(
    "things",
    pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("at", AT, nullable=False),
            ("n", pa.int32()),
            ("slots", STRINGS),
            ("nbest", pa.list_(pa.struct([("text", pa.string()), ("score", pa.float32())]))),
        ]
    ),
    key=("id",),
)
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def things(**columns):
    return pa.table({"id": ["a"], "at": pa.array([NOON], AT), **columns})


def test_required_columns_are_those_that_may_not_be_null():
    assert THINGS.required == ("id", "at")


def test_a_table_that_keeps_the_contract_has_no_faults():
    assert schema_faults(THINGS, THINGS.schema) == []


def test_all_faults_are_named_at_once_got_and_expected():
    got = pa.schema([("id", pa.int64()), ("n", pa.int64()), ("slots", pa.string())])
    assert schema_faults(THINGS, got) == [
        "id is int64, expected string",
        "missing 'at' (timestamp[us, UTC])",
        "n is int64, expected int32",
        "slots is string, expected map<string, string>",
    ]
    with pytest.raises(ContractError, match=r"^table 'things' in f\.parquet: id is int64, expected string; missing 'at'"):
        require_schema(THINGS, got, "f.parquet")


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.timestamp("ns", tz="UTC"), pa.timestamp("us", tz="Europe/Berlin")])
def test_an_instant_has_one_unit_and_zone(kind):
    (fault,) = schema_faults(THINGS, pa.schema([("id", pa.string()), ("at", kind)]))
    assert fault == f"at is {type_text(kind)}, expected timestamp[us, UTC]"


def test_a_column_that_appears_twice_is_a_fault_of_its_own():
    assert schema_faults(THINGS, pa.schema([("id", pa.string()), ("at", AT), ("at", AT)])) == ["'at' appears 2 times"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("id", pa.large_string()),
        ("id", pa.string_view()),
        ("slots", pa.map_(pa.large_string(), pa.string())),
        ("nbest", pa.large_list(pa.struct([("text", pa.large_string()), ("score", pa.float32())]))),
        ("n", pa.null()),
    ],
)
def test_types_that_hold_the_same_values_are_the_same(name, kind):
    fields = {"id": pa.string(), "at": AT} | {name: kind}
    assert schema_faults(THINGS, pa.schema(list(fields.items()))) == []


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.struct([("text", pa.string())])),
        pa.list_(pa.struct([("score", pa.float32()), ("text", pa.string())])),
        pa.list_(pa.struct([("text", pa.string()), ("score", pa.float64())])),
        pa.list_(pa.string()),
        pa.struct([("text", pa.string()), ("score", pa.float32())]),
    ],
)
def test_a_nested_type_must_match_inside_too(kind):
    (fault,) = schema_faults(THINGS, pa.schema([("id", pa.string()), ("at", AT), ("nbest", kind)]))
    assert fault.startswith("nbest is ")


def test_conforming_orders_columns_fills_absent_ones_and_drops_the_unknown():
    got = conform(
        THINGS, things(other=["x"], slots=pa.array([[("a", "b")]], STRINGS)).select(["other", "slots", "at", "id"])
    )
    assert got.schema == THINGS.schema
    assert got.to_pylist() == [{"id": "a", "at": NOON, "n": None, "slots": [("a", "b")], "nbest": None}]


def test_nulls_in_a_required_column_are_named_and_counted():
    data = pa.table({"id": pa.array(["a", None, None]), "at": pa.array([NOON, NOON, None], AT)})
    with pytest.raises(ContractError, match=r"id holds 2 null\(s\); at holds 1 null\(s\)"):
        conform(THINGS, data)


def test_a_day_is_the_utc_day():
    late = pa.chunked_array([[dt.datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=dt.UTC)]], AT)
    assert day_of(late).to_pylist() == ["2026-03-01"]
    assert day_of(pc.add(late, pa.scalar(dt.timedelta(microseconds=1)))).to_pylist() == ["2026-03-02"]
