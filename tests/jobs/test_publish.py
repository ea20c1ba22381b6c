"""`rewriter publish` and the stop controls, as an operator and the nightly run use them."""

import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import control
from jobs.command import run_main
from jobs.publish import main
from rewriter.bundle.layout import REGRESSION, current, current_version, read_manifest, versions
from rewriter.errors import RewriterError
from rewriter.retrieval.entries import Entry, table_of
from rewriter.retrieval.global_index import GlobalIndex
from rewriter.retrieval.personal_index import write_store
from schemas.table import ContractError
from schemas.tables import REWRITE_PAIRS, TURNS, WIN_LOSS


@pytest.fixture
def warehouse(tmp_path, pair):
    """A warehouse with mined pairs; calling it replaces them."""

    def mine(*rows):
        folder = tmp_path / "tables" / "rewrite_pairs"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(list(rows), schema=REWRITE_PAIRS.schema), folder / "part.parquet")
        return tmp_path

    mine(pair())
    return mine


def publish(root, *options):
    return main(["--bundles", str(root / "bundles"), *map(str, options)])


def pairs_of(root):
    rows = pq.read_table(current(root / "bundles") / "pairs.parquet").to_pylist()
    return {row["source"]: (row["rewrite"], row["status"]) for row in rows}


def rewrite(root, text):
    return control.rewrite([text, "--bundles", str(root / "bundles")])["rewrite"]


def test_a_warehouse_is_published_and_answers(tmp_path, warehouse, capsys):
    done = publish(tmp_path)
    assert done == {"version": current_version(tmp_path / "bundles"), "current": True, "active": 1}
    assert rewrite(tmp_path, "Play beet it") == "play beat it"
    said = capsys.readouterr().out
    assert "'play beat it' (probability 0.720)" in said
    assert "source: precomputed" in said
    assert "20 users said this" in said


def test_publishing_twice_ends_in_the_same_version(tmp_path, warehouse):
    assert publish(tmp_path) == publish(tmp_path)
    assert len(versions(tmp_path / "bundles")) == 1


def test_the_log_names_the_days_whether_it_is_partitioned_or_one_file(tmp_path, warehouse):
    row = {"user_id": "u", "locale": "en-US", "utterance": "a"}
    rows = [row | {"turn_id": str(d), "at": datetime(2026, 5, d, 12, tzinfo=UTC)} for d in (9, 3, 21)]
    turns = pa.Table.from_pylist(rows, schema=TURNS.schema)
    pq.write_table(turns, tmp_path / "turns.parquet")
    for d in (3, 9, 21):
        folder = tmp_path / "turns" / f"day=2026-05-{d:02d}"
        folder.mkdir(parents=True)
        pq.write_table(turns.slice(0, 1), folder / "part.parquet")
    for log in ("turns.parquet", "turns"):
        publish(tmp_path, "--turns", tmp_path / log)
        assert read_manifest(current(tmp_path / "bundles"))["data_days"] == ["2026-05-03", "2026-05-21"]
        assert current_version(tmp_path / "bundles").startswith("20260521-")


def test_a_part_that_does_not_load_is_refused_and_nothing_is_left(tmp_path, warehouse):
    (tmp_path / "models" / "encoder").mkdir(parents=True)
    (tmp_path / "models" / "encoder" / "encoder.json").write_text("{}")
    with pytest.raises(RewriterError, match="encoder"):
        publish(tmp_path)
    assert versions(tmp_path / "bundles") == []


def test_indexes_that_do_not_fit_together_are_refused_in_one_line_and_the_old_bundle_stays(tmp_path, warehouse, capsys):
    publish(tmp_path)
    before = current_version(tmp_path / "bundles")
    for name in ("global", "personal"):
        (tmp_path / "indexes" / name).mkdir(parents=True)
    found = Entry("play jazz", "en-US", "music", "play_music", {}, 9, 0, 20, 1.7e9)
    vectors = np.eye(1, 32, dtype=np.float32)
    GlobalIndex.build(table_of([found]), vectors, 1000, "v1").save(tmp_path / "indexes" / "global")
    write_store(tmp_path / "indexes" / "personal", [], 16, "v1")
    with pytest.raises(SystemExit, match="2"):
        run_main(lambda argv: publish(tmp_path))
    said = capsys.readouterr().err
    assert said == "error: parts that do not fit together: dimensions are 32 (global index), 16 (personal index)\n"
    assert versions(tmp_path / "bundles") == [before] == [current_version(tmp_path / "bundles")]


def test_win_loss_is_in_the_manifest_with_null_for_what_json_cannot_say(tmp_path, warehouse):
    row = {
        "basis": "proxy",
        "layer": "all",
        "domain": "all",
        "ratio_low": 9.5,
        "ratio_high": float("inf"),
        "defect_delta": -0.1,
    }
    numbers = dict.fromkeys(("n", "rewritten", "wins", "losses", "ties", "undecided"), 3)
    (tmp_path / "tables" / "win_loss").mkdir()
    pq.write_table(pa.Table.from_pylist([row | numbers], schema=WIN_LOSS.schema), tmp_path / "tables/win_loss/p.parquet")
    publish(tmp_path)
    metrics = read_manifest(current(tmp_path / "bundles"))["metrics"]
    assert (metrics["win_loss"][0]["ratio_low"], metrics["win_loss"][0]["ratio_high"]) == (9.5, None)
    assert metrics["locales"] == {"en-US": 1}


def test_a_blocked_pair_stays_out_of_every_later_bundle(tmp_path, warehouse, pair):
    publish(tmp_path)
    control.block(["play beet it", "play beat it", "--bundles", str(tmp_path / "bundles"), "--reason", "wrong"])
    assert rewrite(tmp_path, "play beet it") is None
    for users in (20, 50, 90):
        warehouse(pair(support_users=users), pair(source="other"))
        publish(tmp_path)
        assert pairs_of(tmp_path) == {"play beet it": ("play beat it", "blocked"), "other": ("play beat it", "active")}
        assert rewrite(tmp_path, "play beet it") is None
        assert rewrite(tmp_path, "other") == "play beat it"


def test_a_regression_case_refuses_the_bundle_by_name_and_the_old_one_stays(tmp_path, warehouse, pair, capsys):
    publish(tmp_path)
    before = current_version(tmp_path / "bundles")
    case = {"source": "Turn on", "rewrite": "turn off", "reason": "the opposite"}
    (tmp_path / "bundles" / REGRESSION).write_text(json.dumps(case) + "\n")
    warehouse(pair(), pair(source="turn on", rewrite="turn off", domain="home"))
    with pytest.raises(SystemExit) as stopped:
        run_main(lambda argv: publish(tmp_path))
    assert stopped.value.code == 2
    assert "1 regression case(s) would be served again: 'turn on' -> 'turn off': the opposite" in capsys.readouterr().err
    assert current_version(tmp_path / "bundles") == before
    assert versions(tmp_path / "bundles") == [before]
    warehouse(pair())
    publish(tmp_path)
    assert '"turn on"' in (current(tmp_path / "bundles") / REGRESSION).read_text()


def test_a_block_that_would_not_hold_is_refused(tmp_path, warehouse):
    words = ["play beet it", "play beat it", "--bundles"]
    with pytest.raises(RewriterError, match="publish one first"):
        control.block([*words, str(tmp_path)])
    publish(tmp_path)
    (tmp_path / "bundles/controls.jsonl").write_text("no JSON\n{}\n", "utf-8")
    with pytest.raises(RewriterError, match="line 1"):
        control.block([*words, str(tmp_path / "bundles")])


def test_a_block_that_is_undone_lets_the_pair_in_again(tmp_path, warehouse):
    publish(tmp_path)
    words = ["play beet it", "play beat it", "--bundles", str(tmp_path / "bundles")]
    control.block(words)
    publish(tmp_path)
    control.block([*words, "--undo"])
    publish(tmp_path)
    assert rewrite(tmp_path, "play beet it") == "play beat it"
    with pytest.raises(RewriterError, match="is not blocked"):
        control.block(["never", "blocked", "--bundles", str(tmp_path / "bundles"), "--undo"])


def test_pairs_wait_for_approval_where_the_settings_ask_for_it(tmp_path, warehouse):
    (tmp_path / "settings.toml").write_text("[publish]\napproval = true\n")
    publish(tmp_path, "--config", tmp_path / "settings.toml")
    assert pairs_of(tmp_path) == {"play beet it": ("play beat it", "pending")}
    assert rewrite(tmp_path, "play beet it") is None
    control.approve(["play beet it", "play beat it", "--bundles", str(tmp_path / "bundles")])
    assert rewrite(tmp_path, "play beet it") == "play beat it"
    publish(tmp_path, "--config", tmp_path / "settings.toml")
    assert pairs_of(tmp_path) == {"play beet it": ("play beat it", "active")}


def test_only_a_known_pair_that_nobody_blocked_can_be_approved(tmp_path, warehouse):
    publish(tmp_path)
    bundles = str(tmp_path / "bundles")
    with pytest.raises(RewriterError, match="no pair of the current bundle"):
        control.approve(["something", "else", "--bundles", bundles])
    control.block(["play beet it", "play beat it", "--bundles", bundles, "--reason", "wrong"])
    with pytest.raises(RewriterError, match=r"is blocked \(wrong\)"):
        control.approve(["play beet it", "play beat it", "--bundles", bundles])


def test_bundles_are_listed_with_the_current_one_marked_and_damage_is_named(tmp_path, warehouse, pair, capsys):
    publish(tmp_path)
    first = current(tmp_path / "bundles")
    warehouse(pair(support_users=21))
    publish(tmp_path)
    capsys.readouterr()
    control.bundles(["--bundles", str(tmp_path / "bundles"), "--verify"])
    lines = {line[2:].split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines[first.name].startswith("  ")
    assert lines[current_version(tmp_path / "bundles")].startswith("* ")
    assert f"parent {first.name}" in lines[current_version(tmp_path / "bundles")]
    (first / "top_rewrites.md").write_bytes(b"x" * (first / "top_rewrites.md").stat().st_size)
    with pytest.raises(RewriterError, match=rf"{first.name}: top_rewrites\.md does not match"):
        control.bundles(["--bundles", str(tmp_path / "bundles"), "--verify"])


def test_the_first_bundle_cannot_be_rolled_back(tmp_path, warehouse):
    publish(tmp_path)
    with pytest.raises(RewriterError, match="is the first bundle"):
        control.rollback(["--bundles", str(tmp_path / "bundles")])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pairs", "nowhere"], "no such file or folder: nowhere"),
        (["--regression", "nowhere.jsonl"], "no such file or folder: nowhere.jsonl"),
        (["--turns", "nowhere"], "nowhere"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_what_is_not_there_is_named(options, message, tmp_path, warehouse):
    with pytest.raises(RewriterError, match=message):
        publish(tmp_path, *options)


def test_pairs_that_break_the_contract_are_refused_by_column(tmp_path, warehouse):
    file = tmp_path / "tables/rewrite_pairs/part.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["source"]), file)
    with pytest.raises(ContractError, match="missing 'source'"):
        publish(tmp_path)


def test_an_empty_warehouse_says_what_to_do(tmp_path):
    with pytest.raises(RewriterError, match="run the plan first"):
        publish(tmp_path)


@pytest.mark.parametrize(
    "command", [control.rewrite, control.block, control.approve, control.bundles, control.rollback, main]
)
def test_every_command_explains_itself_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        command(["--help"])
    assert stopped.value.code == 0
    assert "example: rewriter " in capsys.readouterr().out
