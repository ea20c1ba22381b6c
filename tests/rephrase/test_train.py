"""The span model end to end on a tiny random BERT: a planted rule is learnt, and everything repeats exactly."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rewriter.errors import RewriterError
from rewriter.rephrase.artefact import write_decision, write_model
from rewriter.rephrase.calibration import Calibration
from rewriter.rephrase.decision import read_decision
from rewriter.rephrase.decode import best_turn, probabilities, rephrase_odds, span_scores
from rewriter.rephrase.detector import SpanDetector, evidence_weights, worth_reading
from rewriter.rephrase.encode import encode
from rewriter.rephrase.evidence import VIEWS, failed_odds, rule_chance
from rewriter.rephrase.log import Log, Records
from rewriter.rephrase.model import SpanModel
from rewriter.rephrase.train import Judged, choose_examples, held_out_days, judge, train_model
from rewriter.rephrase.usual import Usual
from rewriter.rephrase.weak_labels import WeakLabels
from rewriter.settings import Rephrase, Settings, Train

WORDS = ["jazz", "rock", "lights", "weather", "timer", "traffic", "news", "milk"]


def _settings(encoder: Path, steps: int) -> Settings:
    return Settings(
        rephrase=Rephrase(max_length=64),
        train=Train(encoder=str(encoder), max_steps=steps, batch_size=16, learning_rate=3e-3, threads=1),
    )


def _planted(log_of, n_users: int, seed: int) -> tuple[Log, np.ndarray, WeakLabels]:
    """Windows of three turns; the one whose status is `ok` rephrases the failed source, and half the windows have none.

    No view of the evidence differs, so that only the model's reading of the input can tell.
    """
    rng = np.random.default_rng(seed)
    rows, answer = [], []
    for u in range(n_users):
        target = int(rng.integers(1, 4)) if rng.random() < 0.5 else 0
        answer.append(target)
        for k in range(4):
            status = "fallback" if k != target or k == 0 else "ok"
            word = str(rng.choice(WORDS))
            rows.append({"utterance": f"play {word}", "response": "", "response_status": status, "user_id": f"u{u:04}"})
    log = log_of([{**row, "defect": 0.9} for row in rows])
    views = np.zeros((len(log), 3, len(VIEWS)))
    views[..., VIEWS.index("likeness")] = -1.0
    source = np.arange(0, len(log), 4)
    right = np.eye(4)[answer][:, 1:]
    labels = WeakLabels(source, right, 0 * right, np.zeros(len(source), np.int64))
    return log, views, labels


@pytest.fixture(scope="module")
def learnt(log_of, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[SpanModel, Path]:
    folder = tmp_path_factory.mktemp("model")
    settings = _settings(tiny_bert, 450)
    log, views, labels = _planted(log_of, 400, 0)
    model, tokenizer = train_model(log, views, labels, settings)
    write_model(model, tokenizer, settings, folder)
    write_decision(Judged(Calibration(1.5, 0.25), 0.4, 0.01, {}), Usual(), Records(True, True), settings, folder)
    return model, folder


def test_a_planted_rule_is_learnt_far_better_than_chance(log_of, learnt: tuple[SpanModel, Path]) -> None:
    log, views, labels = _planted(log_of, 200, 99)
    chances = probabilities(SpanDetector(learnt[1]).odds(log, labels.source, views[labels.source]))
    named = np.where(chances.max(axis=1) >= 0.5, chances.argmax(axis=1) + 1, 0)
    truth = np.where(labels.probability > 0, labels.chance.argmax(axis=1) + 1, 0)
    assert (named == truth).mean() > 0.75  # always none: 0.5


def test_the_int8_graph_agrees_with_the_torch_model(log_of, learnt: tuple[SpanModel, Path]) -> None:
    model, folder = learnt
    log, views, labels = _planted(log_of, 40, 5)
    detector = SpanDetector(folder)
    encoded = encode(log, labels.source, views[labels.source], load_pretrained_tokenizer(folder), 64)
    ids, mask, types = encoded.tokens.padded(np.arange(len(labels.source)))
    with torch.no_grad():
        start, end = model(*(torch.from_numpy(x) for x in (ids, mask, types)))
    scores = span_scores(start.double().numpy(), end.double().numpy(), encoded.start, encoded.end)
    weighed = views[labels.source] @ evidence_weights(folder)
    failed = failed_odds(log.defect[labels.source], views[labels.source])
    expected = probabilities(rephrase_odds(scores, weighed, failed))
    got = probabilities(detector.odds(log, labels.source, views[labels.source]))
    assert np.abs(got - expected).max() < 0.08
    assert np.abs(got - expected).mean() < 0.01


def load_pretrained_tokenizer(folder: Path) -> object:
    from rewriter.bert.runtime import load_tokenizer

    return load_tokenizer(folder)


def test_training_twice_gives_the_same_files(log_of, tiny_bert: Path, tmp_path: Path) -> None:
    settings = _settings(tiny_bert, 5)
    log, views, labels = _planted(log_of, 40, 0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_model(*train_model(log, views, labels, settings), settings, tmp_path / name)
        write_decision(Judged(Calibration(1.0, 0.0), 0.5, 0.0, {}), Usual(), Records(True, True), settings, tmp_path / name)
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == ["config.json", "decision.json", "model.onnx", "model.safetensors", "tokenizer.json"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_detection_names_a_turn_for_every_window_and_reads_only_what_may_have_failed(
    log_of, learnt: tuple[SpanModel, Path]
) -> None:
    rows = []
    for u, (defect, later) in enumerate([(0.9, "play rock"), (0.05, "play jazz"), (0.3, "milk"), (0.9, None)]):
        rows.append({"utterance": "play jazz", "user_id": f"u{u}", "defect": defect})
        if later:
            rows.append({"utterance": later, "user_id": f"u{u}", "intent": later, "defect": 0.0})
    log = log_of(rows)
    found = SpanDetector(learnt[1]).detect(log)
    assert found.turn.tolist() == [1, 0, 1, 0, 1, 0, 0]
    assert found.read.tolist() == [True, False, True, False, False, False, False]
    assert found.probability[4] == 0.01
    assert found.probability[[1, 3, 5, 6]].tolist() == [0.0] * 4


def test_detection_equals_scoring_decoding_and_calibrating_by_hand(log_of, learnt: tuple[SpanModel, Path]) -> None:
    log, _, _ = _planted(log_of, 30, 7)
    detector = SpanDetector(learnt[1])
    found = detector.detect(log)
    views = detector.views(log)
    read = np.flatnonzero(worth_reading(rule_chance(log, views)))
    chances = probabilities(detector.odds(log, read, views[read]), 1.5, 0.25)
    turn, probability = best_turn(chances, log.following[read])
    assert found.turn[read].tolist() == turn.tolist()
    np.testing.assert_allclose(found.probability[read], probability)


def test_a_model_whose_spans_weigh_nothing_answers_by_its_evidence_alone(
    log_of, learnt: tuple[SpanModel, Path], tmp_path: Path
) -> None:
    shutil.copytree(learnt[1], tmp_path, dirs_exist_ok=True)
    decision = read_decision(tmp_path)
    replace(decision, span_weight=0.0).write(tmp_path)
    log = log_of([{"utterance": "play jazz", "intent": "null", "defect": 0.9}, {"utterance": "play rock", "defect": 0.1}])
    detector = SpanDetector(tmp_path)
    same = float(detector.views(log)[0, 0] @ evidence_weights(tmp_path))
    failed = 1 / (1 + np.exp(Usual().anew) / 9)  # unlike in wording: nothing of the failure is owed to a repetition
    odds = same + np.log(failed)
    by_hand = 1 / (1 + np.exp(-(odds - decision.null_bias) / decision.temperature))
    assert detector.detect(log).probability.tolist() == pytest.approx([by_hand, 0.0], abs=1e-6)


def test_a_source_is_scored_the_same_alone_and_in_company(log_of, learnt: tuple[SpanModel, Path]) -> None:
    log, views, labels = _planted(log_of, 50, 11)
    detector = SpanDetector(learnt[1])
    together = probabilities(detector.odds(log, labels.source, views[labels.source]))
    alone = np.concatenate([probabilities(detector.odds(log, s[None], views[s[None]])) for s in labels.source[:20]])
    # int8 activations are scaled by the batch, so the last digits may differ
    np.testing.assert_allclose(together[:20], alone, atol=0.08)


def test_the_judge_prefers_the_true_calibration_and_caps_the_skipped(log_of) -> None:
    log, views, labels = _planted(log_of, 300, 3)
    truth = np.where(labels.probability > 0, labels.chance.argmax(axis=1) + 1, 0)
    rng = np.random.default_rng(0)
    wrong = rng.random(len(truth)) < 0.2
    named = np.where(wrong, rng.integers(0, 4, len(truth)), truth)
    table = dict(zip(labels.source.tolist(), np.eye(4)[named][:, 1:] * 50.0 - 25.0, strict=True))
    found = judge(log, views, labels, lambda rows: lambda _: np.stack([table[r] for r in rows.tolist()]), seed=1)
    assert found.calibration.temperature > 5  # 25 from even is far too sure for one in five wrong
    assert found.metrics["expected_f1"] > 0.8
    assert found.skipped_probability <= found.threshold / 2


def test_examples_hold_at_most_a_third_likely_rephrases_and_keep_hard_nulls() -> None:
    n = 3000
    rng = np.random.default_rng(0)
    probability = np.where(rng.random(n) < 0.5, 0.8, 0.0)
    kind = np.where(probability > 0, 0, rng.choice([1, 2, 6], n))
    chance = np.stack([probability, 0 * probability], axis=1)
    labels = WeakLabels(np.arange(n), chance, 0 * chance, kind)
    read = (probability > 0) | (kind == 6)
    rows = choose_examples(labels, read, 300, seed=1)
    assert len(rows) == len(set(rows.tolist())) == 300
    assert (probability[rows] > 0).sum() == 100
    assert np.isin(kind[rows], [1, 2]).sum() == 30
    assert rows.tolist() == choose_examples(labels, read, 300, seed=1).tolist()


def test_whole_last_days_are_held_out() -> None:
    days = [f"2026-03-{d:02}" for d in range(1, 21)]
    assert sorted(held_out_days(days)) == days[-3:]
    assert held_out_days(["2026-03-01"] * 5) == frozenset()


def test_a_model_folder_without_a_decision_is_one_line(tmp_path: Path, log_of) -> None:
    with pytest.raises(RewriterError, match=r"no readable decision\.json"):
        SpanDetector(tmp_path)
    (tmp_path / "decision.json").write_text('{"threshold": 0.5}')
    with pytest.raises(RewriterError, match="not the decision of a rephrase model"):
        read_decision(tmp_path)
