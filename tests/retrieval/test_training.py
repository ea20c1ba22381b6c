"""What the bi-encoder learns from, and that it learns it."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from rewriter.bert.pretrained import load_pretrained
from rewriter.retrieval.loss import false_negatives, info_nce
from rewriter.retrieval.mining import hard_negatives
from rewriter.retrieval.model import BiEncoder
from rewriter.retrieval.pairs import Known, Pair, consistent, meanings_of, wordings
from rewriter.retrieval.recall import findable, recall
from rewriter.retrieval.train import SHARES, Lexicon, sample, train_bi_encoder
from rewriter.settings import Train

NOTHING: frozenset[tuple[str, str]] = frozenset()


def pair(query: str, target: str, meaning: str = "", kind: str = "rephrase") -> Pair:
    return Pair(query, target, meaning, kind)


def test_wordings_join_one_meaning_with_its_most_frequent_text_and_never_two_meanings():
    known = [
        Known("jazz", "m", 2),
        Known("play jazz", "m", 9),
        Known("rock", "r", 5),
        Known("hm", "", 7),
        Known("er", "", 7),
    ]
    assert [(p.query, p.target, p.meaning) for p in wordings(known)] == [("jazz", "play jazz", "m")]


def test_a_query_known_to_mean_something_else_is_no_pair():
    pairs = [
        pair("north", "south", "s"),
        pair("sout", "south", "s"),
        pair("south", "south", "s"),
        pair("souse", "south", "s"),
    ]
    meanings = meanings_of([Known("north", "n", 5), Known("souse", "s", 1), Known("souse", "n", 1), Known("souse", "s", 4)])
    assert [p.query for p in consistent(pairs, meanings)] == ["sout", "souse"]


def test_equivalent_requests_and_known_targets_are_never_negatives():
    pairs = [pair("a", "A", "1"), pair("b", "B", "2"), pair("c", "C")]
    candidates = [
        Known("A", "1"),
        Known("B", "2"),
        Known("C", ""),
        Known("A2", "1"),
        Known("A", ""),
        Known("b", "9"),
        Known("D", ""),
    ]
    mask = false_negatives(pairs, candidates, frozenset({("c", "D")}))
    expected = [
        [0, 0, 0, 1, 1, 0, 0],  # A2 means the same, the other A reads the same
        [0, 0, 0, 0, 0, 1, 0],  # its own text
        [0, 0, 0, 0, 0, 0, 1],  # a target seen elsewhere in the log; unknown meanings are not equal
    ]
    np.testing.assert_array_equal(mask.astype(int), expected)


def test_the_loss_equals_the_slow_sum_over_unmasked_candidates():
    rng = np.random.default_rng(0)
    queries, candidates = rng.normal(size=(3, 4)), rng.normal(size=(5, 4))
    mask = np.zeros((3, 5), bool)
    mask[0, 4] = mask[2, 1] = True
    slow = []
    for i in range(3):
        scores = [np.exp(queries[i] @ candidates[j] / 0.5) for j in range(5) if not mask[i, j]]
        slow.append(-np.log(np.exp(queries[i] @ candidates[i] / 0.5) / sum(scores)))
    got = info_nce(torch.from_numpy(queries), torch.from_numpy(candidates), torch.from_numpy(mask), 0.5)
    assert float(got) == pytest.approx(np.mean(slow), rel=1e-5)


def test_a_hard_negative_is_near_but_proven_to_mean_something_else():
    def at(degrees: float):
        return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)

    vectors = {
        "q": at(0),
        "target": at(20),
        "same": at(24),
        "unknown": at(25),
        "near": at(30),
        "too near": at(5),
        "far": at(80),
    }
    corpus = [Known("same", "1"), Known("unknown", ""), Known("too near", "3"), Known("far", "2"), Known("near", "2")]
    one = [pair("q", "target", "1")]
    assert hard_negatives(one, corpus, vectors, NOTHING, 2) == [[Known("near", "2"), Known("far", "2")]]
    assert hard_negatives(one, corpus, vectors, frozenset({("q", "near")}), 1) == [[Known("far", "2")]]
    assert hard_negatives([pair("q", "target", "")], corpus, vectors, NOTHING) == [[]]


def test_recall_counts_the_target_or_its_meaning_and_leaves_the_query_itself_out():
    vectors = {
        t: np.array(v, np.float32) for t, v in {"q": [1, 0], "t": [0.6, 0.8], "t2": [0.9, 0.4], "x": [0.8, 0.6]}.items()
    }
    corpus = [Known("q", ""), Known("t", "m"), Known("t2", "m"), Known("x", "n")]
    by_text = recall([pair("q", "t")], corpus, vectors)
    assert (by_text.n, by_text.at_1, by_text.at_10) == (1, 0.0, 1.0)
    assert recall([pair("q", "t", "m")], corpus, vectors).at_1 == 1.0
    assert recall([], corpus, vectors).n == 0
    assert findable([pair("q", "gone"), pair("q", "gone", "m"), pair("q", "x")], corpus) == [
        pair("q", "gone", "m"),
        pair("q", "x"),
    ]


def test_a_sample_keeps_the_shares_of_the_kinds_and_repeats_for_the_same_seed():
    pairs = [pair(f"{kind}{i}", "t", "m", kind) for kind, n in (("rephrase", 5), ("wording", 900)) for i in range(n)]
    drawn = sample(pairs, 600, 1)
    expected = SHARES["rephrase"] / (SHARES["rephrase"] + SHARES["wording"])
    assert np.mean([p.kind == "rephrase" for p in drawn]) == pytest.approx(expected, abs=0.08)
    assert {p.query for p in drawn if p.kind == "rephrase"} == {f"rephrase{i}" for i in range(5)}
    assert drawn == sample(pairs, 600, 1)
    assert drawn != sample(pairs, 600, 2)


NOUNS = ["jazz", "rock", "weather", "news", "lights", "timer", "alarm", "music", "video", "album", "snow", "rain"]
VERBS = {"play": "put", "stop": "off", "set": "make"}  # and what people say for it
PLANTED = [pair(f"{said} {noun}", f"{verb} {noun}", f"{verb}|{noun}") for noun in NOUNS for verb, said in VERBS.items()]
CORPUS = [Known(f"{verb} {noun}", f"{verb}|{noun}") for noun in NOUNS for verb in VERBS]


def test_training_finds_planted_rephrases_and_gives_the_same_weights_twice(tiny_bert: Path):
    bert, tokenizer = load_pretrained(tiny_bert)
    lexicon = Lexicon.of(tokenizer, [t for p in PLANTED for t in (p.query, p.target)] + [k.text for k in CORPUS], 16)
    untrained = BiEncoder(bert).eval()
    weights, recalls = [], []
    for _ in range(2):
        module = copy.deepcopy(untrained)
        train = Train(max_steps=60, batch_size=16, learning_rate=2e-3, threads=1)
        losses = train_bi_encoder(module, lexicon, sample(PLANTED, 60 * 16, 3), CORPUS, train, seed=3)
        weights.append(module.state_dict())
        recalls.append(recall(PLANTED, CORPUS, lexicon.vectors(module)).at_1)
    assert len(losses) == 60
    assert recalls[0] > recall(PLANTED, CORPUS, lexicon.vectors(untrained)).at_1 + 0.15
    assert recalls[0] > 0.9
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
