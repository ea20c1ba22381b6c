import hashlib
import hmac
import stat

import pytest

from rewriter.errors import RewriterError
from rewriter.ingest.pseudonym import ENVIRONMENT, load_key, pseudonym


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def test_a_pseudonym_is_the_keyed_hash_of_the_id():
    key = b"k" * 16
    assert pseudonym("Zoë", key) == "u" + hmac.new(key, "Zoë".encode(), hashlib.sha256).hexdigest()[:32]
    assert pseudonym("Zoë", key) != pseudonym("Zoë", b"l" * 16)


def test_a_new_key_is_secret_random_and_kept(tmp_path):
    first, other = load_key(tmp_path / "a" / "key"), load_key(tmp_path / "b")
    assert first != other
    assert len(first) == 64
    assert load_key(tmp_path / "a" / "key") == first
    assert stat.S_IMODE((tmp_path / "a" / "key").stat().st_mode) == 0o600


def test_the_environment_wins_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "secret-of-sixteen")
    assert load_key(tmp_path / "key") == b"secret-of-sixteen"
    assert not (tmp_path / "key").exists()


def test_a_short_key_is_refused_without_showing_it(tmp_path):
    (tmp_path / "key").write_text("hunter2")
    with pytest.raises(RewriterError, match="at least 16 bytes") as error:
        load_key(tmp_path / "key")
    assert "hunter2" not in str(error.value)
    with pytest.raises(RewriterError, match="key file"):
        load_key(tmp_path)
