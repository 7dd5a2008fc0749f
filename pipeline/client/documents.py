"""The documents that cross the public topics, as models: submission, decision, event and dead letter.

Written from the contract (sections 3, 4 and 5) for readers and for the JSON Schemas in `topics/schemas`. The pipeline
itself neither reads nor writes with them: submissions are taken apart by `domain.wishes`, events have one writer,
`domain.events`, and tests hold the two sides together. Read leniently: unknown keys are ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from pipeline.domain.bodies import Body
from pipeline.domain.reasons import DeadReason, ErrorCode
from pipeline.domain.request_types import RequestType
from pipeline.domain.states import State

B = TypeVar("B", bound=Body)
HexId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
EpochMs = Annotated[int, Field(ge=0, description="epoch milliseconds")]


class Document(BaseModel):
    """Frozen; keys are spelled in camel case."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class EntityInfo(Document):
    """Where in the org's tree the request belongs."""

    till_id: str | int
    store_id: str | int
    zone_id: str | int
    concept_id: str | int


class IntouchTask(Document, Generic[B]):
    """The call to Intouch that is asked for. Path and method are pinned by the request's type."""

    hostname: str = Field(description="http(s)://host[:port]; must be on the allow-list")
    path: str
    method: str
    path_params: dict[str, Any] | None = None
    query_params: dict[str, str | int | float | bool] | None = None
    body: B
    headers: dict[str, str] | None = Field(default=None, description="sent; credentials are sealed at once")


class SubmissionPayload(Document, Generic[B]):
    """Holds the task."""

    task: IntouchTask[B] = Field(alias="IntouchAPITask-Payload")


class Submission(Document, Generic[B]):
    """What a maker publishes: the documented POST body, and `requestType` beside it."""

    request_type: str = Field(description="in any of its three spellings, in any case")
    entity_info: EntityInfo | None = Field(default=None, description="optional for POINTS_REDEMPTION only")
    payload: SubmissionPayload[B]


class AdminTaskPayload(Document):
    """A checker's word."""

    action_decision: Literal["approved", "rejected"]
    action_message: str = Field(min_length=1, description="told in events; must not be blank")


class DecisionPayload(Document):
    """Holds the word."""

    admin_task: AdminTaskPayload = Field(alias="AdminTask-Payload")


class Decision(Document):
    """What a checker publishes on a request that waits."""

    request_id: str
    request_type: str | None = Field(default=None, description="must match where it is given")
    action_name: Literal["AdminTask"] = Field(default="AdminTask", description="compared without case")
    payload: DecisionPayload


class ResolutionTaskPayload(Document):
    """An operator's word."""

    action_decision: Literal["succeeded", "failed", "retry"]
    action_message: str = Field(min_length=1)


class ResolutionPayload(Document):
    """Holds the word."""

    task: ResolutionTaskPayload = Field(alias="IntouchAPITask-Payload")


class Resolution(Document):
    """What an operator publishes on a request in doubt; needs the right CanResolve."""

    request_id: str
    request_type: str | None = None
    action_name: Literal["IntouchAPITask"] = Field(description="compared without case")
    payload: ResolutionPayload


class EventFault(Document):
    """One thing that was wrong with a submission that was refused before the desk."""

    code: ErrorCode
    field: str
    message: str


class RequestAttributes(Document):
    """What was asked for; never headers, hostname, path or method."""

    query_params: dict[str, Any] | None = None
    body: Any = None


class EventData(Document):
    """The request as the event tells it. Keys that do not apply are absent (contract, section 5)."""

    request_id: str
    request_type: RequestType
    requester_id: int = Field(description="the maker")
    checker_id: int | None = None
    current_request_state: State
    previous_request_state: State | None = None
    update_time: EpochMs
    comment: str | None = None
    reason: str | None = None
    errors: tuple[EventFault, ...] | None = None
    request_attributes: RequestAttributes | None = None


class RequestWorkflowEvent(Document):
    """A record of `events`: eight keys, always, in this order."""

    event_name: Literal["requestWorkflowEvent"]
    event_id: str = Field(description="stable: the same event told again has the same id")
    org_id: int
    ref_id: str = Field(description="{orgId}_{requestId}")
    api_request_id: HexId
    created_at: EpochMs
    data: EventData
    loyalty_event_id: None


class Source(Document):
    """The public record that a dead letter goes back to."""

    topic: str
    partition: int
    offset: int
    timestamp: EpochMs


class DeadLetterDocument(Document):
    """A record of `dead-letters`."""

    reason: DeadReason
    detail: str = Field(description="one sentence without any of the input's content")
    stage: str
    source: Source
    dead_at: EpochMs
    request_id: str | None = None
    org_id: int | None = None
    redriven: int
    sealed: str | None = Field(description="the original record, sealed; null where it was too large")
    sha256: str | None = Field(default=None, description="of the original, where nothing is sealed")
