import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from rewriter.errors import RewriterError
from rewriter.evaluation.win_loss import Z95, Outcome, WinLoss, wilson


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipy(case):
    k, n = case
    theirs = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_z95_is_the_two_sided_normal_quantile():
    assert pytest.approx(norm.ppf(0.975), abs=1e-12) == Z95


@pytest.mark.parametrize(
    ("wins", "losses", "ratio", "low", "high"),
    [(35, 1, 35.00, 6.06, 202.24), (85, 24, 3.54, 2.26, 5.55), (28, 11, 2.55, 1.28, 5.04), (2, 398, 0.01, 0.00, 0.02)],
)
def test_published_ratios_are_reproduced(wins, losses, ratio, low, high):
    counts = WinLoss(n=1000, rewritten=wins + losses, wins=wins, losses=losses)
    assert round(counts.ratio, 2) == ratio
    assert [round(x, 2) for x in counts.ratio_interval()] == [low, high]


def test_without_losses_the_ratio_is_unknown_and_the_lower_bound_is_not():
    counts = WinLoss(n=50, rewritten=17, wins=17, losses=0)
    assert counts.ratio is None
    low, high = counts.ratio_interval()
    assert round(low, 2) == 4.43
    assert high == math.inf


def test_nothing_decided_says_nothing():
    assert WinLoss(10, 0, 0, 0).ratio_interval() == (0.0, math.inf)


def test_outcomes_are_counted_and_the_delta_is_negative_when_rewriting_helps():
    counts = WinLoss.of(["win", "win", "loss", Outcome.TIE, "undecided", "undecided"], n=10)
    assert counts == WinLoss(n=10, rewritten=6, wins=2, losses=1, ties=1, undecided=2)
    assert counts.trigger_rate == 0.6
    assert counts.defect_delta == pytest.approx(-0.1)


def test_segments_add_up():
    assert WinLoss(10, 4, 2, 1, 1, 0) + WinLoss(5, 2, 1, 0, 0, 1) == WinLoss(15, 6, 3, 1, 1, 1)


def test_impossible_counts_are_refused():
    with pytest.raises(RewriterError, match="impossible"):
        WinLoss(n=10, rewritten=2, wins=2, losses=1)
    with pytest.raises(RewriterError, match="3 successes of 2"):
        wilson(3, 2)


def test_a_row_fits_the_win_loss_table():
    import pyarrow as pa

    from schemas.table import conform
    from schemas.tables import WIN_LOSS

    row = WinLoss(50, 17, 17, 0).row("proxy", "global", threshold=0.7)
    table = conform(WIN_LOSS, pa.Table.from_pylist([row], schema=WIN_LOSS.schema))
    got = table.to_pylist()[0]
    assert (got["ratio"], got["ratio_high"], got["wins"], got["defect_delta"]) == (None, None, 17, -0.34)
    assert got["ratio_low"] == pytest.approx(4.43, abs=0.005)
