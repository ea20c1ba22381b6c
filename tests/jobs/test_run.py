"""What a run records and gives to its stages; the stages themselves only leave their outputs behind."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from jobs import run
from jobs.duplicates import require_unique
from jobs.plan import PLAN
from rewriter.config import read_settings
from rewriter.errors import RewriterError
from schemas.tables import TURNS

START = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)


def write(file: Path, names: list[str]) -> Path:
    rows = [{"turn_id": n, "user_id": "u", "at": START, "locale": "en-US", "utterance": "play jazz"} for n in names]
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=TURNS.schema), file)
    return file


class KilledError(Exception):
    """The process ends here."""


class Runs:
    """Runs over one small log; ``seen`` is what the stages of the latest were given to read as settings."""

    def __init__(self, folder: Path) -> None:
        self.log, self.config, self.out = folder / "turns", folder / "c.toml", folder / "out"
        self.seen: dict[str, object] = {}
        self.kill_at, self.meanwhile = "", ""
        write(self.log / "day=2026-03-01/a.parquet", ["a", "b"])

    def stage(self, stage, arguments):
        config = Path(arguments[arguments.index("--config") + 1])
        self.seen[stage.name] = read_settings(config)
        if self.meanwhile:
            self.config.write_text(self.meanwhile, "utf-8")
        if stage.name == self.kill_at:
            raise KilledError
        for path in stage.outputs:
            (self.out / path).mkdir(parents=True, exist_ok=True)
        return {}

    def run(self, settings: str = "", kill_at: str = "", last: str | None = None) -> dict[str, str]:
        """Run to a stage; returns each recorded stage's status, from the file."""
        self.seen, self.kill_at = {}, kill_at
        self.config.write_text(settings, "utf-8")
        with suppress(KilledError):
            run.run_plan(self.log, self.out, self.config, last, Console(quiet=True))
        return {s["name"]: s["status"] for s in json.loads((self.out / "run.json").read_text("utf-8"))["stages"]}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs(tmp_path)
    monkeypatch.setattr(run, "run_stage", made.stage)
    return made


NAMES = [stage.name for stage in PLAN]


def test_a_run_killed_on_a_new_log_leaves_no_stage_of_the_old_one_as_done(runs: Runs):
    assert runs.run() == dict.fromkeys(NAMES, "done")
    write(runs.log / "day=2026-03-02/a.parquet", ["c"])
    halfway = runs.run(kill_at="detect_rephrases")
    first = NAMES.index("detect_rephrases")
    assert halfway == dict.fromkeys(NAMES[:first], "done") | dict.fromkeys(NAMES[first:], "stale")
    assert set(runs.run().values()) == {"skipped", "done"}
    assert set(runs.seen) == set(NAMES[first:])


def test_a_run_up_to_a_stage_leaves_the_later_ones_of_other_settings_stale(runs: Runs):
    runs.run()
    status = runs.run("[mine]\nmin_users = 99\n", last="mine_fit")
    assert (status["detect_rephrases"], status["mine_fit"], status["publish"]) == ("skipped", "done", "stale")


def test_going_back_to_the_settings_of_stale_stages_runs_only_what_was_begun_anew(runs: Runs):
    runs.run()
    runs.run("[mine]\nmin_users = 99\n", kill_at="mine_fit")
    status = runs.run()
    assert set(runs.seen) == {"mine_fit"}
    assert status == dict.fromkeys(NAMES, "skipped") | {"mine_fit": "done"}


def test_every_stage_reads_the_settings_that_the_run_began_with(runs: Runs):
    runs.meanwhile = "seed = 8\n[mine]\nmin_users = 99\n"
    runs.run('[mine]\nmin_users = 3\n[train]\nencoder = "my \\"own\\" encoder"\n')
    assert list(runs.seen) == NAMES
    assert {(s.seed, s.mine.min_users, s.train.encoder) for s in runs.seen.values()} == {(7, 3, 'my "own" encoder')}


def test_a_log_with_a_file_that_is_there_twice_is_refused_by_a_turn_and_its_files(runs: Runs):
    write(runs.log / "day=2026-03-01/copy.parquet", ["x", "b"])
    with pytest.raises(RewriterError, match=r"turn_id 'b' is there 2 times, in .*a\.parquet, .*copy\.parquet"):
        runs.run()
    assert not runs.seen


def test_turns_told_apart_by_a_single_letter_are_no_duplicates_and_every_duplicate_is_found(tmp_path: Path):
    names = [f"turn-{i:05d}" for i in range(70_000)]
    require_unique(write(tmp_path / "one.parquet", names), "turn_id", len(names))
    for place in (0, 65_535, 65_536):
        again = [*names, names[place]]
        with pytest.raises(RewriterError, match=f"'{names[place]}' is there 2 times"):
            require_unique(write(tmp_path / "two.parquet", again), "turn_id", len(again))
