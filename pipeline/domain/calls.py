"""What execution remembers of a call: the intent before it, what came back, and what a person said about it.

Intents and results lie in two tables, so that a late intent can never hide a result. An intent keeps the whole
`Approved` until its ending is told, and for as long as it is in doubt. No rule may live here.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field

from pipeline.domain.ids import Origin
from pipeline.domain.lines import adapter_of, read_lines
from pipeline.domain.marks import Kind, Mark, read_mark
from pipeline.domain.messages import Approved
from pipeline.domain.outcomes import Effect, Ending
from pipeline.domain.remnants import Finished, Remembered, behind_mark
from pipeline.domain.request_types import RequestType
from pipeline.domain.requests import Strict, Texts
from pipeline.domain.tries import Tried


class Word(Strict):
    """What a person said about a request in doubt, and when (the broker's time of the origin, epoch ms)."""

    origin: Origin
    person_id: int
    api_request_id: str
    decision: Literal["succeeded", "failed", "retry"]
    comment: str


class _WithApproved(Remembered):
    """Keeps the whole request and its approval."""

    approved: Approved

    @property
    def request_type(self) -> RequestType:
        """The request's."""
        return self.approved.pending.request.request_type

    @property
    def host(self) -> str:
        """The origin that is called."""
        return self.approved.pending.plan.host

    def carried(self) -> Texts | None:
        return self.approved.pending.texts

    def carrying(self, texts: Texts) -> Self:
        return self.model_copy(update={"approved": self.approved.carrying(texts)})


class Parked(_WithApproved):
    """No call was begun: the origin is away. `due_ms` is when it may be asked for again, `since` the offset in
    execution's inbox of the message that found it so.
    """

    kind: Literal["parked"] = "parked"
    attempt: Literal[0] = 0
    since: int
    due_ms: int

    def mark(self) -> Mark:
        return Mark(Kind.HELD, self.request_type, self.approved.decided.at_ms, self.due_ms, self.host)


class Intent(_WithApproved):
    """Bytes of this attempt may have left. `asked` is the offset in execution's inbox of the message that asked for it,
    `begun_ms` the worker's clock then; `word` is the resolution that it follows, if it follows one. `tried` is what was
    known of the attempts before it: what came of the last one may never have reached the results.
    """

    kind: Literal["intent"] = "intent"
    attempt: int
    asked: int
    begun_ms: int
    tried: Tried = Tried()
    word: Word | None = None

    def mark(self) -> Mark:
        return Mark(Kind.INTENT, self.request_type, self.approved.decided.at_ms)


class Trying(Remembered):
    """An attempt has ended, and another one may follow at `due_ms`; `held_ms` is since when it waits for the origin.

    `ending` and `http_status` are those of the last attempt; `since` is the offset in execution's inbox of the message
    that this came of: only a later one may begin the next attempt, or that would be older than what is remembered here.
    """

    kind: Literal["trying"] = "trying"
    since: int
    request_type: RequestType
    host: str
    approved_ms: int
    tried: Tried
    due_ms: int
    held_ms: int | None = None
    ending: Ending
    http_status: int | None = None

    def mark(self) -> Mark:
        if self.held_ms is None:
            return Mark(Kind.TRYING, self.request_type, self.approved_ms, self.due_ms)
        return Mark(Kind.HELD, self.request_type, self.approved_ms, self.due_ms, self.host)


class Doubt(Strict):
    """Since `at_ms` nobody knows what this attempt did; `word` is the retry that it followed, if it followed one.

    `since` and `since_ms` are offset and broker time of the message in execution's inbox that it came of.
    """

    attempt: int
    since: int
    since_ms: int
    at_ms: int
    ending: Ending
    http_status: int | None = None
    word: Word | None = None


class End(Strict):
    """How it ended for good: `effect` is done or refused; `word` is the resolution that brought it about."""

    attempt: int
    at_ms: int
    effect: Effect
    reason: str | None = None
    http_status: int | None = None
    word: Word | None = None


class Result(Remembered):
    """What is to be told: doubts in their order, and the end, if there is one. Without an end it is in doubt."""

    kind: Literal["result"] = "result"
    request_type: RequestType
    approval: Origin
    tried: Tried
    doubts: tuple[Doubt, ...] = ()
    end: End | None = None

    @property
    def words(self) -> tuple[Word, ...]:
        """The resolutions that counted."""
        told = (*self.doubts, self.end)
        return tuple(one.word for one in told if one is not None and one.word is not None)

    def mark(self) -> Mark:
        if self.end is None:
            return Mark(Kind.IN_DOUBT, self.request_type, self.doubts[-1].at_ms)
        return Mark(Kind.RESULT, self.request_type, self.end.at_ms)


Begun = Parked | Intent
CameTo = Trying | Result | Finished
_begun = adapter_of(Annotated[Begun, Field(discriminator="kind")])
_came_to = adapter_of(Annotated[Trying | Result, Field(discriminator="kind")])


def read_begun(value: bytes | None) -> Begun | None:
    """What the intents hold; None where nothing was begun. Raises `ValueError` for bytes that are no entry."""
    if value is None:
        return None
    begun: Begun = read_lines(_begun, behind_mark(value))
    return begun


def read_result(value: bytes | None) -> CameTo | None:
    """What the results hold; None where no attempt has ended. Raises `ValueError` for bytes that are no entry."""
    if value is None:
        return None
    if read_mark(value).kind is Kind.FINISHED:
        return Finished.read(value)
    came_to: Trying | Result = read_lines(_came_to, behind_mark(value))
    return came_to
