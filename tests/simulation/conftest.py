"""One small world and its log, made once."""

from __future__ import annotations

import pytest

from rewriter.simulation.simulate import simulate
from rewriter.simulation.turn import Turn
from rewriter.simulation.world import World


@pytest.fixture(scope="session")
def world() -> World:
    return World(3)


@pytest.fixture(scope="session")
def turns(world: World) -> list[Turn]:
    return simulate(world, 450, range(10))
