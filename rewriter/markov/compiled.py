"""Compiling the chain's kernels, and keeping what was compiled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

Ints32 = NDArray[np.int32]
F = TypeVar("F", bound=Callable[..., Any])

_HERE = Path(__file__).parent


def _cache_folder() -> str:
    """A folder named by the sources: a kernel compiled in another file must not outlive a change of what it calls."""
    sources = [path.read_bytes() for path in sorted(_HERE.glob("*.py"))]
    digest = hashlib.sha256(b"".join(source for source in sources if b"@compiled" in source)).hexdigest()[:12]
    return str(Path(numba.config.CACHE_DIR or _HERE / "__pycache__") / f"kernels-{digest}")


def compiled(function: F) -> F:
    """The function compiled on its first call, without the interpreter's lock; kept on disk where that can be written."""
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, _FOLDER
    try:
        made = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    except (OSError, RuntimeError):
        made = numba.njit(nogil=True, error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = before
    return made  # type: ignore[no-any-return]


_FOLDER = _cache_folder()
