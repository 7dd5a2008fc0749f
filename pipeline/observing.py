"""Turns what happened and what is remembered into metrics. Decides nothing.

Labels are closed lists (contract, section 12): no request, user or customer may become one.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.deadletters import DeadLetter
from pipeline.domain.events import Event
from pipeline.domain.marks import Kind
from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Outcome
from pipeline.domain.request_types import RequestType
from pipeline.domain.requests import Call
from pipeline.metrics import Metrics
from pipeline.stages import Step
from pipeline.surroundings import Caller, Census, Standing

NOTHING = Standing(0, 0)
JUDGED = (Noted.DECIDED, Noted.ENDED, Noted.IN_DOUBT, Noted.DEAD)  # what a decision or a resolution came to


def counted_steps(stage: str, metrics: Metrics) -> Callable[[Step], None]:
    """Counts a step's events, dead letters and decisions once they are durable."""

    def count(step: Step) -> None:
        for told in step.events:
            if isinstance(told, Event):
                metrics.events.labels(told.request_type, told.state).inc()
            elif isinstance(told, DeadLetter):
                metrics.dead_letters.labels(stage, told.reason).inc()
        decision, outcome = step.note.decision, step.note.outcome
        if decision is not None and outcome in JUDGED:
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


def watched_doors(metrics: Metrics) -> Callable[[str, bool], None]:
    """Tells the metrics of each origin that is away, or back."""

    def tell(origin: str, is_shut: bool) -> None:
        metrics.breaker_open.labels(origin).set(is_shut)
        if is_shut:
            metrics.breaker_openings.labels(origin).inc()

    return tell


def surveyed(stage: str, metrics: Metrics, time_ms: Callable[[], int]) -> Callable[[Census], None]:
    """Sets the gauges of what the stage remembers: what waits on the desk, or what is in doubt or held."""

    def survey_desk(census: Census) -> None:
        for request_type in RequestType:
            waiting = census.get((Kind.WAITING, request_type), NOTHING)
            age_s = (time_ms() - waiting.oldest_ms) / 1000 if waiting.entries else 0.0
            metrics.pending.labels(request_type).set(waiting.entries)
            metrics.oldest_pending_seconds.labels(request_type).set(max(0.0, age_s))

    def survey_calls(census: Census) -> None:
        for request_type in RequestType:
            metrics.in_doubt.labels(request_type).set(census.get((Kind.IN_DOUBT, request_type), NOTHING).entries)
            metrics.held.labels(request_type).set(census.get((Kind.HELD, request_type), NOTHING).entries)

    return {"approval": survey_desk, "execution": survey_calls}.get(stage, lambda _: None)
