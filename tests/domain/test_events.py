"""The requestWorkflowEvent: eight keys, the key table of the contract (section 5) column by column, and the headers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import T0, a_pending, a_request, an_origin

from pipeline.domain.events import Event, Extra, Teller
from pipeline.domain.ids import event_id
from pipeline.domain.reasons import ErrorCode, Reason
from pipeline.domain.request_types import RequestType
from pipeline.domain.requests import Fault, Texts
from pipeline.domain.states import PROGRESS, State

TOP = ["eventName", "eventId", "orgId", "refId", "apiRequestId", "createdAt", "data", "loyaltyEventId"]
FAULT = Fault(code=ErrorCode.BAD_PATH, field="path", message="m")
TEXTS = a_pending().texts
STATUS = RequestType.CUSTOMER_STATUS_CHANGE


def told(event: Event) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(event.value())
    return value


def an_event(request_type=RequestType.GOODWILL_POINTS, *, every=False, extra=None, texts=TEXTS, **facts):
    """The event of a documented state with everything that a fold could say."""
    everything = {"previous": State.ADMIN_TASK, "checker_id": 7, "comment": "c", "reason": "r", "faults": (FAULT,)}
    teller = Teller("approval", tells_every_checker=every)
    request = a_request(request_type)
    [event] = teller.state(request, texts, State.FAILED, T0, extra=extra or {}, **(everything | facts))
    return event


def test_top_level_keys():
    """Eight, always, in the documented order, with the documented kinds."""
    value, request = told(an_event()), a_request()

    assert list(value) == TOP
    assert value["eventName"] == "requestWorkflowEvent"
    assert value["eventId"] == event_id(request.request_id, "failed", request.origin)
    assert value["orgId"] == 51250
    assert value["refId"] == f"51250_{request.request_id}"
    assert value["apiRequestId"] == request.api_request_id
    assert value["createdAt"] == T0
    assert value["loyaltyEventId"] is None


def test_data_keys_in_their_order():
    """Everything at once, as no real event has it, shows the order."""
    assert list(told(an_event())["data"]) == [
        "requestId",
        "requestType",
        "requesterId",
        "checkerId",
        "currentRequestState",
        "previousRequestState",
        "updateTime",
        "comment",
        "reason",
        "errors",
        "requestAttributes",
    ]


def test_absent_facts_have_no_key():
    """What did not happen is left out, never null."""
    bare = an_event(previous=None, checker_id=None, comment=None, reason=None, faults=(), texts=Texts())

    assert list(told(bare)["data"]) == [
        "requestId",
        "requestType",
        "requesterId",
        "currentRequestState",
        "updateTime",
    ]


def test_errors_have_three_keys():
    """Code, field, message, in this order."""
    assert json.dumps(told(an_event())["data"]["errors"]) == '[{"code": "bad-path", "field": "path", "message": "m"}]'


@pytest.mark.parametrize("request_type", RequestType)
@pytest.mark.parametrize("every", [True, False])
def test_checker_of_a_status_change_is_hidden(request_type, every):
    """As in the documented samples, unless the setting asks for it; of all other types it is told."""
    data = told(an_event(request_type, every=every))["data"]

    assert ("checkerId" in data) == (every or request_type is not STATUS)


@pytest.mark.parametrize(
    ("query", "body", "attributes"),
    [
        ("", "", None),
        ("{}", "", None),
        ("", "{}", '{"body":{}}'),
        ("{}", '{"a":20.0}', '{"body":{"a":20.0}}'),
        ('{"a":""}', '{"b":null}', '{"queryParams":{"a":""},"body":{"b":null}}'),
        ('{"a":1}', "", '{"queryParams":{"a":1}}'),
        ("[1]", "[2]", '{"body":[2]}'),
    ],
)
def test_request_attributes(query, body, attributes):
    """Query and body as they were; an empty query is left out, empty values inside it are not."""
    raw = an_event(texts=Texts("{}", '{"hidden":1}', query, body)).value().decode()

    assert raw.endswith((f',"requestAttributes":{attributes}' if attributes else "") + '},"loyaltyEventId":null}')
    assert ("requestAttributes" in raw) == bool(attributes)
    assert "hidden" not in raw


def test_headers_of_a_state():
    """Kind and stage always, the others where they apply, each a text."""
    everything = {"reason": Reason.REFUSED, "http_status": 400, "call": "POST https://x /y", "digest": "d"}

    assert an_event().headers() == (("rw-kind", b"state"), ("rw-stage", b"approval"))
    assert an_event(extra=everything).headers() == (
        ("rw-kind", b"state"),
        ("rw-stage", b"approval"),
        ("rw-reason", b"refused"),
        ("rw-http-status", b"400"),
        ("rw-call", b"POST https://x /y"),
        ("rw-payload-digest", b"d"),
    )


@pytest.mark.parametrize("state", sorted(PROGRESS))
def test_progress_can_be_silenced(state):
    """The setting silences progress and nothing else."""
    loud, silent = Teller("intake"), Teller("intake", tells_progress=False)

    [event] = loud.progress(a_request(), TEXTS, state, T0)
    assert event.headers() == (("rw-kind", b"progress"), ("rw-stage", b"intake"))
    assert silent.progress(a_request(), TEXTS, state, T0) == ()
    assert len(silent.state(a_request(), TEXTS, state, T0, extra={})) == 1


def test_an_event_is_keyed_by_its_request():
    """So that all events of a request lie in one partition, in order."""
    event = an_event()

    assert (event.topic, event.key.decode()) == ("events", a_request().request_id)
    assert event.request_type is RequestType.GOODWILL_POINTS


def test_cause_and_attempt_make_the_id():
    """Another cause, state or attempt is another event; the same ones are the same event, whatever it says."""
    one = told(an_event())["eventId"]
    others = [an_event(cause=an_origin(18)), an_event(attempt=1)]

    assert told(an_event(comment="other"))["eventId"] == one
    assert len({one, *(told(other)["eventId"] for other in others)}) == 3


def test_extra_defaults_to_nothing():
    """A fact that nobody gave is no header."""
    assert Extra("intake", is_state=True) == Extra("intake", True, None, None, None, None)
