"""Only whole user turns or none are legal answers."""

import numpy as np
import torch

from rewriter.rephrase import model as torch_model
from rewriter.rephrase.decode import best_turn, probabilities, rephrase_odds, span_scores
from rewriter.rephrase.evidence import said_again


def _case(seed: int, n: int = 6, length: int = 20, w: int = 3) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    cuts = np.sort(np.stack([rng.choice(np.arange(1, length), 2 * w, replace=False) for _ in range(n)]), axis=1)
    start, end = cuts[:, 0::2].copy(), cuts[:, 1::2].copy()
    n_turns = rng.integers(0, w + 1, n)
    absent = np.arange(w) >= n_turns[:, None]
    start[absent] = end[absent] = -1
    return rng.normal(size=(n, length)) * 3, rng.normal(size=(n, length)) * 3, start, end, n_turns


def test_each_turn_is_held_against_the_null_span_as_by_hand() -> None:
    for seed in range(20):
        start_logits, end_logits, start, end, n_turns = _case(seed)
        rng = np.random.default_rng(seed)
        evidence, failed = rng.normal(size=(2, 6, 3))
        odds = rephrase_odds(span_scores(start_logits, end_logits, start, end), evidence, failed)
        chances = probabilities(odds, 1.5, 0.25)
        turn, probability = best_turn(chances, n_turns)
        for i in range(len(start)):
            null = start_logits[i, 0] + end_logits[i, 0]
            by_hand = []
            for k in range(n_turns[i]):
                same = start_logits[i, start[i, k]] + end_logits[i, end[i, k]] - null + evidence[i, k]
                says, fails = 1 / (1 + np.exp(-same)), 1 / (1 + np.exp(-failed[i, k]))
                odds_by_hand = np.log(says * fails / (1 - says))  # rephrase against anything but a harmless repeat
                by_hand.append(1 / (1 + np.exp(-(odds_by_hand - 0.25) / 1.5)))
            np.testing.assert_allclose(chances[i], [*by_hand, 0.0, 0.0, 0.0][:3], atol=1e-9)
            assert turn[i] == (int(np.argmax(by_hand)) + 1 if by_hand else 0)
            assert abs(probability[i] - max(by_hand, default=0.0)) < 1e-9


def test_spans_of_no_weight_leave_the_evidence_alone_and_half_a_weight_counts_half() -> None:
    rng = np.random.default_rng(1)
    scores, (evidence, failed) = rng.normal(size=(5, 4)) * 3, rng.normal(size=(2, 5, 3))
    scores[:, 3] = -np.inf  # the third turn is not there
    alone, half = (rephrase_odds(scores, evidence, failed, weight) for weight in (0.0, 0.5))
    spans = scores[:, 1:3] - scores[:, :1]
    np.testing.assert_allclose(alone[:, :2], said_again(evidence[:, :2], failed[:, :2]))
    np.testing.assert_allclose(half[:, :2], said_again(evidence[:, :2] + spans / 2, failed[:, :2]))
    assert (alone[:, 2] == -np.inf).all()


def test_a_turn_is_named_even_where_none_is_certain() -> None:
    odds = np.array([[-2000.0, -2001.0, -np.inf]])
    turn, probability = best_turn(probabilities(odds), np.array([2]))
    assert turn[0] == 1
    assert probability[0] < 1e-300


def test_training_scores_equal_decoding_scores() -> None:
    start_logits, end_logits, start, end, _ = _case(3)
    expected = span_scores(start_logits, end_logits, start, end)
    got = torch_model.span_scores(*(torch.from_numpy(x) for x in (start_logits, end_logits, start, end)))
    np.testing.assert_allclose(got.numpy(), expected)


def test_training_odds_equal_decoding_odds() -> None:
    start_logits, end_logits, start, end, _ = _case(4)
    rng = np.random.default_rng(0)
    scores = span_scores(start_logits, end_logits, start, end)
    evidence, failed = rng.normal(size=(2, 6, 3))
    got = torch_model.rephrase_odds(*(torch.from_numpy(x) for x in (scores, evidence[..., None], failed)))
    np.testing.assert_allclose(got.numpy(), rephrase_odds(scores, evidence, failed))


def test_the_loss_is_the_cross_entropy_of_every_turn_that_is_there() -> None:
    odds = torch.tensor([[0.5, -1.0, -torch.inf], [2.0, -torch.inf, -torch.inf]], dtype=torch.float64)
    chance = torch.tensor([[0.75, 0.1, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    p = 1 / (1 + np.exp(-np.array([0.5, -1.0, 2.0])))
    wanted = np.array([0.75, 0.1, 0.0])
    expected = -(wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).mean()
    assert abs(float(torch_model.span_loss(odds, chance)) - expected) < 1e-9
