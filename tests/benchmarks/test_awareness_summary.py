"""The figures of the self-awareness benchmark: how long wrong pairs live, what a rise is worth, and means over seeds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.awareness.quality import Judged, Truth, averages, bootstrap
from benchmarks.awareness.summary import Worlds, gain_of, longest_wrong, mean_rows
from benchmarks.awareness.worlds import Round, Setup


class Known(Truth):
    """Truth of which only the right pairs are told."""

    def __init__(self, *right: tuple[str, str, bool]) -> None:
        self._right = set(right)

    def better(self, source: str, rewrite: str, after: bool) -> bool:
        return (source, rewrite, after) in self._right


def round_of(number: int, **published: str) -> Round:
    pairs = pa.table(
        {"source": list(published), "rewrite": list(published.values()), "status": ["active"] * len(published)},
        schema=pa.schema([(name, pa.string()) for name in ("source", "rewrite", "status")]),
    )
    return Round(number, 10, 0.1, {}, pairs)


def test_a_wrong_pair_is_as_old_as_its_rounds_in_a_row_by_the_truth_of_each():
    rounds = [round_of(0, a="x"), round_of(1, a="x"), round_of(2, a="x"), round_of(3), round_of(4, a="x", b="y")]
    worlds = Worlds(Setup(flip_round=2), {"with": rounds}, {}, Known(("a", "x", False), ("b", "y", True)))
    # Right before the flip; then wrong for one round, gone for one, and wrong for one again.
    assert longest_wrong(worlds, "with") == 1
    never = Worlds(Setup(flip_round=2), {"with": rounds}, {}, Known())
    assert longest_wrong(never, "with") == 3


def test_the_target_is_a_relative_rise_or_half_of_what_is_missing():
    assert gain_of(0.5, 0.634)["reaches_target"] is False
    assert gain_of(0.5, 0.636)["reaches_target"] is True
    assert gain_of(0.9, 0.951)["reaches_target"] is True
    assert (gain_of(0.5, 0.6)["relative"], gain_of(0.5, 0.6)["of_missing"]) == (0.2, 0.2)


def one_round(published: list[bool]) -> Judged:
    n = len(published)
    right = np.ones(n, bool)
    return Judged(np.arange(n), np.full(n, 0.5), np.array(published), right, np.linspace(1.0, 0.5, n))


def test_averages_are_of_all_rounds_and_of_the_last():
    rounds = [one_round([True, False]), one_round([True, True])]
    assert averages(rounds, np.ones(2))[:, 0] == pytest.approx([0.75, 1.0])


def test_seeds_and_their_sources_are_drawn_again():
    half, whole = [one_round([True, False] * 20)], [one_round([True] * 40)]
    drawn = bootstrap([(half, whole), (whole, whole)], 200, seed=3)
    assert drawn.shape == (200, 2, 2, 2)
    assert np.ptp(drawn[:, 0, 0, 0]) > 0.4
    assert drawn[:, 1, 0, 0] == pytest.approx(1.0)
    same = bootstrap([(half, whole)], 200, seed=3)
    assert 0.05 < np.std(same[:, 0, 0, 0]) < 0.12


def test_rows_are_the_mean_of_the_seeds():
    def row(value: float) -> dict[str, object]:
        names = ("defective", "published", "published_right", "pr_auc_published", "pr_auc_all_supported")
        return {"round": 0, "without": dict.fromkeys(names, value), "with": dict.fromkeys(names, 2 * value)}

    (mean,) = mean_rows([[row(1.0)], [row(2.0)]])
    assert (mean["round"], mean["without"]["published"], mean["with"]["defective"]) == (0, 1.5, 3.0)
