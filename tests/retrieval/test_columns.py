"""Values read in place are those that Arrow gives."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriter.retrieval.columns import Maps, Texts

TEXTS = st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=5)), min_size=1, max_size=40)
MAPS = st.lists(
    st.one_of(st.none(), st.dictionaries(st.text("abü", min_size=1, max_size=2), st.text("xyß", max_size=3), max_size=4)),
    min_size=1,
    max_size=20,
)


@settings(deadline=None)
@given(TEXTS, st.data())
def test_the_texts_of_a_part_of_a_column_are_arrows(texts: list[str | None], data):
    first = data.draw(st.integers(0, len(texts) - 1))
    column = pa.array(texts, pa.string()).slice(first)
    read = Texts(column)
    assert [read[row] for row in range(len(read))] == column.to_pylist()
    assert [read.bytes_of(row) for row in range(len(read))] == [(text or "").encode() for text in texts[first:]]


@settings(deadline=None)
@given(MAPS, st.data())
def test_the_maps_of_a_part_of_a_column_are_arrows_and_a_null_one_is_empty(maps: list[dict[str, str] | None], data):
    first = data.draw(st.integers(0, len(maps) - 1))
    column = pa.array([one and list(one.items()) for one in maps], pa.map_(pa.string(), pa.string())).slice(first)
    read = Maps(column)
    assert [read[row] for row in range(len(column))] == [one or {} for one in maps[first:]]


@pytest.mark.parametrize("rows", [0, 1])
def test_a_column_of_nothing_holds_nothing(rows: int):
    assert len(Texts(pa.array(["x"]).slice(0, rows))) == rows
