"""Approval and execution joined, for one request, in a world that crashes: what is durable, the time, and Intouch.

After each effect of a step the process may die; then what may not have been acknowledged is folded again on what was
durable. The timekeeper posts a Due where the marks of what is remembered say so. The simulator does this with the real
runner; here it costs milliseconds. What must hold is `audit`.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import wiring
from builders import HOST, T0, an_outcome
from wiring import a_due, a_policy, an_approval, an_execution, data_of, folded, nothing, signed, written

from pipeline.domain.calls import Result, read_result
from pipeline.domain.deadletters import DeadLetter
from pipeline.domain.events import Event
from pipeline.domain.marks import read_mark
from pipeline.domain.messages import APPROVAL_INBOX, EXECUTION_INBOX, Message, Resolution
from pipeline.domain.outcomes import Ending, Outcome
from pipeline.domain.remnants import Finished
from pipeline.domain.request_types import RequestType
from pipeline.domain.requests import Call
from pipeline.domain.states import TABLE, State
from pipeline.stages import Arrival, Stage, Step

PHASES = ("memory", "call", "result", "events", "handovers", "afterwards")
CALL_MS, LOOK_MS = 30, 1000
TERMS = wiring.TERMS._replace(max_attempts=4, retry_for_ms=10_000, hold_ms=8_000)
LATER_MS = 10 * TERMS.hold_ms  # how far a world goes on: tries and holds end, nothing expires and nothing is forgotten
ENDINGS = {
    "done": Ending.DONE,
    "refused": Ending.REFUSED,
    "not now": Ending.NOT_NOW,
    "redirect": Ending.REDIRECT,
    "unreached": Ending.UNREACHED,
    "broken": Ending.UNCLEAR,  # nothing was done, and nobody says so
    "answer lost": Ending.UNCLEAR,  # it was done
}
HABITS = tuple(ENDINGS)


class Intouch:
    """Behaves as told, call by call, the last habit for ever. What may be repeated has one effect, however often."""

    def __init__(self, habits: list[str]) -> None:
        self.habits, self.calls = habits, 0
        self.effects: list[str] = []  # the body of each call that had one

    def take(self, call: Call) -> Ending:
        self.calls += 1
        habit = self.habits[min(self.calls, len(self.habits)) - 1]
        is_known = call.is_repeatable and call.body in self.effects
        if habit in {"done", "answer lost"} and not is_known:
            self.effects.append(call.body)
        if is_known and habit in {"done", "refused"}:
            return Ending.ALREADY_THERE if call.request_type is RequestType.EARN_BADGE else Ending.DONE
        return ENDINGS[habit]


class Doors:
    """Whether the origin is away: as told, question by question; in the end it is there."""

    def __init__(self, shut: Sequence[bool]) -> None:
        self.shut = deque(shut)

    def __call__(self, host: str, *, is_repeatable: bool, attempt: int = 1) -> bool:
        del host, is_repeatable, attempt
        return self.shut.popleft() if self.shut else False


class Facts(NamedTuple):
    """How a world is. `crashes` says after which effect each fold dies (None and none left: not); each crash brings
    back the `again` records before, too. `shut` answers whether the origin is away; `clock_ms` is how wrong clocks are.
    """

    habits: list[str]
    kind: RequestType = RequestType.GOODWILL_POINTS
    crashes: Sequence[str | None] = ()
    again: int = 0
    clock_ms: int = 0
    shut: Sequence[bool] = ()
    hosts: tuple[str, ...] = (HOST,)
    is_automatic: bool = False


class World:
    """Two stages and what is durable."""

    def __init__(self, habits: list[str], **facts: Any) -> None:
        how = Facts(habits, **facts)
        execution = an_execution(is_away=Doors(how.shut), hosts=how.hosts, terms=TERMS)
        approval = an_approval(a_policy(how.kind, auto_approve=how.is_automatic))
        self.stages: dict[str, Stage] = {APPROVAL_INBOX: approval, EXECUTION_INBOX: execution}
        self.intouch = Intouch(habits)
        self.crashes, self.again, self.clock_ms = deque(how.crashes), how.again, how.clock_ms
        self.memory = {topic: nothing(stage) for topic, stage in self.stages.items()}
        self.log: dict[str, list[Arrival]] = {topic: [] for topic in self.stages}
        self.now_ms = T0
        self.told: list[Event] = []
        self.letters: list[DeadLetter] = []
        self.resolutions: list[Resolution] = []
        self.published_ms: dict[str, int] = {}
        self.queue: deque[Message | str] = deque()  # a topic stands for a Due in it

    def live(self, messages: list[Message | None]) -> None:
        """These arrive, one after the other; None lets time pass until something is due. Then all comes to rest."""
        for message in messages:
            if message is None:
                self.look(until_ms=self.now_ms + LATER_MS)
            else:
                self.queue.append(self.published(message) if isinstance(message, Resolution) else message)
            self.work()
        until_ms = self.now_ms + LATER_MS
        while self.look(until_ms):
            self.work()

    def published(self, said: Resolution) -> Resolution:
        """By the broker's clock, when it came first; the same record again has the same time."""
        at_ms = self.published_ms.setdefault(said.origin.place, self.now_ms)
        return said.model_copy(update={"origin": said.origin._replace(time_ms=at_ms)})

    def work(self) -> None:
        while self.queue:
            self.deliver(self.queue.popleft())

    def look(self, until_ms: int) -> bool:
        """The timekeeper looks again and again, and posts a Due for what is due then; False if nothing was."""
        while self.now_ms < until_ms:
            self.now_ms += LOOK_MS
            for topic, stage in self.stages.items():
                assert stage.due is not None
                marks = [read_mark(value) for value in self.memory[topic] if value is not None]
                if any(at_ms is not None and at_ms <= self.now_ms for at_ms in map(stage.due, marks)):
                    self.queue.append(topic)
            if self.queue:
                return True
        return False

    def deliver(self, message: Message | str) -> None:
        self.now_ms += 10
        if isinstance(message, str):
            arrival = a_due(self.stages[message], self.now_ms, offset=len(self.log[message]))
        else:
            offset, seen_ms = len(self.log[message.topic]), self.now_ms
            arrival = signed(message, offset=offset, time_ms=self.now_ms, seen_ms=seen_ms)
        if isinstance(message, Resolution):
            self.resolutions.append(message)
        log = self.log[arrival.topic]
        log.append(arrival)
        first = len(log) - 1
        while first < len(log):
            self.now_ms += 1
            is_alive = self.survives(log[first]._replace(seen_ms=self.now_ms + self.clock_ms))
            first = first + 1 if is_alive else max(0, first - self.again)

    # -- one fold and its effects in their order, until the crash that is due for it

    def survives(self, arrival: Arrival) -> bool:
        stage, crash = self.stages[arrival.topic], self.crashes.popleft() if self.crashes else None
        step = folded(stage, arrival, self.memory[arrival.topic])
        self.remember(arrival, step.memory)
        if crash == "memory":
            return False
        if step.call is not None:
            ending = self.intouch.take(step.call)
            if crash == "call":
                return False
            self.now_ms += CALL_MS
            times = {"at_ms": arrival.seen_ms + CALL_MS, "began_ms": arrival.seen_ms}
            outcome: Outcome = an_outcome(ending, **times, wait_ms=200)
            assert stage.on_outcome is not None
            step = stage.on_outcome(arrival, self.memory[arrival.topic], stage.read(arrival), outcome)
            self.remember(arrival, step.memory)
            if crash == "result":
                return False
        return self.spreads(arrival, step, crash)

    def spreads(self, arrival: Arrival, step: Step, crash: str | None) -> bool:
        self.told += [post for post in step.events if isinstance(post, Event)]
        self.letters += [post for post in step.events if isinstance(post, DeadLetter)]
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

    @property
    def words(self) -> list[str]:
        """The places of the resolutions that counted."""
        came_to = read_result(self.memory[EXECUTION_INBOX][1])
        if isinstance(came_to, Result):
            return [f"d{word.origin.partition}/{word.origin.offset}" for word in came_to.words]
        return list(came_to.words) if isinstance(came_to, Finished) else []


# -- what must hold


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
    assert sum(not TABLE[state] for state in path) <= 1
    assert times == sorted(times)
    assert path[:1] in ([], [State.ADMIN_TASK], [State.FAILED])
    for before, after in itertools.pairwise(path):
        assert after in TABLE[before].values()
    audit_effects(world, path)
    audit_resolutions(world)
    return path


def audit_effects(world: World, path: list[State]) -> None:
    """One effect, unless a person asked for more; and an ending that no person brought about is true. What was handed
    over has ended, or is in doubt, and nothing is left of a call that has ended.
    """
    effects, words = len(world.intouch.effects), world.words
    assert effects <= 1 + len(words)
    assert world.intouch.calls == 0 or State.INTOUCH_API_TASK in path
    if State.INTOUCH_API_TASK not in path:
        return
    if not words and path[-1] is State.APPROVED:
        assert effects == 1
    if not words and path[-1] is State.FAILED:
        assert effects == 0
    begun, came_to = world.memory[EXECUTION_INBOX]
    if path[-1] is State.INTOUCH_API_TASK:
        assert path.count(State.INTOUCH_API_TASK) > 1
        assert isinstance(read_result(came_to), Result)
    else:
        assert begun is None
        assert isinstance(read_result(came_to), Finished)


def audit_resolutions(world: World) -> None:
    """Each of them counted, or is a dead letter."""
    dead = {letter.source for letter in world.letters}
    for said in world.resolutions:
        assert said.origin in dead or f"d{said.origin.partition}/{said.origin.offset}" in world.words
