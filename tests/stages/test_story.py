"""Whatever arrives in whatever order, with crashes between any two effects: one ending, one call, one path.

Approval and execution, joined, for one request. After each effect of a step the process may die; then the record is
folded again on what was durable. The simulator does this with the real runner; here it costs milliseconds.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from typing import Any

import pytest
from builders import MAKER, T0, a_pending, a_refused, a_submission, a_verdict, an_origin
from hypothesis import given, settings
from hypothesis import strategies as st
from wiring import a_policy, an_approval, an_execution, data_of, folded, nothing, signed, written

from pipeline.domain.events import Event
from pipeline.domain.messages import APPROVAL_INBOX, EXECUTION_INBOX, Message, Resolution
from pipeline.domain.outcomes import Effect, Outcome
from pipeline.domain.states import TABLE, State
from pipeline.stages import Arrival, Step

TERM_MS = 2_592_000_000
SECOND = an_origin(18, time_ms=T0 + 5)
RESOLUTION = Resolution(**a_verdict().model_dump(exclude={"kind", "digest", "entities"}) | {"decision": "retry"})
POOL: list[Message] = [
    a_pending(),
    a_pending(),
    a_pending(submission=a_submission(pathParams={"a": 1}), origin=SECOND, original="sealed"),
    a_refused(),
    a_refused(origin=SECOND, original="sealed"),
    a_verdict(offset=40),
    a_verdict(offset=40),
    a_verdict("rejected", offset=41),
    a_verdict(offset=42, person_id=MAKER),
    a_verdict(offset=43, org_id=1),
    a_verdict(offset=44, after_ms=2 * TERM_MS),
    a_verdict("rejected", offset=45, after_ms=-1000),
    RESOLUTION,
]
PHASES = ("memory", "call", "result", "events", "handovers", "afterwards")
CRASHES = st.lists(st.sampled_from((*PHASES, None, None)), max_size=30)


class World:
    """Two stages and what is durable. `crashes` says after which effect each fold dies; None and none left: not."""

    def __init__(self, stages: Any, crashes: list[str | None], outcomes: list[Effect], clock_ms: int) -> None:
        self.stages, self.crashes, self.outcomes, self.clock_ms = stages, deque(crashes), outcomes, clock_ms
        self.memory = {topic: nothing(stage) for topic, stage in stages.items()}
        self.offset, self.calls = 0, 0
        self.told: list[Event] = []
        self.queue: deque[Message] = deque()

    def live(self, messages: list[Message]) -> None:
        for message in messages:
            self.queue.append(message)
            while self.queue:
                self.deliver(self.queue.popleft())

    def deliver(self, message: Message) -> None:
        self.offset += 1
        seen_ms = T0 + self.clock_ms
        arrival = signed(message, offset=self.offset, time_ms=T0 + 10 * self.offset, seen_ms=seen_ms)
        while not self.survives(arrival):
            arrival = arrival._replace(seen_ms=arrival.seen_ms + 1)

    def survives(self, arrival: Arrival) -> bool:
        """One fold and its effects in their order, until the crash that is due for it."""
        stage, crash = self.stages[arrival.topic], self.crashes.popleft() if self.crashes else None
        step = folded(stage, arrival, self.memory[arrival.topic])
        self.remember(arrival, step.memory)
        if crash == "memory":
            return False
        if step.call is not None:
            self.calls += 1
            if crash == "call":
                return False
            effect = self.outcomes[min(self.calls, len(self.outcomes)) - 1]
            outcome = Outcome(effect=effect, reason="refused", at_ms=arrival.seen_ms)
            step = stage.on_outcome(arrival, self.memory[arrival.topic], stage.read(arrival), outcome)
            self.remember(arrival, step.memory)
            if crash == "result":
                return False
        return self.spreads(arrival, step, crash)

    def spreads(self, arrival: Arrival, step: Step, crash: str | None) -> bool:
        self.told += [post for post in step.events if isinstance(post, Event)]
        if crash == "events":
            return False
        for post in step.handovers:
            assert isinstance(post, Message)
            self.queue.append(post)
        if crash == "handovers":
            return False
        self.remember(arrival, step.afterwards)
        return crash != "afterwards"

    def remember(self, arrival: Arrival, writes: Any) -> None:
        self.memory[arrival.topic] = written(self.stages[arrival.topic], self.memory[arrival.topic], writes)


def firsts(told: list[Event]) -> list[Event]:
    """First occurrences by eventId; what has one id is the same to the last byte."""
    found: dict[str, Event] = {}
    for event in told:
        first = found.setdefault(json.loads(event.value())["eventId"], event)
        assert (first.value(), first.headers()) == (event.value(), event.headers())
    return list(found.values())


def audit(world: World) -> list[State]:
    """What must hold of one request, however it went; gives the path that it took."""
    seen = firsts(world.told)
    path = [event.state for event in seen]
    times = [data_of(event)["updateTime"] for event in seen]
    assert world.calls <= 1
    assert sum(not TABLE[state] for state in path) <= 1
    assert times == sorted(times)
    assert path[:1] in ([], [State.ADMIN_TASK], [State.FAILED])
    for before, after in itertools.pairwise(path):
        assert after in TABLE[before].values()
    return path


EXECUTIONS = {"allowed": an_execution(), "no host": an_execution(hosts=())}


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(range(len(POOL))), min_size=1, max_size=8),
    CRASHES,
    st.lists(st.sampled_from(Effect), min_size=1, max_size=2),
    st.sampled_from([-5000, 0, 5000, 10**9]),
    st.booleans(),
    st.sampled_from(sorted(EXECUTIONS)),
)
def test_one_ending_one_call_one_path(picks, crashes, outcomes, clock_ms, is_automatic, hosts):
    """For any sequence, any crashes, any answers, any clock and either policy."""
    stages = {APPROVAL_INBOX: an_approval(a_policy(auto_approve=is_automatic)), EXECUTION_INBOX: EXECUTIONS[hosts]}
    world = World(stages, crashes, outcomes, clock_ms)

    world.live([POOL[pick] for pick in picks])

    audit(world)


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("ends", ["approved", "rejected", "refused", "late", "automatic"])
@pytest.mark.parametrize("first", range(6))
def test_every_crash_point_of_every_ending(effect, ends, first):
    """Die after each effect in turn, once or twice in a row: the path is the usual one, or a doubt in its place."""
    verdicts = {"rejected": a_verdict("rejected"), "late": a_verdict(after_ms=2 * TERM_MS)}
    messages = [a_refused()] if ends == "refused" else [a_pending(), verdicts.get(ends, a_verdict())]
    stages = {APPROVAL_INBOX: an_approval(a_policy(auto_approve=ends == "automatic")), EXECUTION_INBOX: an_execution()}
    calm = World(stages, [], [effect], 0)
    calm.live(messages)
    usual = audit(calm)

    for phase in PHASES:
        for again in (None, *PHASES):
            world = World(stages, [None] * first + [phase, again], [effect], 0)
            world.live(messages)
            path = audit(world)
            assert path == usual or path == [*usual[:2], State.INTOUCH_API_TASK]
            assert world.calls <= calm.calls


def test_a_crash_around_the_call_leaves_a_doubt():
    """The one honest limit: an intent without a result is never called again."""
    stages = {APPROVAL_INBOX: an_approval(), EXECUTION_INBOX: an_execution()}
    for phase, calls in (("memory", 0), ("call", 1)):
        world = World(stages, [None, None, phase], [Effect.DONE], 0)
        world.live([a_pending(), a_verdict()])

        assert audit(world) == [State.ADMIN_TASK, State.INTOUCH_API_TASK, State.INTOUCH_API_TASK]
        assert world.calls == calls
