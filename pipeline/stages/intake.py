"""Intake: the only reader of the public topics. It verifies who speaks, names the request, and seals what is secret.

Remembers nothing and decides nothing about a request: what it may not let through travels on to approval as `Refused`.
What has nobody to be told about it becomes a dead letter (contract, section 2). Tokens go no further than here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from pipeline.domain import access, ids
from pipeline.domain.claims import Claims
from pipeline.domain.deadletters import is_too_large
from pipeline.domain.decisions import ADMIN_TASK, Spoken, read_decision
from pipeline.domain.events import Teller
from pipeline.domain.jsontext import AmbiguousJson, read_json
from pipeline.domain.messages import DECISIONS_SUBMITTED, REQUESTS_SUBMITTED, Received, Refused, Resolution, Verdict
from pipeline.domain.noted import Noted
from pipeline.domain.reasons import DeadReason, ErrorCode
from pipeline.domain.request_types import RequestType
from pipeline.domain.requests import Fault, Request, credentials_binding
from pipeline.domain.states import State
from pipeline.domain.transport import Transport, read_transport
from pipeline.domain.wishes import Taken, take_apart
from pipeline.stages import Arrival, Memory, Note, Stage, Step, Unusable
from pipeline.stages.binding import Digest, plan_of
from pipeline.stages.inbox import Undertaker, origin_of

NAME = "intake"

Pairs = tuple[tuple[str, str], ...]
ReadToken = Callable[[bytes], Claims | None]
SealHeaders = Callable[[tuple[str, ...], Pairs], str | None]  # binding, credentials -> text


class Opened(NamedTuple):
    """A public record whose headers and JSON could be read. `value` is one unambiguous JSON object."""

    transport: Transport
    value: dict[str, Any]

    def __repr__(self) -> str:
        """Without the value: the call's credentials stand in it in clear."""
        return f"Opened({self.transport!r})"


@dataclass(frozen=True, slots=True)
class Intake:
    """What the stage needs: the check of tokens, the seals, the digest, and a voice."""

    read_token: ReadToken
    seal_headers: SealHeaders
    digest: Digest
    undertaker: Undertaker
    teller: Teller

    def read(self, arrival: Arrival) -> Opened:
        """The record's headers and value; raises `Unusable` with the dead letter for what cannot be read."""
        if is_too_large(arrival.key, arrival.value, arrival.headers):
            raise self._unusable(arrival, DeadReason.TOO_LARGE)
        if not arrival.is_broker_time:
            raise self._unusable(arrival, DeadReason.BAD_TIME)
        transport = read_transport(arrival.headers, is_decision=arrival.topic == DECISIONS_SUBMITTED)
        if isinstance(transport, str):
            raise self._unusable(arrival, DeadReason.BAD_HEADER, transport)
        return Opened(transport, self._object(arrival))

    def _object(self, arrival: Arrival) -> dict[str, Any]:
        if arrival.value is None:
            raise self._unusable(arrival, DeadReason.NO_VALUE)
        try:
            value = read_json(arrival.value.decode())
        except UnicodeDecodeError:
            raise self._unusable(arrival, DeadReason.NOT_UTF8) from None
        except AmbiguousJson as ambiguous:
            detail = f"The JSON is ambiguous: {ambiguous}."
            raise self._unusable(arrival, DeadReason.AMBIGUOUS_JSON, detail) from None
        except json.JSONDecodeError:
            raise self._unusable(arrival, DeadReason.NOT_JSON) from None
        if not isinstance(value, dict):
            raise self._unusable(arrival, DeadReason.NOT_AN_OBJECT)
        return value

    def _unusable(self, arrival: Arrival, reason: DeadReason, detail: str | None = None) -> Unusable:
        return Unusable(self.undertaker.bury(arrival, reason, detail=detail))

    def fold(self, arrival: Arrival, memory: Memory, opened: Opened) -> Step:
        """A submission or a decision, by the topic it came from."""
        if arrival.topic == DECISIONS_SUBMITTED:
            return self._decide(arrival, opened)
        return self._submit(arrival, opened)

    # -- submissions

    def _submit(self, arrival: Arrival, opened: Opened) -> Step:
        transport = opened.transport
        request_type = RequestType.named(opened.value.get("requestType"))
        if request_type is None:
            return self.undertaker.bury(arrival, DeadReason.UNKNOWN_TYPE, org_id=transport.org_id)
        claims = self._claims(arrival, transport)
        if isinstance(claims, DeadReason):
            return self.undertaker.bury(arrival, claims, org_id=transport.org_id)
        request = _named(arrival, transport, request_type, claims)
        taken = take_apart(opened.value)
        told = self.teller.progress(request, taken.texts, State.VALIDATE_MAKER_ACCESS, arrival.time_ms)
        original = self.undertaker.seal_original(arrival) if request.is_keyed else None
        faults = _access_faults(claims, opened.value.get("entityInfo"))
        if faults:
            refused = Refused(
                request=request,
                texts=taken.texts,
                task=State.VALIDATE_MAKER_ACCESS,
                faults=faults,
                digest=self._digest(request, taken),
                original=original,
            )
            note = Note(Noted.REFUSED, request.request_id, faults[0].code)
            return Step(note, events=told, handovers=(refused,))
        received = Received(
            request=request,
            texts=taken.texts,
            wish=self._sealed(request, taken),
            faults=taken.faults,
            original=original,
        )
        return Step(Note(Noted.PASSED, request.request_id), events=told, handovers=(received,))

    def _digest(self, request: Request, taken: Taken) -> str | None:
        """By it the same submission is known when it comes again; only one with a key can, and taking it costs."""
        return plan_of(self.digest, request, taken.wish, taken.texts).digest if request.is_keyed else None

    def _sealed(self, request: Request, taken: Taken) -> Any:
        sealed = self.seal_headers(credentials_binding(request), taken.credentials)
        return taken.wish.model_copy(update={"sealed_headers": sealed})

    def _claims(self, arrival: Arrival, transport: Transport) -> Claims | DeadReason:
        """Who speaks, judged at the broker's time of the record."""
        claims = self.read_token(transport.token)
        if claims is None or not claims.good_at(arrival.time_ms):
            return DeadReason.BAD_TOKEN
        return claims if claims.org_id == transport.org_id else DeadReason.ORG_MISMATCH

    # -- decisions

    def _decide(self, arrival: Arrival, opened: Opened) -> Step:
        transport, spoken = opened.transport, read_decision(opened.value)
        if isinstance(spoken, str):
            return self.undertaker.bury(arrival, DeadReason.BAD_DECISION, detail=spoken, org_id=transport.org_id)
        bury = partial(self.undertaker.bury, arrival, request_id=spoken.request_id, org_id=transport.org_id)
        claims = self._claims(arrival, transport)
        if isinstance(claims, DeadReason):
            return bury(claims)
        right = access.CAN_CHECK if spoken.action == ADMIN_TASK else access.CAN_RESOLVE
        if not access.may(claims, right):
            return bury(DeadReason.NO_RIGHT)
        if spoken.request_id is None:
            # No request has this id, so approval need not be asked, who would say the same (execution: not-in-doubt).
            reason = DeadReason.UNKNOWN_REQUEST if spoken.action == ADMIN_TASK else DeadReason.NOT_IN_DOUBT
            return bury(reason)
        message = self._spoken(arrival, transport, spoken, claims, spoken.request_id)
        note = Note(Noted.PASSED, spoken.request_id, decision=spoken.decision)
        return Step(note, handovers=(message,))

    def _spoken(
        self, arrival: Arrival, transport: Transport, spoken: Spoken, claims: Claims, request_id: str
    ) -> Verdict | Resolution:
        origin = origin_of(arrival)
        common: dict[str, Any] = {
            "request_id": request_id,
            "org_id": transport.org_id,
            "person_id": claims.user_id,
            "api_request_id": transport.api_request_id or ids.api_request_id(origin),
            "origin": origin,
            "comment": spoken.message,
            "request_type": spoken.request_type,
            "original": self.undertaker.seal_original(arrival),
            "decision": spoken.decision,
            "digest": transport.digest,
            "entities": None if claims.entities is None else tuple(sorted(claims.entities)),
        }
        return Verdict(**common) if spoken.action == ADMIN_TASK else Resolution(**common)


def _named(arrival: Arrival, transport: Transport, request_type: RequestType, claims: Claims) -> Request:
    """The request gets its ids: from its key where it brought one, else from its place in the log."""
    origin = origin_of(arrival)
    if transport.key is None:
        request_id = ids.request_id(origin)
    else:
        request_id = ids.keyed_request_id(org_id=transport.org_id, maker_id=claims.user_id, key=transport.key)
    return Request(
        request_id=request_id,
        request_type=request_type,
        org_id=transport.org_id,
        maker_id=claims.user_id,
        api_request_id=transport.api_request_id or ids.api_request_id(origin),
        origin=origin,
        is_keyed=transport.key is not None,
    )


def _access_faults(claims: Claims, entity_info: Any) -> tuple[Fault, ...]:
    """What the maker may not do; everything else about the submission is validation's question."""
    codes = []
    if not access.may(claims, access.CAN_MAKE):
        codes.append((ErrorCode.NO_RIGHT, "permissions"))
    if not access.in_scope(claims.entities, entity_info):
        codes.append((ErrorCode.OUT_OF_SCOPE, "entityInfo"))
    return tuple(Fault(code=code, field=field, message=code.sentence) for code, field in codes)


def intake(parts: Intake) -> Stage:
    """The stage."""
    return Stage(NAME, (REQUESTS_SUBMITTED, DECISIONS_SUBMITTED), (), parts.read, parts.fold)
