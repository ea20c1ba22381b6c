"""Hubs found in Spark, locale by locale, as on arrays; and nothing of them left in the edges."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from jobs.hubs import hub_states, without_hubs
from jobs.states import named_states, with_flows

UNIT = 1_000_000
EDGES = "source long, target long, weight long, is_reading boolean"
FORMS = "state long, reading long, locale string, text string, domain string, intent string, users long"


def log_of(locale: str, first: int, n: int, hub_weight: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, str]]]:
    """n states in pairs that lead to each other, and one that leads to all but the last 19 of them."""
    states = range(first, first + n)
    edges = [(s, s ^ 1, 9 * UNIT) for s in states if s != first]
    edges += [(first, first + k, hub_weight * UNIT) for k in range(1, n - 19)]
    return edges, [(s, locale) for s in states]


def test_a_state_that_leads_anywhere_is_cut_in_its_own_locale_only(spark):
    english, spoken = log_of("en-US", 0, 120, 2)
    # The same in another locale, of which too little is known: together the two logs would be large enough.
    german, gesprochen = log_of("de-DE", 1000, 80, 2)
    # What succeeds is no transition to other words: a hub keeps it.
    success = (0, 1001, 300 * UNIT, True)
    edges = spark.createDataFrame([(*edge, False) for edge in english + german] + [success], EDGES)
    forms = [(s, 0, locale, f"t{s}", None, None, 1) for s, locale in spoken + gesprochen]
    names = named_states(spark.createDataFrame(forms, FORMS))
    ends = spark.createDataFrame([], "state long, success long, failure long")
    states = with_flows(names, edges, ends).persist()
    hubs = hub_states(states, 100)
    assert [row["state"] for row in hubs.collect()] == [0]
    left = without_hubs(edges, hubs).collect()
    assert len(left) == len(english) + len(german) - 101 + 1
    assert [row["target"] for row in left if 0 in (row["source"], row["target"])] == [1001]
    assert not hub_states(states, 121).collect()
    assert {row["state"] for row in hub_states(states, 80).collect()} == {0, 1000}
    states.unpersist()


def test_each_state_gets_what_flows_through_it(spark):
    edges = spark.createDataFrame([(1, 2, 3 * UNIT, False), (1, 3, UNIT, False), (1, 9, 2 * UNIT, True)], EDGES)
    ends = spark.createDataFrame(pa.table({"state": [1], "success": [5], "failure": [7]}))
    forms = [(k, 0, "en", f"t{k}", None, None, 1) for k in (1, 2, 3, 4)]
    rows = with_flows(named_states(spark.createDataFrame(forms, FORMS)), edges, ends).orderBy("state").collect()
    numbers = ("success", "failure", "outgoing", "w_log_w", "incoming", "total")
    spread = int(np.rint(3 * np.log(3) * UNIT))
    assert [tuple(row[n] for n in numbers) for row in rows] == [
        (2 * UNIT + 5, 7, 4 * UNIT, spread, 0, 6 * UNIT + 12),
        (0, 0, 0, 0, 3 * UNIT, 0),
        (0, 0, 0, 0, UNIT, 0),
        (0, 0, 0, 0, 0, 0),
    ]
