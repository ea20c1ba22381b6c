"""Compiling the chain's kernels, and keeping what was compiled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Ints32 = NDArray[np.int32]
#: How far ahead of its use an item is asked for.
AHEAD = 8
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


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Have ``array[index]`` brought into cache, without waiting for it; the first index of more than one dimension.

    A row of the chain touches few states, each at a random place of arrays that no cache holds. Asked for in time, they come
    at once instead of one after the other.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        of_array, of_index = signature.args
        view = context.make_array(of_array)(context, builder, arguments[0])
        place = context.cast(builder, arguments[1], of_index, types.intp)
        zero = context.get_constant(types.intp, 0)
        indices = [place, *[zero] * (of_array.ndim - 1)]
        item = cgutils.get_item_pointer(context, builder, of_array, view, indices, wraparound=False)
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, flag, flag, flag])
        call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        # To read, into all caches, as data.
        builder.call(call, [builder.bitcast(item, cgutils.voidptr_t), flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(array, index), code
