"""Chance that depends only on its name: the same key gives the same number in every process and on every machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from zlib import crc32


def unit(*key: object) -> float:
    """A number in [0, 1) that the key alone decides.

    >>> unit("a", 1) == unit("a", 1) != unit("a", 2)
    True
    """
    # CRC-32 is linear: two rounds with a multiplication between break the likeness of similar keys.
    first = crc32(" ".join(map(str, key)).encode())
    return crc32(((first * 2654435761) % 2**64).to_bytes(8, "big")) / 2**32


def zipf(n: int, exponent: float, shift: float) -> list[float]:
    """Cumulative Zipf-Mandelbrot weights ``1 / (rank + shift) ** exponent`` for ranks 1 to ``n``."""
    return list(accumulate((rank + shift) ** -exponent for rank in range(1, n + 1)))


def shuffled(values: Sequence[str], *key: object) -> list[str]:
    """The values in an order that the key alone decides."""
    return sorted(values, key=lambda value: unit(*key, value))


def poisson(rng: Random, mean: float) -> int:
    """A Poisson count (Knuth's product of uniforms), for small means."""
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count, product = count + 1, product * rng.random()
    return count
