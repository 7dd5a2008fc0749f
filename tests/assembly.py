"""The four stages in a row, without Kafka: what one hands over, the next one folds, until nothing is left to do.

Records get offsets and times that only grow. No crash, no repetition: the simulator is for that.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from builders import T0, a_decision, a_decision_arrival, a_token, an_arrival, some_headers
from wiring import Vault, a_validation, an_approval, an_execution, an_intake, folded, nothing, signed, written

from pipeline.domain.deadletters import DeadLetter
from pipeline.domain.events import Event
from pipeline.domain.messages import APPROVAL_INBOX, EXECUTION_INBOX, PUBLIC_TOPICS, REQUESTS_RECEIVED, Message
from pipeline.domain.outcomes import Ending, Outcome
from pipeline.domain.policy import Policies
from pipeline.domain.requests import Call
from pipeline.stages import Arrival, Memory, Stage, Step

Answer = Callable[[Call, int], Outcome]


def done(_call: Call, at_ms: int) -> Outcome:
    """Intouch does it."""
    return Outcome(ending=Ending.DONE, at_ms=at_ms, http_status=200)


def refused(_call: Call, at_ms: int) -> Outcome:
    """Intouch says no."""
    return Outcome(ending=Ending.REFUSED, at_ms=at_ms, http_status=400)


def unknown(_call: Call, at_ms: int) -> Outcome:
    """Nobody knows."""
    return Outcome(ending=Ending.UNCLEAR, at_ms=at_ms, http_status=504)


class Assembly:
    """Submit and decide; look at `events`, `letters`, `calls` and `messages` afterwards."""

    def __init__(self, policies: Policies | None = None, *, answer: Answer = done, hosts: Any = None, **voice: Any):
        self.answer, self.now_ms, self.vault = answer, T0, Vault()
        allowed = {} if hosts is None else {"hosts": hosts}
        self.intake = an_intake(self.vault, **voice)
        approval = an_approval(policies, **voice)
        execution = an_execution(**allowed, **voice)
        validation = a_validation(policies, **allowed, **voice)
        self.stages: dict[str, Stage] = dict.fromkeys(PUBLIC_TOPICS, self.intake) | {
            REQUESTS_RECEIVED: validation,
            APPROVAL_INBOX: approval,
            EXECUTION_INBOX: execution,
        }
        self.offsets: dict[str, int] = defaultdict(int)
        self.memory: dict[tuple[str, bytes], Memory] = {}
        self.events: list[Event] = []
        self.letters: list[DeadLetter] = []
        self.calls: list[Call] = []
        self.messages: list[Message] = []
        self._queue: deque[Message] = deque()

    def submit(self, submission: Any, *, org: str = "0", user_id: int = 1, more: Any = (), **limits: Any) -> str:
        """Publish a submission and let everything that follows happen; gives the requestId ("" for a dead letter).

        `limits` are the token's: what its bearer can, and for which entities.
        """
        token = a_token(user_id, org_id=int(org), expires_ms=self.now_ms + 600_000, **limits)
        before = len(self.messages)
        self._publish(an_arrival(submission, headers=some_headers(*more, token=token, org=org)))
        return self.messages[before].about if len(self.messages) > before else ""

    def decide(self, request_id: str, decision: str = "approved", message: str = "yes", **who: Any) -> None:
        """Publish a decision and let everything that follows happen."""
        token = a_token(who.get("user_id", 2), org_id=int(who.get("org", "0")), expires_ms=self.now_ms + 600_000)
        headers = some_headers(*who.get("more", ()), token=token, org=who.get("org", "0"))
        self._publish(a_decision_arrival(a_decision(request_id, decision, message), headers=headers))

    def _publish(self, arrival: Arrival) -> None:
        self._fold(self._placed(arrival))
        while self._queue:
            self._fold(self._placed(signed(self._queue.popleft())))

    def _placed(self, arrival: Arrival) -> Arrival:
        """The record at the end of its topic, with the broker's time."""
        self.now_ms += 1
        self.offsets[arrival.topic] += 1
        return arrival._replace(offset=self.offsets[arrival.topic], time_ms=self.now_ms, seen_ms=self.now_ms)

    def _fold(self, arrival: Arrival) -> None:
        stage = self.stages[arrival.topic]
        place = (arrival.topic, arrival.key or b"")
        memory = self.memory.get(place, nothing(stage))
        step = folded(stage, arrival, memory)
        memory = written(stage, memory, step.memory)
        if step.call is not None:
            assert stage.on_outcome is not None
            self.calls.append(step.call)
            outcome = self.answer(step.call, self.now_ms)
            step = stage.on_outcome(arrival, memory, stage.read(arrival), outcome)
            memory = written(stage, memory, step.memory)
        self.memory[place] = written(stage, memory, step.afterwards)
        self._spread(step)

    def _spread(self, step: Step) -> None:
        for post in step.events:
            if isinstance(post, Event):
                self.events.append(post)
            else:
                assert isinstance(post, DeadLetter)
                self.letters.append(post)
        for message in step.handovers:
            assert isinstance(message, Message)
            self.messages.append(message)
            self._queue.append(message)
