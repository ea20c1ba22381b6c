"""How often a log says things again is recovered from planted shares, without labels."""

import numpy as np
import pytest

from rewriter.odds import logit
from rewriter.rephrase.usual import CALLS_FAILED, CALLS_FINE, Usual, estimate


def _pairs(failed: float, fine: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds of n pairs by one view whose log-likelihood ratio is twice itself, and the chance that each source failed."""
    rng = np.random.default_rng(5)
    chance = rng.beta(0.4, 0.8, n)
    same = rng.random(n) < np.where(rng.random(n) < chance, failed, fine)
    return 2 * rng.normal(np.where(same, 1.0, -1.0)) + logit(CALLS_FAILED), chance


@pytest.mark.parametrize(("failed", "fine"), [(0.66, 0.21), (0.2, 0.03), (0.1, 0.4)])
def test_both_planted_shares_are_recovered(failed: float, fine: float) -> None:
    assert estimate(*_pairs(failed, fine, 20_000)) == pytest.approx((failed, fine), abs=0.025)


def test_a_few_pairs_say_little() -> None:
    found = estimate(np.full(3, 4.0), np.array([0.9, 0.9, 0.1]))
    assert found == pytest.approx((CALLS_FAILED, CALLS_FINE), abs=0.1)
    assert found != Usual()


def test_a_log_like_the_calls_moves_nothing_and_one_that_repeats_more_does() -> None:
    assert Usual().shift == 0.0
    more = Usual(failed=0.5, fine=0.2)
    assert more.shift == pytest.approx(-np.log(CALLS_FAILED / (1 - CALLS_FAILED)))
    assert more.anew == pytest.approx(np.log(0.8 / 0.5))
    assert Usual(0.3, 0.3).anew == 0.0
