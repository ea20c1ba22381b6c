"""Arms: stable for a user, in the shares that were set, and withheld rewrites are logged as what would have been served."""

import pytest

from rewriter.decision_log import read_decisions
from serving.experiment import Experiment

USERS = [f"user-{n}" for n in range(20_000)]


def share(experiment, arm, rewrite_id="r1"):
    return sum(experiment.assign(user, rewrite_id).arm == arm for user in USERS) / len(USERS)


def test_arms_have_the_shares_that_were_set():
    experiment = Experiment(control=0.1, holdout=0.2)
    assert share(experiment, "control") == pytest.approx(0.1, abs=0.01)
    assert share(experiment, "holdout") == pytest.approx(0.9 * 0.2, abs=0.01)
    assert share(experiment, "treatment") == pytest.approx(0.9 * 0.8, abs=0.01)


def test_the_propensity_is_the_chance_of_the_arm():
    experiment = Experiment(control=0.1, holdout=0.2)
    chances = {a.arm: a.propensity for a in (experiment.assign(user, "r1") for user in USERS)}
    assert chances == {"control": 0.1, "holdout": pytest.approx(0.18), "treatment": pytest.approx(0.72)}
    without = {a.arm: a.propensity for a in (experiment.assign(user, None) for user in USERS)}
    assert without == {"control": 0.1, "treatment": 0.9}


def test_control_follows_the_user_and_holdout_is_drawn_anew_for_each_rewrite():
    experiment = Experiment(control=0.5, holdout=0.5)
    arms = {user: [experiment.assign(user, f"r{n}").arm for n in range(12)] for user in USERS[:500]}
    assert all(("control" in a) == (set(a) == {"control"}) for a in arms.values())
    assert sum({"holdout", "treatment"} <= set(a) for a in arms.values()) > 200


def test_with_shares_of_zero_everybody_is_treated_for_certain():
    assert {(a.arm, a.propensity) for a in (Experiment().assign(u, "r") for u in USERS[:200])} == {("treatment", 1.0)}


@pytest.mark.parametrize(("control", "holdout", "arm"), [(1.0, 0.0, "control"), (0.0, 1.0, "holdout")])
def test_a_withheld_rewrite_is_not_in_the_answer_but_in_the_log(control, holdout, arm, tmp_path, pair, publish_pairs, live):
    publish_pairs(tmp_path / "bundles", pair(), control=control, holdout=holdout)
    with live(tmp_path / "bundles") as client:
        answer = client.post("/v1/rewrite", json={"utterance": "play beet it", "user_id": "u", "request_id": "r"}).json()
    assert (answer["rewrite"], answer["source"], answer["probability"]) == (None, "none", None)
    assert answer["reason"] == f"withheld by the experiment ({arm})"
    assert answer["experiment"] == {"name": "rewriting", "arm": arm, "propensity": 1.0}
    row = read_decisions(tmp_path / "decisions").to_pylist()[0]
    assert (row["rewrite"], row["source"], row["arm"]) == ("play beat it", "precomputed", arm)
    assert row["rewrite_id"] == answer["rewrite_id"]


def test_without_a_user_the_session_decides_and_without_both_the_request(tmp_path, pair, publish_pairs, live):
    publish_pairs(tmp_path / "bundles", pair(), control=0.5)
    with live(tmp_path / "bundles") as client:

        def arms(**who):
            bodies = [{"utterance": "play beet it", "request_id": f"r{n}"} | who for n in range(30)]
            answers = client.post("/v1/rewrite:batch", json={"requests": bodies}).json()["answers"]
            return {answer["experiment"]["arm"] for answer in answers}

        assert arms() == {"control", "treatment"}
        assert all(len(arms(session_id=f"s{n}")) == 1 for n in range(5))
        assert all(len(arms(user_id=f"u{n}")) == 1 for n in range(5))
        by_user = {n: arms(user_id=f"u{n}") for n in range(20)}
        assert by_user == {n: arms(user_id=f"u{n}", session_id="another") for n in range(20)}
