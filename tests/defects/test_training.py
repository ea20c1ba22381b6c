import json
from dataclasses import replace

import numpy as np
import pytest

from rewriter.defects.comparison import Examples, restated
from rewriter.defects.features import FEATURES, GROUPS, LABEL_GROUPS, RUNTIME_GROUPS
from rewriter.defects.model import FILE, LOST, DefectModel, load_model
from rewriter.defects.rules import CEILING, FLOOR
from rewriter.defects.signals import SIGNALS
from rewriter.defects.training import find_anchor, train
from rewriter.errors import RewriterError

#: Features that planted failures move; all others are noise.
MOVED = ("nlu_doubt", "asr_doubt", "rare_wording", "next_token_similarity")


def planted(n=6000, strength=1.5, seed=0):
    """A log in which a hidden failure moves features of four groups, and NLU's confidence is as good as it says."""
    rng = np.random.default_rng(seed)
    failed = rng.random(n) < 0.3
    features = rng.normal(size=(n, len(FEATURES))).astype(np.float32)
    for name in MOVED:
        features[:, FEATURES.index(name)] += strength * failed
    doubt = FEATURES.index("nlu_doubt")
    # Two normals of the same spread: the log-odds that tell them apart are linear.
    features[:, doubt] = np.log(0.3 / 0.7) + strength * (features[:, doubt] - strength / 2)
    signals = {name: np.zeros(n, bool) for name in SIGNALS}
    signals["quick_repeat"] = rng.random(n) < np.where(failed, 0.4, 0.03)
    rules = np.where(signals["quick_repeat"], 0.6, 0.12)
    hidden = dict.fromkeys(LABEL_GROUPS, np.full(n, 0.12))
    return Examples(features, signals, rules, hidden, np.arange(n) >= 0.8 * n), failed


def log_loss(probability, failed):
    return -np.mean(np.log(np.where(failed, probability, 1 - probability)))


def test_planted_evidence_is_found_and_beats_the_anchor_alone():
    examples, failed = planted()
    model = train(examples)
    weights = model.metrics["weights"]
    assert (model.kind, model.anchor) == ("agreement", "nlu")
    moved = {GROUPS[name] for name in MOVED}
    assert min(weights[g] for g in moved) > 2 * max(w for g, w in weights.items() if g not in moved)
    lost = np.zeros(len(failed), bool)
    anchor = 1 / (1 + np.exp(-examples.features[:, FEATURES.index("nlu_doubt")].astype(float)))
    assert log_loss(model.probability(examples.features, lost), failed) < log_loss(anchor, failed)


def test_as_many_turns_fail_as_the_anchor_says():
    examples, failed = planted()
    for variant in ("offline", "runtime"):
        probability = train(examples).probability(examples.features, np.zeros(len(failed), bool), variant=variant)
        assert probability.mean() == pytest.approx(failed.mean(), abs=0.03)


def test_at_run_time_nothing_after_the_request_changes_the_probability():
    examples, failed = planted()
    late = [i for i, name in enumerate(FEATURES) if GROUPS[name] not in RUNTIME_GROUPS]
    blind = examples.features.copy()
    blind[:, late] = np.nan
    model, lost = train(examples), np.zeros(len(failed), bool)
    whole = model.probability(examples.features, lost, least=0.9, variant="runtime")
    np.testing.assert_array_equal(whole, model.probability(blind, lost, variant="runtime"))
    assert (model.probability(examples.features, lost) != model.probability(blind, lost)).any()


def test_without_an_anchor_the_rules_stand_alone_and_say_why():
    examples, _ = planted(n=400)
    silent = replace(examples, features=np.full_like(examples.features, np.nan))
    model = train(silent)
    assert (model.kind, model.anchor) == ("rules", "")
    assert "nothing" in model.metrics["reason"]


def test_rules_that_tell_the_held_out_signals_as_well_are_kept():
    examples, _ = planted()
    told = np.where(examples.signals["quick_repeat"], 0.6, 0.12)
    model = train(replace(examples, hidden_rules=dict.fromkeys(LABEL_GROUPS, told)))
    assert (model.kind, model.anchor, model.weights) == ("rules", "", ())
    assert model.metrics["mean"]["rules"] == 1.0 > model.metrics["mean"]["model"]
    assert model.metrics["gain_lower"] < 0


def test_without_signals_on_held_out_days_nothing_shows_that_a_model_is_better():
    examples, _ = planted(n=1000)
    none = {name: found & ~examples.heldout for name, found in examples.signals.items()}
    model = train(replace(examples, signals=none))
    assert model.kind == "rules"
    assert "too few" in model.metrics["reason"]


@pytest.mark.parametrize(("reads_answers", "kind"), [(True, "agreement"), (False, "rules")])
def test_where_answers_are_the_anchor_the_model_must_tell_swapped_ones(reads_answers, kind):
    rng = np.random.default_rng(0)
    features = np.full((4000, len(FEATURES)), np.nan, np.float32)
    misfit = rng.beta(1, 6, 4000) if reads_answers else rng.uniform(size=4000)
    features[:, FEATURES.index("answer_misfit")] = misfit
    silent = {name: np.zeros(4000, bool) for name in SIGNALS}
    hidden = dict.fromkeys(LABEL_GROUPS, np.full(4000, 0.12))
    model = train(Examples(features, silent, np.full(4000, 0.12), hidden, np.arange(4000) >= 3000))
    assert model.kind == kind
    assert model.metrics["heldout_average_precision"]["answer"]["rules"] == pytest.approx(0.5, abs=0.03)
    assert (model.metrics["heldout_average_precision"]["answer"]["model"] > 0.75) == reads_answers


@pytest.mark.parametrize(
    ("known", "anchor"),
    [
        (("nlu_doubt", "failed_answer"), "nlu"),
        (("failed_answer", "answer_misfit"), "status"),
        (("answer_misfit",), "answer"),
    ],
)
def test_the_anchor_is_the_plainest_thing_that_the_log_records(known, anchor):
    features = np.full((100, len(FEATURES)), np.nan, np.float32)
    features[:, [FEATURES.index(name) for name in known]] = np.linspace(0, 1, 100)[:, None]
    assert find_anchor(features) == anchor
    features[:, FEATURES.index(known[0])] = 0.5
    assert find_anchor(features) != anchor


def test_what_restates_a_repeat_is_hidden_with_it():
    assert set(restated("repeat")) == {"repeat", "following", "reaction"}
    assert restated("status") == ("status",)


def model_of(**weights):
    n = len(FEATURES)
    given = tuple(weights.get(name, 0.0) for name in FEATURES)
    return DefectModel("agreement", 0.2, "nlu", (0.0,) * n, (1.0,) * n, given)


def test_explicit_signals_bound_what_the_model_says():
    model, lost = model_of(asr_doubt=5.0), np.zeros(1, bool)
    features = np.zeros((1, len(FEATURES)), np.float32)
    features[0, FEATURES.index("asr_doubt")] = -2.0
    assert model.probability(features, lost)[0] == FLOOR
    assert model.probability(features, lost, least=0.5)[0] == 0.5
    assert model.probability(-features, lost)[0] == CEILING
    assert model.probability(-features, lost, most=0.02)[0] == 0.02


def test_unknown_features_add_nothing_and_a_lost_turn_starts_from_its_own_chance():
    model = model_of(**dict.fromkeys(FEATURES, 1.0))
    unknown = np.full((2, len(FEATURES)), np.nan, np.float32)
    assert model.probability(unknown, np.array([False, True])) == pytest.approx([0.5, LOST])


def test_the_file_is_readable_repeats_its_bytes_and_gives_the_same_numbers(tmp_path):
    examples, failed = planted(n=3000)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        train(examples).save(tmp_path / folder)
    first = (tmp_path / "a" / FILE).read_bytes()
    assert first == (tmp_path / "b" / FILE).read_bytes()
    assert json.loads(first)["features"][0]["name"] == FEATURES[0]
    loaded, trained, lost = load_model(tmp_path / "a"), train(examples), np.zeros(len(failed), bool)
    for variant in ("offline", "runtime"):
        one, other = (m.probability(examples.features, lost, variant=variant) for m in (loaded, trained))
        np.testing.assert_array_equal(one, other)
    assert loaded.version == trained.version


@pytest.mark.parametrize("content", ["not json", "{}", '{"features": [{"name": "other"}]}'])
def test_a_broken_file_is_refused_by_name(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(RewriterError, match=r"defects\.json"):
        load_model(tmp_path)
    with pytest.raises(RewriterError, match="cannot be read"):
        load_model(tmp_path / "absent")
