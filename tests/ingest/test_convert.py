from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.ingest.convert import BY_COLUMN, converter
from rewriter.ingest.times import time_of
from rewriter.ingest.unfit import UnfitError
from schemas.tables import TURNS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("2026-03-01T12:00:00Z", "time"),
        ("2026-03-01T13:00:00+01:00", "iso"),
        ("2026-03-01 12:00:00", "time"),
        (1772366400, "time"),
        ("1772366400.0", "time"),
        (1772366400000, "time"),
        (1772366400, "epoch_s"),
        ("1772366400000", "epoch_ms"),
        (1772366400000000, "epoch_us"),
        (datetime(2026, 3, 1, 12), "time"),
    ],
)
def test_every_way_to_write_an_instant_gives_the_same_one(value, kind):
    assert time_of(value, kind) == NOON


def test_digits_that_also_spell_a_day_and_a_time_are_milliseconds_unless_the_mapping_says_iso():
    assert time_of("1769050661844") == datetime(2026, 1, 22, 2, 57, 41, 844000, UTC)
    assert time_of(" 1769050661844\n") == time_of(1769050661844)
    assert time_of("20260301") == datetime(2026, 3, 1, tzinfo=UTC)
    assert time_of("2026030161200", "iso") == NOON


def test_a_time_without_offset_is_read_in_the_given_zone():
    assert time_of("2026-03-01T13:00:00", zone=ZoneInfo("Europe/Berlin")) == NOON
    assert time_of("2026-03-01T12:00:00Z", zone=ZoneInfo("Europe/Berlin")) == NOON


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("soon", "time", "is not a time: 'soon'"),
        (1772366400, "iso", "is not a time"),
        (1772366400, "epoch_ms", "in the year 1970: a wrong unit"),
        (1e300, "time", "is not a time"),
        (True, "time", "is not a time"),
        ("nan", "time", "is not a time"),
        ({}, "time", "is not a time"),
    ],
)
def test_what_is_no_time_is_refused(value, kind, message):
    with pytest.raises(UnfitError, match=message):
        time_of(value, kind)


@pytest.mark.parametrize(
    ("column", "value", "result"),
    [
        ("utterance", "  play jazz ", "play jazz"),
        ("user_id", 17, "17"),
        ("device", " ", None),
        ("locale", "en_US", "en-US"),
        ("locale", "en-us", "en-US"),
        ("locale", "ZH_hant-tw", "zh-Hant-TW"),
        ("turn_index", "3", 3),
        ("asr_confidence", "0.25", 0.25),
        ("asr_confidence", float("nan"), None),
        ("barge_in", "Yes", True),
        ("barge_in", 0, False),
        ("response_status", "Fallback", "fallback"),
        ("slots", {"b": 2, "a": "x", "c": None, "d": [1]}, [("a", "x"), ("b", "2"), ("d", "[1]")]),
        ("slots", '{"a": "x"}', [("a", "x")]),
        ("slots", [{"entity": "city", "value": "Rome"}], [("city", "Rome")]),
        ("slots", [["a", "x"]], [("a", "x")]),
        ("slots", "", None),
        ("asr_nbest", ["a", "b"], [{"text": "a", "score": None}, {"text": "b", "score": None}]),
        ("asr_nbest", '[{"transcript": "a", "confidence": "0.5"}]', [{"text": "a", "score": 0.5}]),
        ("asr_nbest", [["a", -2.5]], [{"text": "a", "score": -2.5}]),
    ],
)
def test_a_value_becomes_what_its_column_needs(column, value, result):
    assert converter(column)(value) == result


def test_percent_is_a_share_times_a_hundred():
    assert converter("nlu_confidence", "percent")("85") == 0.85
    with pytest.raises(UnfitError, match=r"outside 0\.\.100"):
        converter("nlu_confidence", "percent")(130)


def test_the_record_of_a_rewrite_keeps_its_fields():
    got = converter("rewrite")({"rewrite_id": "r", "served": "x", "arm": "control", "propensity": 0.5, "other": 1})
    assert (got["rewrite_id"], got["propensity"], got["layer"]) == ("r", 0.5, None)
    assert "other" not in got


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("utterance", "   ", "is empty"),
        ("utterance", "x" * 2001, "has 2,001 characters, at most 2,000"),
        ("utterance", {"text": "x"}, "is not text"),
        ("locale", "klingon!", "BCP-47"),
        ("turn_index", 1.5, "is not a whole number"),
        ("turn_index", 2**31, "is not a whole number"),
        ("asr_confidence", 1.5, "is 1.5, outside 0..1"),
        ("asr_confidence", "high", "is not a number: 'high'"),
        ("asr_confidence", "inf", "is infinite"),
        ("barge_in", "maybe", "is not true or false"),
        ("barge_in", 2, "is not true or false"),
        ("response_status", "great", "none of ok, no_result"),
        ("slots", "{broken", "is not a map in JSON"),
        ("slots", [1], "holds no name and value"),
        ("asr_nbest", "a|b", "in JSON"),
        ("asr_nbest", [{"score": 1}], "holds no text"),
        ("rewrite", {"propensity": 2}, "outside 0..1"),
        ("at", "0001-01-01T00:00:00+14:00", "is out of range"),
        ("slots", "[" * 100_000, "is nested too deeply"),
        ("asr_nbest", f'[["a", {"9" * 400}]]', "is out of range"),
        ("slots", r'{"a": "\ud800"}', "lone surrogate"),
        ("slots", r'{"\ud800": "a"}', "lone surrogate"),
        ("slots", r'{"a": ["\udfff"]}', "lone surrogate"),
        ("asr_nbest", r'["\ud800"]', "lone surrogate"),
        ("rewrite", r'{"served": "\ud800"}', "lone surrogate"),
        ("user_id", "ann\ud800", "lone surrogate"),
    ],
)
def test_an_unfit_value_says_why(column, value, message):
    with pytest.raises(UnfitError, match=message):
        converter(column)(value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(column=st.sampled_from(sorted(BY_COLUMN)), value=_JSON.filter(lambda v: v is not None))
def test_whatever_the_value_it_is_converted_or_refused_never_a_crash(column, value):
    try:
        made = converter(column)(value)
    except UnfitError:
        return
    # What is taken fits the column's type.
    assert pa.array([made], TURNS.schema.field(column).type).null_count == (made is None)
