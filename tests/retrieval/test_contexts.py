"""How well a meaning fits a context."""

from __future__ import annotations

import math

import pytest

from rewriter.errors import RewriterError
from rewriter.retrieval.contexts import MAX_ITEMS, MAX_RESPONSE, RESPONSE, Contexts, contexts_of, shape_of

ASKED, GREETED = ("prompt", "which area?"), (RESPONSE, "hello")
AREA, FOOD, BYE = "food|inform|area", "food|inform|food", "food|bye"
SEEN = Contexts.of(
    [
        *(("en", None, None, 100.0), ("en", None, AREA, 30.0), ("en", None, FOOD, 60.0), ("en", None, BYE, 10.0)),
        *(("en", ASKED, None, 40.0), ("en", ASKED, AREA, 24.0), ("en", ASKED, FOOD, 6.0)),
        *(("en", GREETED, None, 60.0), ("en", GREETED, AREA, 20.0), ("en", GREETED, FOOD, 40.0)),
        *(("de", None, None, 9.0), ("de", None, FOOD, 9.0), ("de", ("zone", "Rome"), FOOD, 5.0)),
    ],
    hidden=2.0,
)


@pytest.mark.parametrize(
    ("contexts", "shape", "ratio"),
    [
        ([ASKED], AREA, (24 + 1) / (0.3 * 40 + 1)),
        ([ASKED], FOOD, (6 + 1) / (0.6 * 40 + 1)),
        ([ASKED], BYE, (2 + 1) / (0.1 * 40 + 1)),  # as many may have asked as privacy hides
        ([ASKED, GREETED], AREA, math.sqrt((25 / 13) * (21 / 19))),
        ([ASKED, ("zone", "Rome")], AREA, 25 / 13),
    ],
)
def test_a_fit_is_the_log_of_votes_seen_to_votes_expected_and_the_mean_over_contexts(contexts, shape, ratio):
    assert SEEN.fit("en", contexts, shape) == pytest.approx(math.log(ratio))


def test_what_privacy_may_hide_never_speaks_for_a_shape():
    few = Contexts.of([("en", None, None, 100.0), ("en", None, BYE, 10.0), ("en", ASKED, None, 5.0)], hidden=4.0)
    assert few.fit("en", [ASKED], BYE) == 0.0


@pytest.mark.parametrize(
    ("locale", "contexts", "shape"),
    [
        ("en", [], AREA),
        ("en", [("zone", "Rome")], AREA),
        ("en", [ASKED], None),
        ("en", [ASKED], "music|play|song"),
        ("de", [ASKED], FOOD),
        ("de", [("zone", "Rome")], FOOD),  # nobody knows how many asked there
        ("fr", [ASKED], FOOD),
    ],
)
def test_an_unknown_context_or_shape_has_no_fit(locale, contexts, shape):
    assert SEEN.fit(locale, contexts, shape) is None


def test_contexts_are_what_the_caller_tells_and_the_last_response():
    told = contexts_of({"screen": "player", "zone": "", "": "x"}, "Which  Song?")
    assert told == (("screen", "player"), (RESPONSE, "which song"))
    assert contexts_of({}, None) == contexts_of({}, "?!") == ()


def test_a_huge_context_is_cut():
    told = contexts_of({str(i): "x" for i in range(100_000)}, "a" * 5_000_000)
    assert len(told) == MAX_ITEMS + 1
    assert told[-1] == (RESPONSE, "a" * MAX_RESPONSE)


def test_nothing_understood_has_no_shape():
    assert shape_of("food", "null", ["area"]) is None
    assert shape_of(None, "bye", []) == "|bye"


def test_what_is_saved_is_loaded_whatever_the_letters(tmp_path):
    rows = [("en", None, None, 3.0), ("en", ("ключ", "\ud800 \n"), None, 3.0), ("en", ("ключ", "\ud800 \n"), "a|b", 1.5)]
    odd = Contexts.of(rows, hidden=4.0)
    odd.save(tmp_path)
    assert Contexts.load(tmp_path) == odd


TOTALS = [f'{{"hidden": 1, "votes": [["en", null, {{{total}}}]]}}' for total in ('"a": 1', '"": 0', '"": "x"')]


@pytest.mark.parametrize(
    "body", ["", "{}", '{"hidden": 1, "votes": [["a"]]}', '{"hidden": null, "votes": []}', "[]", *TOTALS]
)
def test_a_broken_file_is_named(tmp_path, body):
    (tmp_path / "contexts.json").write_text(body)
    with pytest.raises(RewriterError, match=r"contexts\.json: cannot be read"):
        Contexts.load(tmp_path)
