"""The plan as data, and what makes a stage run again."""

from __future__ import annotations

import dataclasses
import importlib
import re
from pathlib import Path

import pytest

from jobs.fingerprints import fingerprints
from jobs.plan import PLAN, STAGES, TURNS, after, command, until
from rewriter.config import as_dict
from rewriter.settings import Mine, Settings


def test_every_stage_comes_after_all_it_reads():
    done: set[str] = set()
    for stage in PLAN:
        made = {path for _, path in stage.inputs} - {TURNS}
        assert made <= {path for s in PLAN if s.name in done for path in s.outputs}, stage.name
        assert set(after(stage)) <= done
        done.add(stage.name)


def test_no_two_stages_write_the_same_folder():
    outputs = [path for stage in PLAN for path in stage.outputs]
    assert len(outputs) == len(set(outputs))


def test_every_stage_names_settings_and_a_job_that_exist():
    sections = set(as_dict(Settings()))
    for stage in PLAN:
        assert set(stage.settings) <= sections, stage.name
        assert callable(importlib.import_module(f"jobs.{stage.job}").main)


def test_a_stage_names_every_section_of_the_settings_that_its_job_reads():
    for stage in PLAN:
        source = Path(importlib.import_module(f"jobs.{stage.job}").__file__ or "").read_text("utf-8")
        read = set(re.findall(r"settings\.(\w+)", source)) & set(as_dict(Settings())) - {"seed"}
        assert read <= set(stage.settings), f"{stage.name} reads {read - set(stage.settings)}"


def test_other_weights_in_the_encoders_folder_train_again(tmp_path: Path):
    own = dataclasses.replace(Settings(), train=dataclasses.replace(Settings().train, encoder=str(tmp_path)))
    (tmp_path / "model.safetensors").write_bytes(b"one")
    before = marks(own)
    (tmp_path / "model.safetensors").write_bytes(b"two")
    again = changed(before, marks(own))
    assert {"train_defects", "train_rephrase", "train_encoder", "train_ranker"} <= again


def test_every_job_accepts_the_plans_command_line(capsys):
    for stage in PLAN:
        with pytest.raises(SystemExit) as stop:
            importlib.import_module(f"jobs.{stage.job}").main(["--help"])
        assert stop.value.code == 0
        text = capsys.readouterr().out
        for word in command(stage, "t", "o", "c.toml"):
            if word.startswith("--"):
                assert word in text, f"{stage.name}: {word}"
        assert "example" in text


def test_until_keeps_what_the_last_stage_needs_and_nothing_else():
    names = [s.name for s in until("mine_rewrites")]
    assert names == ["train_defects", "label_defects", "train_rephrase", "detect_rephrases", "mine_rewrites"]
    assert until(None) == PLAN


def marks(settings: Settings, log: object = "log", code: str = "code", blocked: str = "") -> dict[str, str]:
    return fingerprints(settings, log, code, {"bundles/controls.jsonl": blocked})


def test_a_block_publishes_again_and_reruns_nothing_else():
    assert changed(marks(Settings()), marks(Settings(), blocked="a pair")) == {"publish"}


def changed(a: dict[str, str], b: dict[str, str]) -> set[str]:
    return {name for name in a if a[name] != b[name]}


def test_a_setting_reruns_its_stages_and_those_after_them_only():
    stricter = dataclasses.replace(Settings(), mine=dataclasses.replace(Mine(), min_users=99))
    again = changed(marks(Settings()), marks(stricter))
    assert {"mine_fit", "mine_rewrites", "publish"} <= again
    assert not again & {
        "train_defects",
        "label_defects",
        "train_rephrase",
        "detect_rephrases",
    }


def test_a_changed_log_changed_code_or_seed_reruns_everything():
    everything = set(STAGES)
    assert changed(marks(Settings()), marks(Settings(), log="another")) == everything
    assert changed(marks(Settings()), marks(Settings(), code="another")) == everything
    assert changed(marks(Settings()), marks(dataclasses.replace(Settings(), seed=8))) == everything
    assert not changed(marks(Settings()), marks(Settings()))


def test_the_dag_file_names_no_stage_of_its_own():
    source = (Path(__file__).resolve().parents[2] / "airflow_dags/nightly.py").read_text("utf-8")
    assert not [name for name in STAGES if f'"{name}"' in source]


def test_a_bundle_is_published_again_when_any_setting_changes():
    assert set(STAGES["publish"].settings) == set(as_dict(Settings())) - {"seed"}
