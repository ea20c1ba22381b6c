"""A change of the bundles, killed at every step: nothing is torn, and the next attempt ends as if nothing had happened."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rewriter.bundle.controls import Controls
from rewriter.bundle.layout import CURRENT, current_version, versions
from rewriter.bundle.regression import cases_of
from rewriter.bundle.verify import verify

SCRIPT = Path(__file__).with_name("killed_writer.py")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def writer():
    spec = importlib.util.spec_from_file_location("killed_writer", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def wrecks_of(scenario, before, folder):
    run = [sys.executable, str(SCRIPT), scenario, str(before), str(folder)]
    done = subprocess.run(run, capture_output=True, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == 0, done.stderr
    return [folder / str(n) / "bundles" for n in range(1, json.loads(done.stdout)["steps"] + 1)], folder / "end" / "bundles"


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


def assert_whole(folder, allowed):
    """Every named version is whole, and CURRENT names one of those allowed (or nothing yet)."""
    assert all(verify(folder / version) == [] for version in versions(folder))
    now = current_version(folder) if (folder / CURRENT).exists() else None
    assert now in allowed
    return now


@pytest.mark.parametrize("scenario", ["first", "second"])
def test_a_publish_killed_at_any_step_tears_nothing_and_ends_in_the_same_bytes_when_repeated(scenario, tmp_path, writer):
    before = tmp_path / "before"
    before.mkdir()
    if scenario == "second":
        writer.CHANGES["first"](before)
    old = current_version(before) if scenario == "second" else None
    wrecks, end = wrecks_of(scenario, before, tmp_path / "wrecks")
    new = current_version(end)
    seen = {assert_whole(wreck, {old, new}) for wreck in wrecks}
    assert seen == {old, new}, "some step must lie before the swap and some after it"
    assert len(wrecks) > 30
    for wreck in wrecks:
        writer.CHANGES[scenario](wreck)
        assert tree(wreck) == tree(end)


def test_a_rollback_killed_at_any_step_leaves_one_of_the_two_versions_and_can_be_repeated(tmp_path, writer):
    before = tmp_path / "before"
    before.mkdir()
    writer.CHANGES["first"](before)
    first = current_version(before)
    writer.CHANGES["second"](before)
    second = current_version(before)
    wrecks, end = wrecks_of("rollback", before, tmp_path / "wrecks")
    assert current_version(end) == first
    assert {assert_whole(wreck, {first, second}) for wreck in wrecks} == {first, second}
    for wreck in wrecks:
        if current_version(wreck) == second:
            writer.CHANGES["rollback"](wreck)
        assert current_version(wreck) == first
        assert Controls.read(wreck).withdrawn == {second}


def test_a_block_killed_at_any_step_keeps_the_journal_readable_and_can_be_repeated(tmp_path, writer):
    before = tmp_path / "before"
    before.mkdir()
    writer.CHANGES["first"](before)
    wrecks, _ = wrecks_of("block", before, tmp_path / "wrecks")
    for wreck in wrecks:
        Controls.read(wreck)
        writer.CHANGES["block"](wreck)
        assert Controls.read(wreck).is_blocked("en-US", "play beet it", "play beat it")
        assert [(c.source, c.rewrite) for c in cases_of(wreck)] == [("play beet it", "play beat it")]
