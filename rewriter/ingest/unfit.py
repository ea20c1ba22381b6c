"""The one way in which a value is refused, and how messages quote it."""

from __future__ import annotations

import json
from typing import Any


class UnfitError(ValueError):
    """A value that cannot become what the column needs; the message completes "'column' ..."."""


def shown(value: Any) -> str:
    """A value as messages quote it: at most 40 characters."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return repr(text if len(text) <= 40 else text[:37] + "...")
