"""What a pair must show before it may be a rewrite: each rule alone, estimates against simulation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from rewriter.markov.evidence import judge, lift_bound, success_of
from rewriter.settings import Mine

FIT = {
    "users": 50,
    "sessions": 60,
    "days": 9,
    "source_p": 0.2,
    "source_high": 0.3,
    "rewrite_p": 0.9,
    "rewrite_low": 0.8,
    "source_is_hub": False,
    "rewrite_is_hub": False,
    "loses_live": False,
    "is_said": True,
    "is_understood": False,
    "vote": 0.9,
    "came": 0.9,
    "p_live": float("nan"),
}


def reason(settings: Mine | None = None, **change: object) -> str:
    table = judge(pa.Table.from_pylist([FIT | change]), settings or Mine())
    return table.column("reason").to_pylist()[0]


#: What speaks against a pair whose own traffic does not speak for it.
ESTIMATES = [
    ({"came": 0.2}, "few who say it come to mean the rewrite"),
    ({"source_p": 0.81, "source_high": 0.82}, "the request normally succeeds"),
    ({"is_understood": True, "source_p": 0.51, "source_high": 0.6}, "the request is understood as it is"),
    ({"rewrite_low": 0.15}, "no certain gain in success"),
]
#: What speaks against every pair.
ALWAYS = [
    ({"source_is_hub": True}, "the request leads anywhere (hub)"),
    ({"rewrite_is_hub": True}, "the rewrite leads anywhere (hub)"),
    ({"users": 9}, "fewer than 10 users"),
    ({"sessions": 9}, "fewer than 10 sessions"),
    ({"days": 1}, "fewer than 2 days"),
    ({"loses_live": True}, "loses live"),
    ({"is_said": False}, "fewer than 10 users say the rewrite"),
    ({"vote": 0.4}, "most who say it otherwise mean something else"),
    ({"rewrite_p": 0.5}, "the rewrite fails too"),
]
STRICT = dataclasses.replace(Mine(), min_user_share=0.25)


@pytest.mark.parametrize(("change", "said"), [*ALWAYS, *ESTIMATES])
def test_each_rule_alone_rejects_and_says_so(change: dict[str, object], said: str):
    assert reason(STRICT) == ""
    assert reason(STRICT, **change) == said


@pytest.mark.parametrize("change", [change for change, _ in ESTIMATES])
def test_estimates_do_not_bind_a_pair_that_wins_live(change: dict[str, object]):
    assert reason(STRICT, **change, p_live=0.8) == ""


@pytest.mark.parametrize(("change", "said"), ALWAYS)
def test_support_votes_and_failures_bind_a_pair_that_wins_live(change: dict[str, object], said: str):
    assert reason(STRICT, **change, p_live=0.8) == said


def test_the_first_rule_that_is_broken_is_the_reason():
    assert reason(users=1, days=1, loses_live=True) == "fewer than 10 users"


def test_the_lift_must_exceed_the_setting_and_other_columns_pass_through():
    assert reason(dataclasses.replace(Mine(), min_lift=0.6)) == "no certain gain in success"
    table = judge(pa.Table.from_pylist([FIT | {"name": "kept"}]), Mine())
    assert table.column("name").to_pylist() == ["kept"]
    assert table.column("lift").to_pylist() == pytest.approx([0.7])
    assert table.column("lift_lower").to_pylist() == pytest.approx([0.7 - np.hypot(0.1, 0.1)])


def test_what_nobody_voted_on_is_not_held_against_a_pair():
    assert reason(vote=float("nan"), came=float("nan")) == ""
    few = dataclasses.replace(Mine(), min_user_share=0.95)
    assert reason(few) == "few who say it come to mean the rewrite"
    assert reason(few, came=float("nan")) == ""


def test_no_pairs_are_judged_without_complaint():
    empty = pa.Table.from_pylist([FIT]).slice(0, 0)
    assert judge(empty, Mine()).num_rows == 0


def test_few_requests_are_shrunk_to_their_domain_and_many_speak_for_themselves():
    few, many = (success_of(np.array([0.0]), np.array([n]), np.array([0.8]), Mine(prior_strength=4.0)) for n in (1.0, 1e4))
    assert few.mean[0] == pytest.approx(4 * 0.8 / 5)
    assert many.mean[0] == pytest.approx(0.0, abs=1e-3)
    assert few.high[0] > 0.8
    assert many.high[0] < 1e-3


def test_a_state_that_was_never_said_keeps_its_domains_mean():
    alone = success_of(np.zeros(1), np.zeros(1), np.array([0.3]), Mine())
    assert alone.mean[0] == pytest.approx(0.3)
    assert alone.low[0] < 0.05


def test_the_limits_hold_the_stated_share_of_the_posterior():
    rng = np.random.default_rng(3)
    one = success_of(np.array([7.0]), np.array([9.0]), np.array([0.5]), Mine(prior_strength=2.0, confidence=0.9))
    draws = rng.beta(8.0, 3.0, 200_000)
    assert np.mean(draws < one.low[0]) == pytest.approx(0.1, abs=0.005)
    assert np.mean(draws > one.high[0]) == pytest.approx(0.1, abs=0.005)


@pytest.mark.parametrize(("n_source", "n_rewrite"), [(6, 6), (12, 40), (200, 200)])
def test_the_lower_bound_of_the_lift_is_rarely_above_the_truth(n_source: int, n_rewrite: int):
    rng = np.random.default_rng(n_source)
    truth = rng.uniform(0.05, 0.95, (2, 20_000))
    settings = Mine(prior_strength=2.0)
    prior = np.full(20_000, 0.5)
    trials = np.array([n_source, n_rewrite])
    source, rewrite = (
        success_of(rng.binomial(n, t).astype(float), np.full(20_000, float(n)), prior, settings)
        for n, t in zip(trials, truth, strict=True)
    )
    _, lower = lift_bound(source.mean, source.high, rewrite.mean, rewrite.low)
    above = np.mean(lower > truth[1] - truth[0])
    assert 0.005 < above < 0.065
