"""Pseudonyms of users: a keyed hash, so that nobody without the key can test whether a person is in the log."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from rewriter.errors import RewriterError

ENVIRONMENT = "REWRITER_KEY"
_MIN_BYTES = 16


def load_key(file: Path, *, make: bool = True) -> bytes:
    """The secret key: of the environment variable ``REWRITER_KEY``, else of the file, which is created if absent.

    Without ``make`` it is not created: a new key would give other pseudonyms than the log has.

    A new file holds 32 random bytes in hexadecimal and is readable by its owner only.

    Raises
    ------
    RewriterError
        If the key is shorter than 16 bytes, or the file cannot be read or created.
    """
    key = os.environ.get(ENVIRONMENT, "").encode()
    where = f"environment variable {ENVIRONMENT}"
    if not key:
        where = f"key file {file}"
        try:
            if make and not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                # Created with its final rights, so that it is never readable by others.
                with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                    out.write(secrets.token_hex(32) + "\n")
            key = file.read_bytes().strip()
        except OSError as error:
            raise RewriterError(f"{where}: {error.strerror}") from error
    if len(key) < _MIN_BYTES:
        raise RewriterError(f"{where}: a key has at least {_MIN_BYTES} bytes, this one has {len(key)}")
    return key


def pseudonym(user_id: str, key: bytes) -> str:
    """HMAC-SHA-256 of a user's id, its first 128 bits in hexadecimal.

    >>> pseudonym("alice", b"0123456789abcdef")
    'ufdbf8b1cacd3d578e062d0e41104357d'
    """
    return "u" + hmac.digest(key, user_id.encode(), "sha256")[:16].hex()
