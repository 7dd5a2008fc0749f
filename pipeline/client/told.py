"""One event as an observer reads it: the documented JSON, and the facts that travel in headers.

Reading only; how it looks is in `looks`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import ValidationError

from pipeline.client.documents import EventData, RequestWorkflowEvent
from pipeline.client.kafka import Record
from pipeline.domain.states import TABLE, State


class Told(NamedTuple):
    """An event. `call` is `METHOD origin path`, on AdminTask; `value` are the record's own bytes."""

    event: RequestWorkflowEvent
    value: bytes
    is_progress: bool
    stage: str | None = None
    reason: str | None = None
    http_status: str | None = None
    call: str | None = None
    digest: str | None = None

    @property
    def data(self) -> EventData:
        """The request."""
        return self.event.data

    @property
    def request_id(self) -> str:
        """Of the request."""
        return self.event.data.request_id

    @property
    def state(self) -> State:
        """The state that it tells."""
        return self.event.data.current_request_state

    @property
    def is_ending(self) -> bool:
        """Nothing follows: a state without moves."""
        return not TABLE[self.state]

    def moves_on(self, before: Told | None) -> bool:
        """Whether this, told later than `before`, is where the request stands now.

        Documented states count. So does the hand-over to the call, which a decision caused; of other progress only
        what follows the same submission, and before the first state: a repeat with the same idempotency key tells its
        own progress of a request that may long have ended, and changes nothing.
        """
        if before is None or not self.is_progress:
            return True
        if before.is_ending:
            return False
        if self.state is State.INTOUCH_API_TASK:
            return True
        return before.is_progress and before.event.api_request_id == self.event.api_request_id

    @property
    def is_in_doubt(self) -> bool:
        """The call's effect is unknown; a person is needed."""
        return self.state is State.INTOUCH_API_TASK and not self.is_progress


def standing(history: Iterable[Told]) -> Told | None:
    """The event that says where a request stands; None when nothing was told. In the order in which it was told."""
    held = None
    for told in history:
        held = told if told.moves_on(held) else held
    return held


def read_told(record: Record) -> Told | None:
    """The event of this record; None for what is no requestWorkflowEvent."""
    if record.value is None:
        return None
    try:
        event = RequestWorkflowEvent.model_validate_json(record.value)
    except ValidationError:
        return None
    return Told(
        event,
        record.value,
        is_progress=record.header("rw-kind") == "progress",
        stage=record.header("rw-stage"),
        reason=record.header("rw-reason"),
        http_status=record.header("rw-http-status"),
        call=record.header("rw-call"),
        digest=record.header("rw-payload-digest"),
    )
