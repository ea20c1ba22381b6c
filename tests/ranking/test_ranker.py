"""The staged ranker, and its cross-encoder trained on planted pairs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rewriter.decision.candidate import Candidate
from rewriter.decision.known import Known, NoControls
from rewriter.decision.request import Request
from rewriter.errors import RewriterError
from rewriter.ranking.combiner import Combiner
from rewriter.ranking.cross_encoder import CrossEncoder
from rewriter.ranking.features import CROSS_ENCODER, NAMES
from rewriter.ranking.ranker import StagedRanker, load_ranker, worth_reading
from rewriter.ranking.train import Examples, train_cross_encoder, train_ranker
from rewriter.settings import Retrieval, Settings, Train

SAID, KNOWN = Request("play beet it"), Known(NoControls())
TEXTS = ("play beat it", "play beets", "play the beat", "rain tomorrow")


def combiner(names=NAMES, **weights: float) -> Combiner:
    intercept = weights.pop("intercept", 0.0)
    w = np.array([weights.get(name, 0.0) for name in names])
    return Combiner(tuple(names), np.zeros(len(names)), np.ones(len(names)), w, intercept)


class Lengths:
    """Scores a candidate by its length, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def scores(self, request, candidates):
        self.asked += candidates
        return np.array([float(len(c)) for c in candidates])


CANDIDATES = tuple(Candidate(t, ("global",), bi_encoder=0.9 - 0.1 * i) for i, t in enumerate(TEXTS))


def test_candidates_come_likeliest_first_with_their_features():
    ranked = StagedRanker(combiner(bi_encoder=10.0, intercept=-8.0)).rank(SAID, KNOWN, CANDIDATES[::-1])
    assert [c.utterance for c in ranked] == list(TEXTS)
    assert ranked[0].probability == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert ranked[0].features["bi_encoder"] == pytest.approx(0.9)


def test_the_cross_encoder_reads_only_the_best_few_that_have_a_chance_and_has_the_last_word():
    reader = Lengths()
    full = combiner((*NAMES, CROSS_ENCODER.name), cross_encoder=1.0, intercept=-12.0)
    first = combiner(bi_encoder=10.0, intercept=-9.5)
    ranked = StagedRanker(first, full, reader, k=3).rank(SAID, KNOWN, CANDIDATES)
    assert reader.asked == list(TEXTS[:3])
    assert ranked[0].utterance == "play the beat"
    assert ranked[0].cross_encoder == 13.0
    assert ranked[0].probability == pytest.approx(1 / (1 + np.exp(-1.0)))
    hopeless = Lengths()
    StagedRanker(combiner(intercept=-9.5), full, hopeless, k=3).rank(SAID, KNOWN, CANDIDATES)
    assert hopeless.asked == []


def test_a_tie_goes_to_the_personal_candidate_then_to_the_text():
    tied = tuple(Candidate(t, (layer,)) for t, layer in (("a", "global"), ("c", "personal"), ("b", "global")))
    ranked = StagedRanker(combiner()).rank(SAID, KNOWN, tied)
    assert [c.utterance for c in ranked] == ["c", "a", "b"]


def test_worth_reading_is_the_best_few_above_the_limit():
    assert worth_reading([0.04, 0.2, 0.9, 0.06], 3) == [2, 1, 3]
    assert worth_reading([0.04, 0.2, 0.9, 0.06], 1) == [2]


def planted(n: int) -> tuple[list[str], list[str], np.ndarray]:
    """A candidate is right if it asks for music."""
    rng = np.random.default_rng(0)
    kinds = ("jazz", "rock", "snow", "chinese", "italian", "kitchen")
    said, offered = rng.integers(len(kinds), size=n), rng.integers(len(kinds), size=n)
    right = rng.random(n) < 0.5
    texts = [f"{kinds[i]} {'music' if r else 'weather'} please" for i, r in zip(offered, right, strict=True)]
    return [f"play {kinds[i]}" for i in said], texts, right.astype(float)


def test_the_cross_encoder_learns_planted_pairs_and_scores_each_pair_alone(tiny_bert: Path, tmp_path: Path):
    requests, candidates, labels = planted(400)
    train = Train(encoder=str(tiny_bert), max_steps=100, batch_size=32, learning_rate=5e-4)
    losses = train_cross_encoder(requests, candidates, labels, train, tmp_path, seed=1)
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    model = CrossEncoder(tmp_path)
    offered = ["jazz music please", "rock weather please", "snow weather please"]
    scores = model.scores("play jazz", offered)
    assert scores[0] > max(scores[1:]) + 1.0
    assert scores.tolist() == [model.scores("play jazz", [c])[0] for c in offered]


def examples(n_groups: int, n_wins: int) -> Examples:
    rng = np.random.default_rng(2)
    labels = np.tile([1.0, 0.0, 0.0], n_groups)
    labels[3 * n_wins :] = 0.0
    x = rng.normal(size=(3 * n_groups, len(NAMES))) * 0.1
    x[:, NAMES.index("bi_encoder")] += labels
    texts = [f"request {i // 3}" for i in range(3 * n_groups)], [f"candidate {i % 3}" for i in range(3 * n_groups)]
    groups = np.repeat(np.arange(n_groups), 3)
    return Examples(tuple(texts[0]), tuple(texts[1]), groups, groups % 5, labels, np.ones(3 * n_groups), x)


def test_a_trained_ranker_is_read_back_and_prefers_what_it_was_taught(tmp_path: Path):
    few, many = examples(30, 5), examples(60, 50)
    card = train_ranker(few, many, Settings(), tmp_path, print)
    assert card["metrics"]["first"]["auc"] > 0.95
    assert card["full"] is None
    assert not (tmp_path / "model.onnx").exists()
    ranker = load_ranker(tmp_path, Retrieval())
    assert ranker is not None
    ranked = ranker.rank(
        SAID, KNOWN, (Candidate("a", ("global",), bi_encoder=0.0), Candidate("b", ("global",), bi_encoder=1.0))
    )
    assert [c.utterance for c in ranked] == ["b", "a"]


def told_by_texts(n: int, *, told: bool) -> Examples:
    """``n`` requests of two candidates whose features say nothing; if ``told``, the one that asks for music is right."""
    rng = np.random.default_rng(3)
    said = np.repeat(rng.permutation(["jazz", "rock", "snow", "chinese"] * (n // 4)), 2)
    labels = np.tile([1.0, 0.0], n)
    candidates = [f"{word} {'music' if right else 'weather'} please" for word, right in zip(said, labels, strict=True)]
    groups, features = np.repeat(np.arange(n), 2), rng.normal(size=(2 * n, len(NAMES)))
    labels = labels if told else rng.permutation(labels)
    requests = tuple(f"play {word}" for word in said)
    return Examples(requests, tuple(candidates), groups, groups % 5, labels, np.ones(2 * n), features)


@pytest.mark.parametrize("told", [True, False])
def test_the_cross_encoder_stays_only_where_it_surely_helps(tiny_bert: Path, tmp_path: Path, told: bool):
    train = Train(encoder=str(tiny_bert), max_steps=100, batch_size=32, learning_rate=5e-4)
    settings = replace(Settings(), train=train)
    card = train_ranker(told_by_texts(200, told=True), told_by_texts(120, told=told), settings, tmp_path, print)
    without, beside = (card["metrics"][name]["log_loss"] for name in ("first_on_the_same_rows", "full"))
    assert (beside < 0.8 * without) == told
    assert (card["full"] is not None) == told
    assert (tmp_path / "model.onnx").exists() == told
    assert load_ranker(tmp_path, Retrieval()) is not None


def test_a_feature_that_is_left_out_has_no_weight_in_what_is_learnt(tmp_path: Path):
    without = replace(Settings(), decide=replace(Settings().decide, without_features=("bi_encoder",)))
    card = train_ranker(examples(30, 5), examples(60, 50), without, tmp_path, print)
    weights = {row["name"]: row["weight"] for row in card["first"]["features"]}
    assert weights["bi_encoder"] == pytest.approx(0.0, abs=1e-6)
    assert card["metrics"]["first"]["auc"] < 0.75
    unknown = replace(Settings(), decide=replace(Settings().decide, without_features=("luck",)))
    with pytest.raises(RewriterError, match="no feature is named luck"):
        train_ranker(examples(30, 5), examples(60, 50), unknown, tmp_path, print)


def test_too_few_examples_give_a_card_that_says_so_and_no_ranker(tmp_path: Path):
    card = train_ranker(examples(30, 5), examples(30, 5), Settings(), tmp_path, print)
    assert card["reason"] == "too few examples: 5 wins of 90 candidates"
    assert load_ranker(tmp_path, Retrieval()) is None


@pytest.mark.parametrize("content", ["", "{}", '{"first": 3}', "[]"])
def test_a_broken_card_is_named(tmp_path: Path, content: str):
    (tmp_path / "ranker.json").write_text(content)
    with pytest.raises(RewriterError, match=r"ranker\.json"):
        load_ranker(tmp_path, Retrieval())


def test_a_ranker_for_other_features_is_refused(tmp_path: Path):
    model = combiner().as_json()
    model["features"][0]["name"] = "retired"
    (tmp_path / "ranker.json").write_text(json.dumps({"first": model, "full": None}))
    with pytest.raises(RewriterError, match="retired"):
        load_ranker(tmp_path, Retrieval())
