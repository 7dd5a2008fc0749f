"""The requestWorkflowEvent exactly as documented (contract, section 5): which keys, in which order, with which bytes.

The one place that writes events. What the documents do not print travels in Kafka headers only. Nothing here decides
whether an event is due: folds do, and they say from which cause, so that a replay tells the same bytes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.domain.ids import Origin, event_id
from pipeline.domain.jsontext import write_json
from pipeline.domain.messages import EVENTS
from pipeline.domain.request_types import ROWS, RequestType
from pipeline.domain.requests import Fault, Request, Texts
from pipeline.domain.states import PROGRESS, State

EVENT_NAME = "requestWorkflowEvent"


class Extra(NamedTuple):
    """What travels in headers. `is_state`: true also for the one IntouchAPITask that is no progress, in doubt."""

    stage: str
    is_state: bool
    reason: str | None = None
    http_status: int | None = None
    call: str | None = None
    digest: str | None = None
    resolver: int | None = None
    resolution: str | None = None


class Event(NamedTuple):
    """One requestWorkflowEvent. `cause` and `attempt` make its id; `at_ms` is epoch milliseconds."""

    request: Request
    texts: Texts
    state: State
    cause: Origin
    at_ms: int
    api_request_id: str
    extra: Extra
    previous: State | None = None
    checker_id: int | None = None
    comment: str | None = None
    reason: str | None = None
    faults: tuple[Fault, ...] = ()
    attempt: int = 0

    @property
    def topic(self) -> str:
        """Always `events`."""
        return EVENTS

    @property
    def key(self) -> bytes:
        """The requestId."""
        return self.request.request_id.encode()

    @property
    def request_type(self) -> RequestType:
        """For the metric `rw_events_total`."""
        return self.request.request_type

    def value(self) -> bytes:
        """Eight top-level keys, always, in the documented order; the submission's texts stand in it as they are."""
        request, data = self.request, write_json(self._data())
        if attributes := self.texts.attributes:
            data = f'{data[:-1]},"requestAttributes":{attributes}}}'
        head = write_json(
            {
                "eventName": EVENT_NAME,
                "eventId": event_id(request.request_id, self.state, self.cause, self.attempt),
                "orgId": request.org_id,
                "refId": f"{request.org_id}_{request.request_id}",
                "apiRequestId": self.api_request_id,
                "createdAt": self.at_ms,
            }
        )
        return f'{head[:-1]},"data":{data},"loyaltyEventId":null}}'.encode()

    def _data(self) -> dict[str, Any]:
        """The keys before requestAttributes; what is None is left out."""
        request = self.request
        faults = [{"code": f.code, "field": f.field, "message": f.message} for f in self.faults]
        keys = {
            "requestId": request.request_id,
            "requestType": request.request_type,
            "requesterId": request.maker_id,
            "checkerId": self.checker_id,
            "currentRequestState": self.state,
            "previousRequestState": self.previous,
            "updateTime": self.at_ms,
            "comment": self.comment,
            "reason": self.reason,
            "errors": faults or None,
        }
        return {key: value for key, value in keys.items() if value is not None}

    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """`rw-kind` and `rw-stage`, and the others where they apply."""
        extra = self.extra
        facts: tuple[tuple[str, str | int | None], ...] = (
            ("rw-kind", "state" if extra.is_state else "progress"),
            ("rw-stage", extra.stage),
            ("rw-reason", extra.reason),
            ("rw-http-status", extra.http_status),
            ("rw-call", extra.call),
            ("rw-payload-digest", extra.digest),
            ("rw-resolver", extra.resolver),
            ("rw-resolution", extra.resolution),
        )
        return tuple((name, str(fact).encode()) for name, fact in facts if fact is not None)


class Teller(NamedTuple):
    """Makes one stage's events under the settings that concern observers (contract, section 11)."""

    stage: str
    tells_progress: bool = True
    tells_every_checker: bool = False

    def progress(self, request: Request, texts: Texts, state: State, at_ms: int, **facts: Any) -> tuple[Event, ...]:
        """The event that the request entered this task; nothing where progress is silenced."""
        if not self.tells_progress:
            return ()
        assert state in PROGRESS
        facts = {"cause": request.origin, "api_request_id": request.api_request_id, **facts}
        return (self._event(request, texts, state, at_ms, Extra(self.stage, is_state=False), facts),)

    def state(
        self, request: Request, texts: Texts, state: State, at_ms: int, *, extra: dict[str, Any], **facts: Any
    ) -> tuple[Event, ...]:
        """The event of a documented state; `extra` goes into headers, `facts` are fields of `Event`."""
        facts = {"cause": request.origin, "api_request_id": request.api_request_id, **facts}
        return (self._event(request, texts, state, at_ms, Extra(self.stage, is_state=True, **extra), facts),)

    def _event(
        self, request: Request, texts: Texts, state: State, at_ms: int, extra: Extra, facts: dict[str, Any]
    ) -> Event:
        hides_checker = not (self.tells_every_checker or ROWS[request.request_type].tells_checker)
        if hides_checker:
            facts = {**facts, "checker_id": None}
        return Event(request=request, texts=texts, state=state, at_ms=at_ms, extra=extra, **facts)
