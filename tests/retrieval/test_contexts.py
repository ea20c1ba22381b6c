"""How well a meaning fits a context."""

from __future__ import annotations

import math

import pytest

from rewriter.errors import RewriterError
from rewriter.retrieval.contexts import Contexts, contexts_of, shape_of

ASKED, GREETED = ("prompt", "which area?"), ("response", "hello")
AREA, FOOD, BYE = "food|inform|area", "food|inform|food", "food|bye"
SEEN = Contexts.of(
    [
        *((None, AREA, 30), (None, FOOD, 60), (None, BYE, 10)),
        *((ASKED, AREA, 24), (ASKED, FOOD, 6)),
        *((GREETED, AREA, 20), (GREETED, FOOD, 40)),
    ]
)


@pytest.mark.parametrize(
    ("contexts", "shape", "ratio"),
    [
        ([ASKED], AREA, (24 + 1) / (0.3 * 30 + 1)),
        ([ASKED], FOOD, (6 + 1) / (0.6 * 30 + 1)),
        ([ASKED], BYE, 1 / (0.1 * 30 + 1)),
        ([ASKED, GREETED], AREA, math.sqrt((25 / 10) * (21 / 19))),
        ([ASKED, ("zone", "Rome")], AREA, 25 / 10),
    ],
)
def test_a_fit_is_the_log_of_users_seen_to_users_expected_and_the_mean_over_contexts(contexts, shape, ratio):
    assert SEEN.fit(contexts, shape) == pytest.approx(math.log(ratio))


@pytest.mark.parametrize(
    ("contexts", "shape"), [([], AREA), ([("zone", "Rome")], AREA), ([ASKED], None), ([ASKED], "music|play|song")]
)
def test_an_unknown_context_or_shape_has_no_fit(contexts, shape):
    assert SEEN.fit(contexts, shape) is None


def test_contexts_are_what_the_caller_tells_and_the_last_response():
    assert contexts_of({"screen": "player", "zone": ""}, "Which  Song?") == (
        ("screen", "player"),
        ("response", "which song"),
    )
    assert contexts_of({}, None) == contexts_of({}, "?!") == ()


def test_nothing_understood_has_no_shape():
    assert shape_of("food", "null", ["area"]) is None
    assert shape_of(None, "bye", []) == "|bye"


def test_what_is_saved_is_loaded_whatever_the_letters(tmp_path):
    odd = Contexts.of([(None, "a|b", 3), (("ключ", "\ud800 \n"), "a|b", 3)])
    odd.save(tmp_path)
    assert Contexts.load(tmp_path) == odd


@pytest.mark.parametrize("body", ["", "{}", '{"everywhere": {}, "within": [["a"]]}'])
def test_a_broken_file_is_named(tmp_path, body):
    (tmp_path / "contexts.json").write_text(body)
    with pytest.raises(RewriterError, match=r"contexts\.json: cannot be read"):
        Contexts.load(tmp_path)
