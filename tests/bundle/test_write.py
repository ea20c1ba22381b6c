"""Versions follow from content, parts are copied whole, and what is refused leaves nothing behind."""

from contextlib import contextmanager

import pytest

from jobs import control
from rewriter.bundle import controls, write
from rewriter.bundle.controls import Controls
from rewriter.bundle.layout import CURRENT, current, current_version, read_manifest, versions
from rewriter.bundle.verify import verify
from rewriter.bundle.write import activate, roll_back
from rewriter.errors import RewriterError


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "encoder"
    (folder / "deep").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"weights")
    (folder / "deep" / "card.md").write_bytes(b"card")
    (folder / "model.safetensors").write_bytes(b"training weights")
    (folder / ".hidden").write_bytes(b"leftover")
    return folder


def test_the_same_content_gives_the_same_bytes_in_another_folder(tmp_path, pair, publish_pairs, model):
    a = publish_pairs(tmp_path / "a", pair(), folders={"encoder": model})
    b = publish_pairs(tmp_path / "b", pair(), folders={"encoder": model})
    assert a.name == b.name
    assert tree(a) == tree(b)


def test_the_order_of_the_mined_rows_changes_nothing(tmp_path, pair, publish_pairs):
    one, two = pair(), pair(source="turn of the light", rewrite="turn off the light")
    assert tree(publish_pairs(tmp_path / "a", one, two)) == tree(publish_pairs(tmp_path / "b", two, one))


@pytest.mark.parametrize("change", [{"lift_lower": 0.71}, {"support_users": 21}, {"rewrite": "play beat it again"}])
def test_other_content_gives_another_version(change, tmp_path, pair, publish_pairs):
    assert publish_pairs(tmp_path / "a", pair()).name != publish_pairs(tmp_path / "b", pair(**change)).name


def test_the_version_begins_with_the_last_data_day(tmp_path, pair, publish_pairs):
    assert publish_pairs(tmp_path, pair(), data_days=("2026-01-01", "2026-03-09")).name.startswith("20260309-")
    assert publish_pairs(tmp_path, pair(), data_days=()).name.startswith("undated-")


def test_the_parent_is_the_version_that_was_current(tmp_path, pair, publish_pairs):
    first = publish_pairs(tmp_path, pair())
    second = publish_pairs(tmp_path, pair(support_users=30))
    assert read_manifest(first)["parent"] is None
    assert read_manifest(second)["parent"] == first.name
    assert current(tmp_path) == second


def test_publishing_the_current_content_again_changes_no_byte(tmp_path, pair, publish_pairs):
    publish_pairs(tmp_path, pair())
    second = publish_pairs(tmp_path, pair(support_users=30))
    before = tree(tmp_path)
    assert publish_pairs(tmp_path, pair(support_users=30)) == second
    assert tree(tmp_path) == before


def test_models_are_copied_without_training_leftovers(tmp_path, pair, publish_pairs, model):
    bundle = publish_pairs(tmp_path / "b", pair(), folders={"encoder": model})
    assert {n: d for n, d in tree(bundle).items() if n.startswith("encoder")} == {
        "encoder/model.onnx": b"weights",
        "encoder/deep/card.md": b"card",
    }


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: folder.mkdir()])
def test_a_part_that_is_absent_or_empty_refuses_and_leaves_nothing(make, tmp_path, pair, publish_pairs):
    make(tmp_path / "ranker")
    with pytest.raises(RewriterError, match="ranker"):
        publish_pairs(tmp_path / "b", pair(), folders={"ranker": tmp_path / "ranker"})
    assert tree(tmp_path / "b").keys() == {".lock"}


def test_a_version_rolled_back_stays_out_until_it_is_activated(tmp_path, pair, publish_pairs):
    first = publish_pairs(tmp_path, pair())
    second = publish_pairs(tmp_path, pair(support_users=30))
    control.rollback(["--bundles", str(tmp_path), "--reason", "complaints"])
    assert current(tmp_path) == first
    assert publish_pairs(tmp_path, pair(support_users=30)) == second
    assert current(tmp_path) == first
    third = publish_pairs(tmp_path, pair(support_users=31))
    assert current(tmp_path) == third
    assert read_manifest(third)["parent"] == first.name
    control.bundles(["--bundles", str(tmp_path), "--activate", second.name])
    assert current(tmp_path) == second
    assert second.name not in Controls.read(tmp_path).withdrawn


def test_a_rollback_while_the_same_content_is_published_is_not_undone(tmp_path, pair, publish_pairs, monkeypatch):
    first = publish_pairs(tmp_path, pair())
    second = publish_pairs(tmp_path, pair(support_users=30))
    written = write.write_bundle

    def and_a_rollback(*args, **kwargs):
        bundle = written(*args, **kwargs)
        control.rollback(["--bundles", str(tmp_path)])
        return bundle

    monkeypatch.setattr(write, "write_bundle", and_a_rollback)
    assert publish_pairs(tmp_path, pair(support_users=30)) == second
    assert current(tmp_path) == first


def test_a_rollback_leaves_the_version_it_was_meant_for_or_none(tmp_path, pair, publish_pairs, monkeypatch):
    publish_pairs(tmp_path, pair())
    second = publish_pairs(tmp_path, pair(support_users=30))
    whole, published = write.require_whole, []

    def and_a_publish(bundle, **options):
        whole(bundle, **options)
        if not published:
            published.append(None)
            published.append(publish_pairs(tmp_path, pair(support_users=31)))

    monkeypatch.setattr(write, "require_whole", and_a_publish)
    with pytest.raises(RewriterError, match=f"replaced {second.name} meanwhile"):
        roll_back(tmp_path)
    assert current(tmp_path) == published[-1]
    assert Controls.read(tmp_path).withdrawn == frozenset()


@pytest.mark.parametrize("change", ["rollback", "choose"])
def test_the_journal_and_current_change_under_one_lock(change, tmp_path, pair, publish_pairs, monkeypatch):
    first = publish_pairs(tmp_path, pair())
    publish_pairs(tmp_path, pair(support_users=30))
    held, only_writer = [], write.only_writer

    @contextmanager
    def counted(folder):
        held.append(folder)
        with only_writer(folder):
            yield

    monkeypatch.setattr(write, "only_writer", counted)
    monkeypatch.setattr(controls, "only_writer", counted)
    if change == "rollback":
        control.rollback(["--bundles", str(tmp_path)])
    else:
        write.choose(tmp_path, first.name)
    assert held == [tmp_path]
    assert current(tmp_path) == first


def test_publishing_an_old_day_again_does_not_put_it_live(tmp_path, pair, publish_pairs):
    old = {"data_days": ("2026-01-01", "2026-01-02")}
    publish_pairs(tmp_path, pair(), **old)
    now = publish_pairs(tmp_path, pair(support_users=30), data_days=("2026-01-01", "2026-01-03"))
    publish_pairs(tmp_path, pair(), **old)
    assert publish_pairs(tmp_path, pair(support_users=31), **old).is_dir()
    assert current(tmp_path) == now
    same_day = publish_pairs(tmp_path, pair(support_users=32), data_days=("2026-01-02", "2026-01-03"))
    assert current(tmp_path) == same_day


def test_publishing_what_is_there_again_does_not_undo_a_choice(tmp_path, pair, publish_pairs):
    first = publish_pairs(tmp_path, pair())
    publish_pairs(tmp_path, pair(support_users=30))
    publish_pairs(tmp_path, pair(support_users=31))
    control.bundles(["--bundles", str(tmp_path), "--activate", first.name])
    for users in (30, 31):
        publish_pairs(tmp_path, pair(support_users=users))
        assert current(tmp_path) == first
    new = publish_pairs(tmp_path, pair(support_users=32))
    assert current(tmp_path) == new
    control.bundles(["--bundles", str(tmp_path), "--activate", first.name])
    assert current(tmp_path) == first


def test_a_damaged_version_is_written_anew_with_its_first_bytes(tmp_path, pair, publish_pairs):
    publish_pairs(tmp_path, pair())
    bundle = publish_pairs(tmp_path, pair(support_users=30))
    before = tree(tmp_path)
    (bundle / "pairs.parquet").write_bytes(b"rot")
    publish_pairs(tmp_path, pair(support_users=30))
    assert tree(tmp_path) == before


def test_a_damaged_version_is_never_activated(tmp_path, pair, publish_pairs):
    first = publish_pairs(tmp_path, pair())
    second = publish_pairs(tmp_path, pair(support_users=30))
    (first / "settings.json").write_bytes(b"{}\n")
    with pytest.raises(RewriterError, match=r"settings\.json has 3 bytes"):
        activate(tmp_path, first.name)
    assert current(tmp_path) == second


@pytest.mark.parametrize("name", ["../elsewhere", "20260101-aaaaaaaaaaaa", ""])
def test_a_version_that_is_not_there_is_never_activated(name, tmp_path, pair, publish_pairs):
    bundle = publish_pairs(tmp_path, pair())
    with pytest.raises(RewriterError, match="no bundle"):
        activate(tmp_path, name)
    assert current(tmp_path) == bundle


def test_a_current_that_names_nothing_is_one_clear_fault_and_the_next_publish_mends_it(tmp_path, pair, publish_pairs):
    bundle = publish_pairs(tmp_path, pair())
    (tmp_path / CURRENT).write_text("20260102-0123456789ab\n")
    with pytest.raises(RewriterError, match="names '20260102-0123456789ab', which is no bundle"):
        current_version(tmp_path)
    assert publish_pairs(tmp_path, pair()) == bundle
    assert current(tmp_path) == bundle


def test_leftovers_of_a_killed_writer_are_no_versions_and_are_removed(tmp_path, pair, publish_pairs):
    (tmp_path / ".writing-bundle" / "deep").mkdir(parents=True)
    bundle = publish_pairs(tmp_path, pair())
    assert versions(tmp_path) == [bundle.name]
    assert not (tmp_path / ".writing-bundle").exists()
    assert verify(bundle) == []
