"""Worlds for the pump: made by the test, ended with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from delivery.doubles import World
from delivery.rigs import RIGS, HardenedRig, Rig
from delivery.trial import trial_stage

from pipeline.surroundings import Limits


@pytest.fixture
async def world() -> AsyncIterator[Callable[..., World]]:
    """Makes a world whose pump runs the trial stage (or its own `fold`) until the test ends."""
    made = []

    def make(limits: Limits | None = None, *, answers_at_once: bool = True, gate: Any = None, **folds: Any) -> World:
        made.append(World(replace(trial_stage(), **folds), limits, answers_at_once=answers_at_once, gate=gate))
        made[-1].pump.start()
        return made[-1]

    yield make
    for each in made:
        await each.pump.stop()


@pytest.fixture
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """Stock Faust or our layer, not started: only the consumer's own code runs."""
    made = RIGS[request.param]()
    yield made
    if isinstance(made, HardenedRig):
        await made.app.pump.stop()
    elif made.app.producer.buffer.started:
        await made.app.producer.buffer.stop()
