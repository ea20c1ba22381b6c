import dataclasses
import tomllib

import pytest

from rewriter.config import as_dict, print_settings, read_settings, settings_of
from rewriter.errors import RewriterError
from rewriter.settings import Settings


def config(tmp_path, text):
    path = tmp_path / "c.toml"
    path.write_text(text)
    return path


def test_no_file_gives_the_defaults_that_other_scripts_rely_on():
    settings = read_settings()
    assert settings == Settings()
    assert (settings.sessions.max_gap_s, settings.decide.target_win_loss) == (45.0, 8.5)
    assert (settings.mine.min_users, settings.mine.half_life_days, settings.privacy.min_users_global) == (10, 0.0, 5)


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path):
    text = "seed = 3\n[mine]\nmin_users = 2\nhalf_life_days = 7\n[decide]\nglobal = false\nprotected_words = []\n"
    settings = read_settings(config(tmp_path, text))
    assert (settings.seed, settings.mine.min_users, settings.mine.half_life_days) == (3, 2, 7.0)
    assert isinstance(settings.mine.half_life_days, float)
    assert (settings.decide.global_, settings.decide.protected_words) == (False, ())
    assert dataclasses.replace(settings, seed=7, mine=Settings().mine, decide=Settings().decide) == Settings()


def test_what_is_printed_is_read_back(tmp_path):
    changed = dataclasses.replace(
        Settings(),
        seed=1,
        train=dataclasses.replace(Settings().train, encoder='C:\\models\\"mine"'),
        decide=dataclasses.replace(Settings().decide, global_=False, protected_words=("ja", "nein")),
        mine=dataclasses.replace(Settings().mine, tolerance=1e-9),
    )
    for settings in (Settings(), changed):
        assert read_settings(config(tmp_path, print_settings(settings))) == settings
        assert settings_of(as_dict(settings), "x") == settings


def test_every_key_is_printed_with_its_unit_and_reason():
    text = print_settings(Settings())
    values = tomllib.loads(text)
    assert values == as_dict(Settings())
    lines = [line for line in text.splitlines() if " = " in line and not line.startswith("[")]
    n_keys = sum(len(v) if isinstance(v, dict) else 1 for v in values.values())
    assert len(lines) == n_keys
    for line in lines:
        assert ": " in line.split("  # ", 1)[1], line


def test_all_faults_are_named_at_once(tmp_path):
    text = 'seed = "x"\nother = 1\n[mine]\nmin_users = 1.5\nmin_user = 2\n'
    text += "[decide]\nglobal = 1\nprotected_words = [1]\n[train]\nencoder = 5\n"
    with pytest.raises(RewriterError) as error:
        read_settings(config(tmp_path, text))
    message = str(error.value)
    for fault in (
        "'seed'",
        "'other'",
        "'mine.min_users'",
        "'mine.min_user'",
        "'decide.global'",
        "'decide.protected_words'",
        "'train.encoder'",
    ):
        assert fault in message, fault
    assert "\n" not in message


def test_every_value_out_of_its_range_is_named_in_one_line(tmp_path):
    text = "seed = -1\n[mine]\nconfidence = 1.0\nmin_users = 0\nmin_lift = -0.5\n[experiment]\nholdout = 1.5\ncontrol = 0\n"
    text += "[decide]\ntarget_win_loss = nan\n[sessions]\nmax_gap_s = inf\n[personal]\nmax_age_days = -1\n"
    with pytest.raises(RewriterError) as error:
        read_settings(config(tmp_path, text))
    message = str(error.value)
    faults = [
        "'seed' is -1, expected at least 0",
        "'sessions.max_gap_s' is inf, expected at least 0",
        "'mine.min_users' is 0, expected at least 1",
        "'mine.confidence' is 1.0, expected 0 to 1, neither of them",
        "'personal.max_age_days' is -1, expected at least 0",
        "'decide.target_win_loss' is nan, expected at least 0",
        "'experiment.holdout' is 1.5, expected 0 to 1",
    ]
    assert message.split(": ", 1)[1] == "; ".join(faults)


@pytest.mark.parametrize(
    ("text", "message"),
    [("[mine", "not TOML"), ("mine = 3", "'mine' is a table"), ("[mine]\nmin_users = true", "'mine.min_users'")],
)
def test_a_broken_file_is_one_line(tmp_path, text, message):
    with pytest.raises(RewriterError, match=message):
        read_settings(config(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RewriterError, match=r"absent\.toml: cannot be read"):
        read_settings(tmp_path / "absent.toml")
