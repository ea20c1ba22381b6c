"""The measures of the recordings' benchmark on worked examples, and what it says without the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.real import data_folder
from benchmarks.slurp.recordings import Recordings
from benchmarks.slurp.retrieval import bm25, candidates, edit, fused, phonetic, recall
from benchmarks.slurp.run import decision_line
from rewriter.settings import Retrieval


def test_bm25_is_the_formula_counted_by_hand():
    # Within "ab" lie " a", "ab", "b " and " ab", "ab "; "cd" shares none of them.
    scores = bm25(["ab"], ["ab", "cd", "ab ab"])
    mean = (5 + 5 + 10) / 3
    idf = np.log1p((3 - 2 + 0.5) / (2 + 0.5))
    once, twice = (5 * idf * n * 2.2 / (n + 1.2 * (0.25 + 0.75 * 5 * n / mean)) for n in (1, 2))
    assert scores[0] == pytest.approx([once, 0.0, twice], rel=1e-5)


def test_edit_and_phonetic_distance_see_letters_and_sounds():
    assert edit(["kitten"], ["sitting", "kitten"])[0] == pytest.approx([1 - 3 / 7, 1.0])
    assert phonetic(["play beet it"], ["play beat it"])[0, 0] == 1.0


def test_fusion_adds_one_over_sixty_plus_each_rank():
    a, b = np.array([[3.0, 2.0, 1.0]], np.float32), np.array([[1.0, 2.0, 3.0]], np.float32)
    assert fused(a, b)[0] == pytest.approx([1 / 61 + 1 / 63, 2 / 62, 1 / 63 + 1 / 61])


def test_recall_counts_those_before_the_meant_text_but_not_the_querys_own():
    data = Recordings(heard=["b", "x"], said=["c", "a"], corpus=["a", "b", "c"])
    scores = np.array([[0.1, 1.0, 0.5], [0.2, 0.9, 0.8]], np.float32)
    found = recall(scores, data)
    assert [found[f"recall@{k}"]["k"] for k in (1, 5, 10)] == [1, 2, 2]
    assert found["recall@1"]["share"] == 0.5
    few = Retrieval(k_global=1, k_letters=1)
    assert candidates(scores, scores, data, few)["k"] == 1
    assert candidates(scores, -scores, data, few)["k"] == 2  # the first by meaning, the second by letters


def test_without_the_data_one_line_says_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REWRITER_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=f"in {tmp_path}: set REWRITER_DATA"):
        data_folder("slurp_a/requests.parquet")


def test_a_setting_without_losses_has_no_upper_bound():
    counts = {"n": 10, "triggered": 3, "wins": 2, "losses": 0, "ratio": None, "ratio_low": 0.5, "ratio_high": None}
    line = decision_line("unseen", counts | {"share_of_defects_fixed": 0.5, "defects_before": 4})
    assert "2 wins, 0 losses, nan to 1 (95% 0.5 to inf), 50.0% of 4 defects fixed" in line
