"""Arms: stable for a user, in the shares that were set, and withheld rewrites are logged as what would have been served."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from rewriter.decision_log import read_decisions
from rewriter.report.traffic import traffic_numbers
from rewriter.simulation.exchange import Request
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
    withheld = {"rewrite": "play beat it", "source": "precomputed"}
    assert answer["experiment"] == {"name": "rewriting", "arm": arm, "propensity": 1.0, "withheld": withheld}
    row = read_decisions(tmp_path / "decisions").to_pylist()[0]
    assert (row["rewrite"], row["source"], row["arm"]) == ("play beat it", "precomputed", arm)
    assert row["rewrite_id"] == answer["rewrite_id"]


def test_a_caller_can_log_what_was_withheld_and_counts_it_as_not_rewritten(tmp_path, pair, publish_pairs, live, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples")
    from demo import win_loss
    from live import ApiRewriter

    publish_pairs(tmp_path / "bundles", pair(), holdout=0.5)
    with live(tmp_path / "bundles") as client:
        rewriter = ApiRewriter(client.base_url.port)
        at = datetime(2026, 1, 5, tzinfo=UTC)
        answers = [
            rewriter(Request(said, f"u{n}", "s", at, "en-US", "speaker", 0.9, (), None, {}, (), f"{said} {n}"))
            for n in range(40)
            for said in ("play beet it", "hello")
        ]
        rewriter._local.connection.close()
    logged = {(a.arm, a.served, a.layer) for a in answers}
    assert logged == {(arm, "play beat it", "precomputed") for arm in ("holdout", "treatment")} | {
        ("treatment", None, "none")
    }
    turns = [SimpleNamespace(answer=a, ok=True, ok_as_is=False) for a in answers]
    assert win_loss(turns).rewritten == sum(a.served is not None and a.arm == "treatment" for a in answers)


def test_rows_of_a_withheld_rewrite_do_not_count_as_rewritten_in_the_report(tmp_path, pair, publish_pairs, live):
    publish_pairs(tmp_path / "bundles", pair(), holdout=0.5)
    with live(tmp_path / "bundles") as client:
        bodies = [{"utterance": "play beet it", "user_id": f"u{n}", "request_id": f"r{n}"} for n in range(40)]
        answers = client.post("/v1/rewrite:batch", json={"requests": bodies}).json()["answers"]
    served = sum(answer["rewrite"] is not None for answer in answers)
    assert 0 < served < 40
    traffic = traffic_numbers(read_decisions(tmp_path / "decisions"))
    assert (traffic["rewritten"], traffic["trigger_rate"]) == (served, served / 40)
    assert {row["arm"]: row["rewritten"] for row in traffic["by_arm"]} == {"treatment": served, "holdout": 0}
    assert traffic["left_alone_because"] == [{"reason": "withheld by the experiment (holdout)", "n": 40 - served}]


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
