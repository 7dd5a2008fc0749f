"""The messages between stages, one class per arrow of design section 2: strict in what they hold.

Each class contains the evidence of what was checked before it: `Approved` is made from a `Pending` and a decision, and
who wants to call Intouch takes an `Approved`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from pipeline.domain.ids import Origin
from pipeline.domain.lines import Lined, adapter_of, read_lines
from pipeline.domain.requests import CallPlan, Fault, Request, Strict, Texts, Wish
from pipeline.domain.states import State

REQUESTS_SUBMITTED = "requests.submitted"
DECISIONS_SUBMITTED = "decisions.submitted"
REQUESTS_RECEIVED = "requests.received"
APPROVAL_INBOX = "approval.inbox"
EXECUTION_INBOX = "execution.inbox"
EVENTS = "events"
DEAD_LETTERS = "dead-letters"
DESK = "approval.desk"
INTENTS = "execution.intents"
RESULTS = "execution.results"

PUBLIC_TOPICS = (REQUESTS_SUBMITTED, DECISIONS_SUBMITTED)
INTERNAL_TOPICS = (REQUESTS_RECEIVED, APPROVAL_INBOX, EXECUTION_INBOX)


class Message(Lined):
    """What every internal message has in common: a topic and a key."""

    topic: ClassVar[str]

    @property
    @abstractmethod
    def about(self) -> str:
        """The requestId. Everything behind intake is keyed by it, so that all of a request meets in one partition."""

    @property
    def key(self) -> bytes:
        """The record's key."""
        return self.about.encode()

    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """None; the runner adds the signature."""
        return ()


class WithTexts(Message):
    """A message that carries the submission's texts itself."""

    request: Request
    texts: Texts = Field(default=Texts(), exclude=True)

    @property
    def about(self) -> str:
        return self.request.request_id

    def carried(self) -> Texts | None:
        return self.texts

    def carrying(self, texts: Texts) -> Self:
        return self.model_copy(update={"texts": texts})


class Received(WithTexts):
    """A submission with a name and a maker who may make it. `faults` are what intake saw while it took it apart.

    `original` is the sealed public record, only where another submission may claim the same requestId.
    """

    topic: ClassVar[str] = REQUESTS_RECEIVED
    kind: Literal["received"] = "received"
    wish: Wish
    faults: tuple[Fault, ...] = ()
    original: str | None = None


class Pending(WithTexts):
    """A request whose call was checked: it may be decided. This is what lies on the desk."""

    topic: ClassVar[str] = APPROVAL_INBOX
    kind: Literal["pending"] = "pending"
    plan: CallPlan
    original: str | None = None


class Refused(WithTexts):
    """What intake or validation will not let through; approval keeps the ledger and tells `failed`."""

    topic: ClassVar[str] = APPROVAL_INBOX
    kind: Literal["refused"] = "refused"
    task: State
    faults: tuple[Fault, ...]
    digest: str | None = None
    original: str | None = None


class Decided(Strict):
    """Who decided: a checker, or, without checker and comment, the type's own rule.

    `at_ms` is the origin's time, but never before the desk's; `origin` is that of the decision or of the submission.
    """

    origin: Origin
    at_ms: int
    api_request_id: str
    checker_id: int | None = None
    comment: str | None = None


class _ByPerson(Message):
    """What a decision and a resolution have in common."""

    request_id: str
    org_id: int
    person_id: int
    api_request_id: str
    origin: Origin
    comment: str
    request_type: str | None = None
    original: str
    digest: str | None = None
    entities: tuple[str, ...] | None = None

    @property
    def about(self) -> str:
        return self.request_id


class Verdict(_ByPerson):
    """A checker's decision that is well-formed and made with the right to make it; `request_type` as it was claimed."""

    topic: ClassVar[str] = APPROVAL_INBOX
    kind: Literal["verdict"] = "verdict"
    decision: Literal["approved", "rejected"]


class Resolution(_ByPerson):
    """An operator's word on a request in doubt."""

    topic: ClassVar[str] = EXECUTION_INBOX
    kind: Literal["resolution"] = "resolution"
    decision: Literal["succeeded", "failed", "retry"]


class Approved(Message):
    """A request and the decision that lets it be called. Only approval makes one, from what its desk holds."""

    topic: ClassVar[str] = EXECUTION_INBOX
    kind: Literal["approved"] = "approved"
    pending: Pending
    decided: Decided

    @property
    def about(self) -> str:
        return self.pending.request.request_id

    def carried(self) -> Texts | None:
        return self.pending.texts

    def carrying(self, texts: Texts) -> Self:
        return self.model_copy(update={"pending": self.pending.carrying(texts)})


class Ended(Message):
    """Execution's word to approval that a request ended at `at_ms`; its term of memory begins when this is heard."""

    topic: ClassVar[str] = APPROVAL_INBOX
    kind: Literal["ended"] = "ended"
    request_id: str
    origin: Origin
    at_ms: int

    @property
    def about(self) -> str:
        return self.request_id


class Due(Message):
    """How time enters: the owner of a partition says that an entry may have reached its time.

    It has no origin and no signature: the fold decides by the record's broker time against memory, so a wrong clock or
    a stranger only causes one that does nothing.
    """

    kind: Literal["due"] = "due"
    request_id: str

    @property
    def about(self) -> str:
        return self.request_id


_READERS = {
    REQUESTS_RECEIVED: adapter_of(Received),
    APPROVAL_INBOX: adapter_of(Annotated[Pending | Refused | Verdict | Ended | Due, Field(discriminator="kind")]),
    EXECUTION_INBOX: adapter_of(Annotated[Approved | Resolution | Due, Field(discriminator="kind")]),
}


def read_message(topic: str, value: bytes) -> Message:
    """The message that a record of an internal topic holds; raises `ValueError` for anything else."""
    message: Message = read_lines(_READERS[topic], value)
    return message
