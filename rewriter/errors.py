"""The one base class of errors that a caller can mend."""

from __future__ import annotations


class RewriterError(Exception):
    """Bad input or an impossible request; commands print it as one line and exit with code 2."""
