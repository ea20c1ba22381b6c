"""The journal of operators: the last word counts, torn lines do not, broken ones are named."""

import json

import pytest

from jobs import control
from rewriter.bundle.controls import Controls, Seen, pair_key, read_on, record
from rewriter.bundle.layout import CONTROLS
from rewriter.errors import RewriterError


def say(bundles, action, source="play beet it", rewrite="play beat it", locale="*", reason="wrong song"):
    record(bundles, {"action": action, "source": source, "rewrite": rewrite, "locale": locale, "reason": reason})


def test_a_folder_without_a_journal_has_no_controls(tmp_path):
    assert Controls.read(tmp_path) == Controls()


def test_a_pair_blocked_everywhere_is_blocked_in_each_locale_and_no_other_pair_is(tmp_path):
    say(tmp_path, "block")
    controls = Controls.read(tmp_path)
    assert ("en-US", "play beet it", "play beat it") in controls.blocked
    assert ("de-DE", "play beet it", "play beat it") in controls.blocked
    assert ("en-US", "play beet it", "play beat") not in controls.blocked
    assert ("en-US", "play beat it", "play beet it") not in controls.blocked
    assert controls.reason("en-US", "play beet it", "play beat it") == "wrong song"


def test_a_pair_blocked_in_one_locale_is_blocked_there_alone(tmp_path):
    say(tmp_path, "block", locale="en-GB")
    controls = Controls.read(tmp_path)
    assert controls.is_blocked("en-GB", "play beet it", "play beat it")
    assert not controls.is_blocked("en-US", "play beet it", "play beat it")


def test_wording_is_normalised_so_that_capitals_and_signs_do_not_matter():
    assert pair_key("Play BEET it!", " play  beat-it", "en-US") == ("en-US", "play beet it", "play beat it")


@pytest.mark.parametrize(
    ("actions", "blocked", "approved"),
    [
        (["block"], True, False),
        (["approve"], False, True),
        (["approve", "block"], True, False),
        (["block", "unblock"], False, False),
        (["block", "unblock", "approve"], False, True),
        (["block", "unblock", "block"], True, False),
    ],
)
def test_the_last_word_on_a_pair_counts(actions, blocked, approved, tmp_path):
    for action in actions:
        say(tmp_path, action)
    controls = Controls.read(tmp_path)
    key = ("en-US", "play beet it", "play beat it")
    assert (controls.is_blocked(*key), controls.is_approved(*key)) == (blocked, approved)


def test_a_block_everywhere_beats_an_approval_in_one_locale(tmp_path):
    say(tmp_path, "block")
    say(tmp_path, "approve", locale="en-US")
    assert not Controls.read(tmp_path).is_approved("en-US", "play beet it", "play beat it")


def test_a_torn_last_line_is_ignored_and_dropped_by_the_next_entry(tmp_path):
    say(tmp_path, "block")
    with (tmp_path / CONTROLS).open("ab") as file:
        file.write(b'{"action": "unblo')
    assert Controls.read(tmp_path).is_blocked("en-US", "play beet it", "play beat it")
    say(tmp_path, "block", source="other")
    assert len(Controls.read(tmp_path).blocked) == 2


def test_a_last_line_that_lacks_nothing_but_its_end_counts_and_the_next_entry_keeps_it(tmp_path):
    say(tmp_path, "block")
    entry = {"action": "block", "source": "a", "rewrite": "b", "locale": "*", "reason": "by hand"}
    with (tmp_path / CONTROLS).open("ab") as file:
        file.write(json.dumps(entry).encode())
    assert Controls.read(tmp_path).is_blocked("en-US", "a", "b")
    _, seen = read_on(tmp_path, Seen())
    say(tmp_path, "block", source="other")
    controls, _ = read_on(tmp_path, seen)
    assert {source for _, source, _ in frozenset(controls.blocked)} == {"play beet it", "a", "other"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1])),
        lambda file: file.write_bytes(file.read_bytes()[:-2]),
        lambda file: file.write_bytes(file.read_bytes().replace(b'"play beet it"', b'"play beef it"')),
    ],
)
def test_a_journal_that_lost_or_changed_what_was_read_is_refused_and_one_that_grew_is_not(spoil, tmp_path):
    say(tmp_path, "block", source="first")
    say(tmp_path, "block")
    _, seen = read_on(tmp_path, Seen())
    whole = (tmp_path / CONTROLS).read_bytes()
    spoil(tmp_path / CONTROLS)
    with pytest.raises(RewriterError, match="no longer begins with"):
        read_on(tmp_path, seen)
    say(tmp_path, "block", source="after the loss")
    with pytest.raises(RewriterError, match="no longer begins with"):
        read_on(tmp_path, seen)
    (tmp_path / CONTROLS).write_bytes(whole)
    say(tmp_path, "block", source="other")
    assert len(read_on(tmp_path, seen)[0].blocked) == 3


def test_every_broken_line_is_named_at_once(tmp_path):
    say(tmp_path, "block")
    with (tmp_path / CONTROLS).open("ab") as file:
        file.write(b'nonsense\n{"action": "explode"}\n{"action": "block", "source": 3}\n')
    with pytest.raises(
        RewriterError, match=r"line 2: not JSON; line 3: no action .* line 4: locale is not text; .*source is"
    ):
        Controls.read(tmp_path)


@pytest.mark.parametrize("tag", ["en-us", "EN_US", "en-US"])
def test_a_block_holds_however_the_locale_is_spelled(tag, tmp_path, pair, publish_pairs):
    publish_pairs(tmp_path, pair())
    publish_pairs(tmp_path, pair(locale="en_us", support_users=30))
    words = ["play beet it", "play beat it", "--bundles", str(tmp_path)]
    assert control.rewrite([*words[:1], *words[2:], "--locale", tag])["rewrite"] == "play beat it"
    control.block([*words, "--locale", tag])
    assert control.rewrite([*words[:1], *words[2:], "--locale", "en-US"])["rewrite"] is None
    assert {Controls.read(tmp_path).is_blocked(own, *words[:2]) for own in ("en-US", "en_us")} == {True}
    assert not Controls.read(tmp_path).is_blocked("en-GB", *words[:2])


def test_a_locale_that_is_none_is_refused_in_one_line(tmp_path, pair, publish_pairs, capsys):
    publish_pairs(tmp_path, pair())
    for ask in (control.block, control.approve):
        with pytest.raises(SystemExit, match="2"):
            ask(["play beet it", "play beat it", "--bundles", str(tmp_path), "--locale", "english"])
    with pytest.raises(SystemExit, match="2"):
        control.rewrite(["play beet it", "--bundles", str(tmp_path), "--locale", "xx-XX"])
    assert "unknown language 'xx'" in capsys.readouterr().err
    assert Controls.read(tmp_path) == Controls()


def test_undoing_a_block_that_is_none_revokes_no_approval(tmp_path, pair, publish_pairs):
    publish_pairs(tmp_path, pair())
    words = ["play beet it", "play beat it", "--bundles", str(tmp_path)]
    control.approve(words)
    with pytest.raises(RewriterError, match="is not blocked"):
        control.block([*words, "--undo"])
    assert Controls.read(tmp_path).is_approved("en-US", *words[:2])
    control.block(words)
    with pytest.raises(RewriterError, match="blocked in every locale"):
        control.block([*words, "--undo", "--locale", "en-US"])
    control.block([*words, "--undo"])
    assert not Controls.read(tmp_path).is_blocked("en-US", *words[:2])
