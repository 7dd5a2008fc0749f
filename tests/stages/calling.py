"""One request in execution, as a story: what arrives is folded, calls end as the story says, and time passes by Dues.

After every write all of the past is folded again (design, section 4, the replay law): a message then says what came of
its cause so far, byte for byte, calls nobody and writes nothing; when the ending is told and reduced, it is silent.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

from builders import T0, a_pending, an_approved, an_outcome
from wiring import TERMS, a_due, an_execution, data_of, events, folded, letters, nothing, said, signed, written

from pipeline.domain.calls import read_begun, read_result
from pipeline.domain.events import Event
from pipeline.domain.ids import Origin
from pipeline.domain.marks import read_mark
from pipeline.domain.messages import Resolution
from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Ending, Outcome
from pipeline.domain.remnants import Finished
from pipeline.domain.request_types import RequestType
from pipeline.domain.requests import Call
from pipeline.stages import Arrival, Step

CALL_MS = 100  # how long every call takes


class Door:
    """Whether the origin is away, for whom; a test opens and shuts it."""

    def __init__(self, *, is_shut: bool = False) -> None:
        self.is_shut, self.lets_repeatable_in = is_shut, False

    def __call__(self, host: str, *, is_repeatable: bool, attempt: int = 1) -> bool:
        assert host.startswith("https://")
        assert attempt > 0
        return self.is_shut and not (self.lets_repeatable_in and is_repeatable)


def bound_of(kind: RequestType) -> int | None:
    """Until when a further try of a story's call may begin: only where no key tells it from the first one."""
    return T0 + 1015 + TERMS.retry_for_ms if kind is RequestType.CUSTOMER_STATUS_CHANGE else None


def ends(ending: Ending, **facts: Any) -> Outcome:
    """How a call of the story ends; LOST: the process dies, and the record is folded again by the next one."""
    return an_outcome(ending, **facts)


class Story:
    """`approved` (of this type) in a stage of its own; `answers` are how its calls end, in their order."""

    def __init__(self, kind: RequestType, *answers: Outcome | Ending, approved: Any = None, **stage: Any) -> None:
        self.door = Door()
        self.stage = an_execution(**({"is_away": self.door} | stage))
        self.approved = approved or an_approved(a_pending(kind))
        self.answers = deque(ends(answer) if isinstance(answer, Ending) else answer for answer in answers)
        self.memory = nothing(self.stage)
        self.offset, self.now_ms = 0, T0 + 1000
        self.calls: list[Call] = []
        self.events: list[Event] = []
        self.past: list[tuple[Arrival, Origin | None]] = []
        self.told: dict[Origin | None, list[Any]] = defaultdict(list)  # by what brought it about
        self.refused: set[Origin | None] = set()  # resolutions that had no effect

    # -- what happens

    def approve(self) -> Step:
        """The Approved arrives."""
        return self.take(self.approved)

    def take(self, message: Any, *, after_ms: int = 10) -> Step:
        """The message, or "due", arrives so long after what was before, and all that follows is done."""
        self.offset += 1
        self.now_ms += after_ms
        if message == "due":
            arrival = a_due(self.stage, self.now_ms, offset=self.offset)
        else:
            seen_ms = self.now_ms + 5
            arrival = signed(message, offset=self.offset, time_ms=self.now_ms, seen_ms=seen_ms)
        return self.fold(arrival, message.origin if isinstance(message, Resolution) else None)

    def wait(self) -> Step:
        """The timekeeper looks, and posts a Due for the first moment in which time may change something."""
        due_ms = self.due_ms()
        assert due_ms is not None
        return self.take("due", after_ms=max(0, due_ms - self.now_ms))

    def due_ms(self) -> int | None:
        """What the marks of all that is remembered say."""
        assert self.stage.due is not None
        times = [self.stage.due(read_mark(value)) for value in self.memory if value is not None]
        return min((time for time in times if time is not None), default=None)

    def fold(self, arrival: Arrival, by: Origin | None) -> Step:
        step = folded(self.stage, arrival, self.memory)
        self.memory = written(self.stage, self.memory, step.memory)
        if step.call is not None:
            self.calls.append(step.call)
            self.look_back(is_calling=True)
            step = self.answered(arrival, self.answers.popleft())
            self.memory = written(self.stage, self.memory, step.memory)
        if step.note.outcome is Noted.FORGOTTEN:
            self.past.clear()  # what a term ago was folded is long acknowledged (contract, section 9)
            self.told.clear()
        self.past.append((arrival, by))
        self.events += events(step)
        if letters(step):
            self.refused.add(by)
        else:
            self.told[by] += [post for post in said(step) if post not in self.told[by]]
        self.look_back()
        self.memory = written(self.stage, self.memory, step.afterwards)
        self.look_back()
        return step

    def answered(self, arrival: Arrival, answer: Outcome) -> Step:
        if answer.ending is Ending.LOST:
            return folded(self.stage, arrival._replace(seen_ms=arrival.seen_ms + 10**9), self.memory)
        assert self.stage.on_outcome is not None
        times = {"began_ms": arrival.seen_ms, "at_ms": arrival.seen_ms + CALL_MS}
        self.now_ms += CALL_MS
        return self.stage.on_outcome(arrival, self.memory, self.stage.read(arrival), answer.model_copy(update=times))

    # -- what must hold

    def look_back(self, *, is_calling: bool = False) -> None:
        """All of the past is repeated at its offsets; and, unless a call is under way, by copies at a later one."""
        for arrival, by in self.past:
            self.check(folded(self.stage, arrival, self.memory), by)
            if not is_calling and by not in self.refused:
                self.check(folded(self.stage, arrival._replace(offset=self.offset + 1), self.memory), by)

    def check(self, again: Step, by: Origin | None) -> None:
        """The law, for one message on the present memory."""
        assert (again.call, again.memory) == (None, ())
        if by in self.refused:
            assert [letter.source for letter in letters(again)] == [by]
        else:
            assert said(again) == ([] if isinstance(self.came_to, Finished) else self.told[by])

    # -- what it came to

    @property
    def begun(self) -> Any:
        """What the intents hold."""
        return read_begun(self.memory[0])

    @property
    def came_to(self) -> Any:
        """What the results hold."""
        return read_result(self.memory[1])

    @property
    def states(self) -> list[str]:
        """The states that were told, in order."""
        return [data_of(event)["currentRequestState"] for event in self.events]

    @property
    def headers(self) -> dict[str, str]:
        """Of the event that was told last."""
        return {name: value.decode() for name, value in self.events[-1].headers()}
