"""Turns what happened into metrics: steps and calls. Decides nothing.

Labels are closed lists (contract, section 12): no request, user or customer may become one.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.deadletters import DeadLetter
from pipeline.domain.events import Event
from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Outcome
from pipeline.domain.requests import Call
from pipeline.metrics import Metrics
from pipeline.stages import Step
from pipeline.surroundings import Caller


def counted_steps(stage: str, metrics: Metrics) -> Callable[[Step], None]:
    """Counts a step's events, dead letters and decisions once they are durable."""

    def count(step: Step) -> None:
        for told in step.events:
            if isinstance(told, Event):
                metrics.events.labels(told.request_type, told.state).inc()
            elif isinstance(told, DeadLetter):
                metrics.dead_letters.labels(stage, told.reason).inc()
        decision, outcome = step.note.decision, step.note.outcome
        if decision is not None and outcome in (Noted.DECIDED, Noted.DEAD):
            metrics.decisions.labels(decision, outcome).inc()

    return count


def counted_calls(caller: Caller, metrics: Metrics, clock: Callable[[], float]) -> Caller:
    """The same caller, and how often and how long it called."""

    async def call_and_count(call: Call) -> Outcome:
        began = clock()
        outcome = await caller(call)
        metrics.intouch_call_seconds.labels(call.request_type).observe(clock() - began)
        metrics.intouch_calls.labels(call.request_type, outcome.effect).inc()
        return outcome

    return call_and_count
