"""Names of states, and their success shrunk to the domain of their own locale."""

from __future__ import annotations

import pytest

from jobs.states import named_states, with_success
from rewriter.settings import Mine

UNIT = 1_000_000
FORMS = "state long, reading long, locale string, text string, domain string, intent string, users long"


def test_a_state_is_named_as_it_was_mostly_read(spark):
    rows = [
        (1, 8, "en", "play it", "video", "watch", 2),
        (1, 9, "en", "play it", "music", "play", 3),
        (2, 7, "en", "stop", "timer", "stop", 4),
        (2, 6, "en", "stop", "music", "stop", 4),
        (3, 0, "en", "what", None, None, 1),
        (4, 9, "en", "play that", "music", "play", 5),
    ]
    named = named_states(spark.createDataFrame(rows, FORMS)).orderBy("is_reading", "state").collect()
    assert [tuple(row) for row in named] == [
        (1, "en", "play it", "music", "play", False),
        (2, "en", "stop", "music", "stop", False),
        (3, "en", "what", None, None, False),
        (4, "en", "play that", "music", "play", False),
        (6, "en", "stop", "music", "stop", True),
        (7, "en", "stop", "timer", "stop", True),
        (8, "en", "play it", "video", "watch", True),
        (9, "en", "play that", "music", "play", True),
    ]


def test_success_is_shrunk_to_the_states_of_the_same_domain_and_locale(spark):
    rows = [
        (1, "en", "music", 9 * UNIT, 10 * UNIT, False),
        (2, "en", "music", 0, 0, True),
        (3, "de", "music", 2 * UNIT, 10 * UNIT, False),
        (4, "en", None, 3 * UNIT, 4 * UNIT, False),
        (5, "en", "empty", 0, 0, False),
    ]
    schema = "state long, locale string, domain string, success long, total long, is_hub boolean"
    found = with_success(spark.createDataFrame(rows, schema), Mine(prior_strength=5.0)).orderBy("state").collect()
    assert [row["p"] for row in found] == pytest.approx([0.9, 0.9, 0.2, 0.75, 0.5])
    assert [row["is_hub"] for row in found] == [False, True, False, False, False]
    assert all(row["p_low"] < row["p"] < row["p_high"] for row in found)
    assert found[1]["p_high"] - found[1]["p_low"] > found[0]["p_high"] - found[0]["p_low"]
