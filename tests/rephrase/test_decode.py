"""Only whole user turns or none are legal answers."""

import numpy as np
import torch

from rewriter.rephrase import model as torch_model
from rewriter.rephrase.decode import best_turn, probabilities, span_scores


def _case(seed: int, n: int = 6, length: int = 20, w: int = 3) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    cuts = np.sort(np.stack([rng.choice(np.arange(1, length), 2 * w, replace=False) for _ in range(n)]), axis=1)
    start, end = cuts[:, 0::2].copy(), cuts[:, 1::2].copy()
    n_turns = rng.integers(0, w + 1, n)
    absent = np.arange(w) >= n_turns[:, None]
    start[absent] = end[absent] = -1
    return rng.normal(size=(n, length)) * 3, rng.normal(size=(n, length)) * 3, start, end, n_turns


def test_the_best_legal_span_equals_brute_force_over_all_spans() -> None:
    for seed in range(20):
        start_logits, end_logits, start, end, n_turns = _case(seed)
        chances = probabilities(span_scores(start_logits, end_logits, start, end))
        turn, probability = best_turn(chances, n_turns)
        for i in range(len(start)):
            legal = {(0, 0): 0} | {(start[i, k], end[i, k]): k + 1 for k in range(n_turns[i])}
            every = {
                (a, b): start_logits[i, a] + end_logits[i, b] for a in range(start_logits.shape[1]) for b in range(a, 20)
            }
            allowed = {span: np.exp(score) for span, score in every.items() if span in legal}
            named = {legal[span]: value / sum(allowed.values()) for span, value in allowed.items()}
            np.testing.assert_allclose(chances[i], [named.get(k, 0.0) for k in range(4)], atol=1e-12)
            turns = {k: p for k, p in named.items() if k}
            assert turn[i] == (max(turns, key=lambda k: turns[k]) if turns else 0)
            assert abs(probability[i] - max(turns.values(), default=0.0)) < 1e-12


def test_a_turn_is_named_even_where_none_is_certain() -> None:
    scores = np.array([[2000.0, 0.0, -1.0, -np.inf]])
    turn, probability = best_turn(probabilities(scores), np.array([2]))
    assert (turn[0], probability[0]) == (1, 0.0)


def test_training_scores_equal_decoding_scores() -> None:
    start_logits, end_logits, start, end, _ = _case(3)
    expected = span_scores(start_logits, end_logits, start, end)
    got = torch_model.span_scores(*(torch.from_numpy(x) for x in (start_logits, end_logits, start, end)))
    np.testing.assert_allclose(got.numpy(), expected)


def test_the_loss_is_the_cross_entropy_of_any_right_turn_or_none() -> None:
    chances = np.array([[0.2, 0.5, 0.3, 0.0], [0.6, 0.4, 0.0, 0.0]])
    with np.errstate(divide="ignore"):
        scores = torch.from_numpy(np.log(chances))
    right = torch.tensor([[True, True, False], [False, False, False]])
    loss = torch_model.span_loss(scores, torch.tensor([0.75, 0.0], dtype=torch.float64), right)
    expected = -(0.75 * np.log(0.8) + 0.25 * np.log(0.2) + np.log(0.6)) / 2
    assert abs(float(loss) - expected) < 1e-9
