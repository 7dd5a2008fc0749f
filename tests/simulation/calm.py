"""Worlds in which no process ends while it works: here nobody may doubt or fail but because of what Intouch said.

And mistakes that only show there, because a crash would explain what they do.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from simulation.faults import Faults
from simulation.plans import OTHER_HOST, random_plan
from simulation.seat import Parts
from simulation.world import Verdict, simulate

from pipeline.domain.messages import Approved
from pipeline.domain.outcomes import Ending
from pipeline.stages import Arrival, Memory, Stage, Step


def calm_world(seed: int, parts: Parts | None = None) -> Verdict:
    """The world of a seed without its faults."""
    plan = random_plan(random.Random(seed))
    faults = Faults(again=plan.faults.again, twice=plan.faults.twice)
    plan = replace(plan, faults=faults, rewinds=(), crash_late=0.0)
    return simulate(seed, replace(plan, parts=parts or plan.parts))


def _taken_for(wrong: Mapping[Ending, Ending]) -> Callable[[Mapping[str, Stage]], Mapping[str, Stage]]:
    """Execution takes one answer for another."""

    def build(stages: Mapping[str, Stage]) -> Mapping[str, Stage]:
        whole = stages["execution"]

        def on_outcome(arrival: Arrival, memory: Memory, message: Any, outcome: Any) -> Step:
            assert whole.on_outcome is not None
            ending = wrong.get(outcome.ending, outcome.ending)
            return whole.on_outcome(arrival, memory, message, outcome.model_copy(update={"ending": ending}))

        return {**stages, "execution": replace(whole, on_outcome=on_outcome)}

    return build


def _never_calls(stages: Mapping[str, Stage]) -> Mapping[str, Stage]:
    """Execution takes every host for another one, which may not be called."""
    whole = stages["execution"]

    def fold(arrival: Arrival, memory: Memory, message: Any) -> Step:
        if isinstance(message, Approved):
            plan = message.pending.plan.model_copy(update={"host": OTHER_HOST})
            pending = message.pending.model_copy(update={"plan": plan})
            message = message.model_copy(update={"pending": pending})
        return whole.fold(arrival, memory, message)

    return {**stages, "execution": replace(whole, fold=fold)}


MISREAD: dict[str, Parts] = {
    "a success taken for unclear": Parts(stages=_taken_for({Ending.DONE: Ending.UNCLEAR})),
    "a refusal taken for unclear": Parts(stages=_taken_for({Ending.REFUSED: Ending.UNCLEAR})),
    "a wish to wait taken for a refusal": Parts(stages=_taken_for({Ending.NOT_NOW: Ending.REFUSED})),
    "an approved request that fails without a call": Parts(stages=_never_calls),
}
