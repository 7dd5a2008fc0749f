"""What makers and checkers publish: the documented JSON, the headers, and a development token. Pure but for the clock.

Tokens are minted from the HS256 secret of the settings, which is for development and tests; in production people bring
the tokens that their login gave them. Nothing here may print a token.
"""

from __future__ import annotations

import time
from typing import Any, Literal, NamedTuple

from pipeline.client.documents import (
    AdminTaskPayload,
    Decision,
    DecisionPayload,
    Resolution,
    ResolutionPayload,
    ResolutionTaskPayload,
)
from pipeline.client.kafka import ClientError, Headers, Outgoing
from pipeline.domain import ids, transport
from pipeline.domain.access import CAN_CHECK, CAN_MAKE, CAN_RESOLVE
from pipeline.domain.deadletters import RECORD_BYTES_MAX
from pipeline.domain.decisions import MESSAGE_MAX
from pipeline.domain.ids import Origin
from pipeline.domain.jsontext import read_json, write_json
from pipeline.domain.messages import DECISIONS_SUBMITTED, REQUESTS_SUBMITTED
from pipeline.domain.request_types import RequestType
from pipeline.settings import Settings
from pipeline.trust.tokens import Wanted, mint

RIGHTS = {"make": CAN_MAKE, "check": CAN_CHECK, "resolve": CAN_RESOLVE}
TOKEN_S = 3600


class Speaker(NamedTuple):
    """Who publishes: the org, the token, and the id by which the publisher finds its request or decision again."""

    org_id: int
    token: str
    api_request_id: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"Speaker(org_id={self.org_id})"

    def headers(self, **more: str | None) -> Headers:
        """Of a public record; `more` are header names with underscores for dashes, those that are None left out."""
        given: dict[str, str | None] = {
            transport.ORG: str(self.org_id),
            transport.TOKEN: self.token,
            transport.REQUEST_ID: self.api_request_id,
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        return tuple((name, value.encode()) for name, value in given.items() if value is not None)


def mint_token(
    settings: Settings,
    *,
    user_id: int,
    org_id: int,
    rights: tuple[str, ...],
    valid_s: int = TOKEN_S,
    entities: tuple[str, ...] | None = None,
) -> str:
    """A token with these rights (keys of `RIGHTS`), good for `valid_s` seconds. Raises SettingsError, ClientError."""
    settings.require("jwt_hs256_secret")
    assert settings.jwt_hs256_secret is not None
    if valid_s > settings.jwt_max_age_s:
        raise ClientError(f"A token may live for {settings.jwt_max_age_s} s at most (RW_JWT_MAX_AGE_S): ask for less.")
    return mint(
        settings.jwt_hs256_secret.get_secret_value().encode(),
        user_id=user_id,
        org_id=org_id,
        permissions=tuple(RIGHTS[right] for right in rights),
        expires_s=int(time.time()) + valid_s,
        wanted=Wanted(**settings.token_rules),
        entities=entities,
    )


def submission(text: bytes, speaker: Speaker, *, request_type: str | None, key: str | None = None) -> Outgoing:
    """A submission from the documented POST body. Without `request_type` the body must say it. Raises ClientError.

    The text is published as it is; a `requestType` that it lacks is put before its first key, so that numbers keep
    their spelling.
    """
    document = _object(text)
    is_said = "requestType" in document
    named = _named(document["requestType"] if is_said else request_type, request_type)
    if not is_said:
        rest = text.decode().lstrip()[1:].lstrip()
        comma = "" if rest.startswith("}") else ","
        text = f'{{"requestType":"{named}"{comma}{rest}'.encode()
    return Outgoing(REQUESTS_SUBMITTED, text, speaker.headers(idempotency_key=key))


def _object(text: bytes) -> dict[str, Any]:
    if len(text) > RECORD_BYTES_MAX:
        raise ClientError(f"The submission is larger than {RECORD_BYTES_MAX} bytes, which is more than intake takes.")
    try:
        document = read_json(text.decode())
    except ValueError as problem:
        raise ClientError(f"The submission is no JSON that intake would take: {problem}.") from None
    if not isinstance(document, dict):
        raise ClientError("The submission is JSON, but not an object: it must be the documented POST body.")
    return document


def _named(said: object, given: str | None) -> RequestType:
    """The type that is said, and that agrees with the one that is given, if there is one."""
    named = RequestType.named(said if given is None else given)
    if named is None:
        types = ", ".join(RequestType)
        raise ClientError(f"Which request type is it? Name one with --type, or as requestType in the body: {types}.")
    if RequestType.named(said) is not named:
        raise ClientError(f"The body's requestType is not {named}: leave one of the two out.")
    return named


def decision(
    request_id: str,
    word: Literal["approved", "rejected"],
    speaker: Speaker,
    *,
    message: str,
    digest: str | None = None,
) -> Outgoing:
    """A checker's decision. With `digest` it counts only for exactly what lies on the desk. Raises ClientError."""
    said = AdminTaskPayload(action_decision=word, action_message=_filled(message))
    document = Decision(request_id=request_id, payload=DecisionPayload(**{"AdminTask-Payload": said}))
    return _spoken(document, speaker, digest)


def resolution(
    request_id: str,
    word: Literal["succeeded", "failed", "retry"],
    speaker: Speaker,
    *,
    message: str,
    digest: str | None = None,
) -> Outgoing:
    """An operator's word on a call in doubt. Raises ClientError."""
    said = ResolutionTaskPayload(action_decision=word, action_message=_filled(message))
    document = Resolution(
        request_id=request_id,
        action_name="IntouchAPITask",
        payload=ResolutionPayload(**{"IntouchAPITask-Payload": said}),
    )
    return _spoken(document, speaker, digest)


def _filled(message: str) -> str:
    if not message.strip():
        raise ClientError("The message must not be blank: say why, observers read it.")
    if len(message) > MESSAGE_MAX:
        raise ClientError(
            f"The message has {len(message)} characters, which is more than the {MESSAGE_MAX} intake takes."
        )
    return message


def _spoken(document: Decision | Resolution, speaker: Speaker, digest: str | None) -> Outgoing:
    value = write_json(document.model_dump(by_alias=True, exclude_none=True)).encode()
    return Outgoing(DECISIONS_SUBMITTED, value, speaker.headers(rw_payload_digest=digest))


def request_id_of(origin: Origin, *, org_id: int, maker_id: int | None, key: str | None) -> str | None:
    """The id that intake gives to this submission; None where it depends on a maker who is not known here."""
    if key is None or not key.strip():
        return ids.request_id(origin)
    if maker_id is None:
        return None
    return ids.keyed_request_id(org_id=org_id, maker_id=maker_id, key=key.encode())
