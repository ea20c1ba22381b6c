import json
from dataclasses import replace

import numpy as np
import pytest

from rewriter.defects.features import FEATURES, GROUPS, LABEL_GROUPS
from rewriter.defects.model import FILE, DefectModel, load_model
from rewriter.defects.rules import logit
from rewriter.defects.signals import SIGNALS
from rewriter.defects.training import Examples, train, visible
from rewriter.errors import RewriterError


def planted(n=6000, strength=2.0, seed=0):
    """A log in which a hidden failure drives a soft feature (asr_doubt) and, independently, two groups of signals."""
    rng = np.random.default_rng(seed)
    failed = rng.random(n) < 0.3
    features = rng.normal(size=(n, len(FEATURES))).astype(np.float32)
    features[:, FEATURES.index("asr_doubt")] += strength * failed
    signals = {name: np.zeros(n, bool) for name in SIGNALS}
    signals["fallback"] = rng.random(n) < np.where(failed, 0.5, 0.03)
    signals["quick_repeat"] = rng.random(n) < np.where(failed, 0.4, 0.03)
    rules = np.where(signals["quick_repeat"], 0.6, 0.12), np.where(signals["fallback"], 0.75, 0.12)
    hidden = dict.fromkeys(LABEL_GROUPS, np.full(n, 0.12)) | {"status": rules[0], "repeat": rules[1]}
    return Examples(features, signals, hidden, np.arange(n) >= 0.8 * n), failed


def test_planted_evidence_is_found_and_improves_the_rules():
    examples, failed = planted()
    model = train(examples, seed=7)
    weights = dict(zip(FEATURES, model.weights, strict=True))
    assert model.kind == "logistic"
    assert max(weights, key=weights.get) == "asr_doubt"
    rules = np.where(examples.signals["fallback"], 0.75, 0.12)
    joint = model.probability(examples.features, rules, np.zeros(len(rules)))
    assert np.mean((joint - failed) ** 2) < np.mean((rules - failed) ** 2)


def test_without_evidence_the_rules_are_kept():
    examples, _ = planted(strength=0.0)
    model = train(examples, seed=7)
    rules = np.array([0.2, 0.7])
    assert model.kind == "rules"
    assert list(model.probability(examples.features[:2], rules, np.zeros(2))) == [0.2, 0.7]


def test_without_weak_labels_the_rules_stand_alone_and_say_why():
    examples, _ = planted(n=200)
    silent = replace(examples, signals={name: np.zeros(200, bool) for name in SIGNALS})
    model = train(silent, seed=7)
    assert (model.kind, model.metrics["reason"]) == ("rules", "too few weak labels")


@pytest.mark.parametrize("group", LABEL_GROUPS)
def test_no_label_is_predicted_from_its_own_group(group):
    assert group not in {GROUPS[FEATURES[i]] for i in visible(group)}


def test_evidence_of_its_own_group_does_not_reach_the_weights():
    examples, _ = planted()
    leak = examples.features.copy()
    column = FEATURES.index("next_word_similarity")
    leak[:, column] = examples.signals["quick_repeat"]
    only_repeats = replace(examples, features=leak, signals=examples.signals | {"fallback": np.zeros(len(leak), bool)})
    assert train(only_repeats, seed=7).weights[column] == 0.0


def test_explicit_signals_keep_their_weight_whatever_the_model_says():
    weights = tuple(-5.0 if name == "asr_doubt" else 0.0 for name in FEATURES)
    n = len(FEATURES)
    model = DefectModel("logistic", 0.2, (0.0,) * n, (1.0,) * n, weights)
    features = np.full((1, n), 2.0, np.float32)
    assert model.probability(features, np.array([0.85]), np.array([0.85]))[0] == 0.85
    assert model.probability(features, np.array([0.85]), np.array([0.0]))[0] < 0.1


def test_unknown_features_add_nothing():
    n = len(FEATURES)
    model = DefectModel("logistic", 0.2, (3.0,) * n, (1.0,) * n, (1.0,) * n)
    unknown = np.full((1, n), np.nan, np.float32)
    assert model.probability(unknown, np.array([0.4]), np.zeros(1))[0] == pytest.approx(0.4)
    assert logit(model.probability(np.full((1, n), 4.0, np.float32), np.array([0.4]), np.zeros(1))[0]) > logit(0.4)


def test_the_file_is_readable_repeats_its_bytes_and_gives_the_same_numbers(tmp_path):
    examples, _ = planted(n=3000)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        train(examples, seed=7).save(tmp_path / folder)
    first = (tmp_path / "a" / FILE).read_bytes()
    assert first == (tmp_path / "b" / FILE).read_bytes()
    assert json.loads(first)["features"][0]["name"] == FEATURES[0]
    loaded, trained = load_model(tmp_path / "a"), train(examples, seed=7)
    assert list(loaded.evidence(examples.features)) == list(trained.evidence(examples.features))
    assert loaded.version == trained.version


@pytest.mark.parametrize("content", ["not json", "{}", '{"features": [{"name": "other"}]}'])
def test_a_broken_file_is_refused_by_name(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(RewriterError, match=r"defects\.json"):
        load_model(tmp_path)
    with pytest.raises(RewriterError, match="cannot be read"):
        load_model(tmp_path / "absent")
