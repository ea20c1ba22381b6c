"""train_rephrase and detect_rephrases as commands, and Spark against a plain call."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from jobs import detect_rephrases, train_rephrase
from jobs.detect_rephrases import detect, detect_table, turns_with_defects, whole_users
from rewriter.errors import RewriterError
from rewriter.rephrase.decision import read_decision
from rewriter.rephrase.detector import SpanDetector
from rewriter.settings import Rephrase, Settings, Train
from schemas.table import conform
from schemas.tables import REPHRASES, TURNS

SONGS = ["jazz", "rock", "timer", "weather", "traffic", "milk", "album"]


def _turns(n_users: int, seed: int = 0) -> pa.Table:
    """Users who fail a third of the time and mostly say nearly the same again."""
    rng = np.random.default_rng(seed)
    start = datetime(2026, 3, 1, 8, tzinfo=UTC)
    rows: list[dict[str, Any]] = []
    for u in range(n_users):
        at = start + timedelta(days=int(rng.integers(0, 5)), seconds=int(rng.integers(0, 999)))
        for _ in range(int(rng.integers(1, 9))):
            again = bool(rows) and rows[-1]["user_id"] == f"u{u}" and rows[-1]["response_status"] == "fallback"
            word = rows[-1]["utterance"] + " please" if again else f"play {rng.choice(SONGS)} {rng.choice(SONGS)}"
            failed = rng.random() < 0.33
            at += timedelta(seconds=float(rng.choice([6, 12, 90])))
            rows.append(
                {
                    "turn_id": f"t{len(rows)}",
                    "user_id": f"u{u}",
                    "at": at,
                    "locale": "en-US",
                    "utterance": word,
                    "domain": None if failed else "music",
                    "intent": "null" if failed else "play",
                    "nlu_confidence": 0.3 if failed else 0.95,
                    "response_status": "fallback" if failed else "ok",
                    "response": "sorry" if failed else "playing",
                }
            )
    order = rng.permutation(len(rows))
    return pa.Table.from_pylist([rows[i] for i in order], schema=TURNS.schema)


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("log") / "turns.parquet"
    pq.write_table(_turns(120), file)
    return file


@pytest.fixture(scope="module")
def config(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("config") / "rewriter.toml"
    file.write_text(f'[train]\nencoder = "{tiny_bert}"\nmax_steps = 30\nlearning_rate = 1e-3\nthreads = 1\n')
    return file


@pytest.fixture(scope="module")
def model(spark: object, log_file: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "rephrase"
    counts = train_rephrase.main(["--turns", str(log_file), "--config", str(config), "--days", "fit", "--out", str(out)])
    assert counts["labels"]["rephrase"] > 20
    return out


def test_the_model_folder_holds_what_the_next_stage_needs_and_a_card(model: Path) -> None:
    names = {p.name for p in model.iterdir()}
    assert names == {"model.onnx", "model.safetensors", "config.json", "tokenizer.json", "decision.json", "card.md"}
    decision = read_decision(model)
    assert 0 < decision.threshold < 1
    assert decision.skipped_probability <= decision.threshold / 2
    card = (model / "card.md").read_text()
    assert decision.model_version in card
    assert "2026-03-01" in card  # the first day of the log
    assert "2026-03-05" not in card  # the last day is not a fit day


def test_spark_gives_the_same_candidates_and_numbers_as_a_plain_call(
    spark: Any, model: Path, log_file: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(model, tmp_path / "reads")
    replace(read_decision(model), span_weight=1.0).write(model)
    turns = turns_with_defects(spark, log_file, None)
    got = {row["turn_id"]: row.asDict() for row in detect(turns.repartition(3), model, 45.0).collect()}
    plain = detect_table(SpanDetector(model), pq.read_table(log_file), 45.0).to_pylist()
    assert len(got) == len(plain)
    for row in plain:
        assert got[row["turn_id"]]["rephrase_turn_id"] == row["rephrase_turn_id"]
        assert got[row["turn_id"]]["gap_s"] == row["gap_s"]
        assert got[row["turn_id"]]["day"] == row["day"]
        # int8 activations are scaled by the batch: other rows beside it move the last digits
        assert got[row["turn_id"]]["probability"] == pytest.approx(row["probability"], abs=0.05)


def test_users_are_whole_however_the_batches_are_cut() -> None:
    users = ["a"] * 3 + ["b"] * 7 + ["c"] + ["d"] * 4 + ["e"] * 2
    rows = pa.table({"user_id": users, "n": list(range(len(users)))})
    for size in (1, 2, 3, 5, 17):
        tables = list(whole_users(iter(rows.to_batches(max_chunksize=size)), turns_a_call=4))
        assert pa.concat_tables(tables).to_pydict() == rows.to_pydict()
        seen = [set(t["user_id"].to_pylist()) for t in tables]
        assert sum(map(len, seen)) == len(set(users))
    assert list(whole_users(iter([]))) == []


def test_the_command_writes_one_row_a_turn_by_contract(spark: Any, model: Path, log_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "rephrases"
    args = ["--turns", str(log_file), "--model", str(model), "--out", str(out)]
    counts = detect_rephrases.main(args)
    table = conform(REPHRASES, ds.dataset(out, partitioning="hive").to_table())
    turns = pq.read_table(log_file)
    assert sorted(table["turn_id"].to_pylist()) == sorted(turns["turn_id"].to_pylist())
    assert counts["turns"] == turns.num_rows
    at = dict(zip(turns["turn_id"].to_pylist(), turns["at"].to_pylist(), strict=True))
    user = dict(zip(turns["turn_id"].to_pylist(), turns["user_id"].to_pylist(), strict=True))
    for row in table.to_pylist():
        target = row["rephrase_turn_id"]
        if target is None:
            assert (row["probability"], row["gap_s"]) == (0.0, None)
        else:
            gap = (at[target] - at[row["turn_id"]]).total_seconds()
            assert 0 < gap <= 3 * 45
            assert row["gap_s"] == pytest.approx(gap)
            assert user[target] == user[row["turn_id"]]


def test_the_model_finds_the_planted_repeats(spark: Any, model: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.parquet"
    pq.write_table(_turns(80, seed=5), fresh)
    found = detect_table(SpanDetector(model), pq.read_table(fresh), 45.0)
    text = dict(zip(*(pq.read_table(fresh)[n].to_pylist() for n in ("turn_id", "utterance")), strict=True))
    threshold = read_decision(model).threshold
    rows = [r for r in found.to_pylist() if r["rephrase_turn_id"] is not None]
    truth = np.array([text[r["rephrase_turn_id"]] == text[r["turn_id"]] + " please" for r in rows])
    said = np.array([r["probability"] >= threshold for r in rows])
    precision, recall = truth[said].mean(), said[truth].mean()
    assert 2 * precision * recall / (precision + recall) > 0.8


def test_a_log_without_sessions_of_two_turns_is_one_clear_line(spark: Any, config: Path, tmp_path: Path) -> None:
    single = tmp_path / "single.parquet"
    pq.write_table(_turns(1).slice(0, 1), single)
    with pytest.raises(RewriterError, match="nothing to learn rephrases from"):
        train_rephrase.main(["--turns", str(single), "--config", str(config), "--out", str(tmp_path / "m")])
    assert not (tmp_path / "m").exists()


def test_a_second_round_is_kept_only_where_held_out_labels_like_it(tiny_bert: Path, tmp_path: Path) -> None:
    train = Train(encoder=str(tiny_bert), max_steps=10, learning_rate=1e-3, threads=1)
    found = {}
    for again in (False, True):
        out = tmp_path / str(again)
        out.mkdir()
        settings = Settings(rephrase=Rephrase(self_training=again), train=train)
        found[again] = train_rephrase.learn(_turns(60), settings, out)
    assert found[True]["cross_entropy"] <= found[False]["cross_entropy"]
    kept = found[True]["model_version"] == found[False]["model_version"]
    assert kept == (found[True]["cross_entropy"] == found[False]["cross_entropy"])
    assert read_decision(tmp_path / "True").model_version == found[True]["model_version"]
