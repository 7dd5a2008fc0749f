"""Fixtures of the broker tests: a world with topics, and one with a worker that is ready."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from broker.world import World


@pytest.fixture
def world(broker: str, prefix: str, tmp_path: Path) -> Iterator[World]:
    """Topics and the stand-in; no worker yet."""
    made = World(broker, prefix, tmp_path)
    try:
        made.create_topics()
        yield made
    finally:
        made.close()


@pytest.fixture
def running(world: World) -> World:
    """A world with one worker that runs all stages."""
    world.worker().ready()
    return world
