"""Every reason that a refusal, an ending or a dead letter can have: closed lists, each with a sentence for people.

The same texts are header values (`rw-reason`), error codes in events, metric labels and log fields, so each exists here
once and nowhere else. No rule may live here: which reason applies is decided by whoever refuses. Source: contract,
section 4 "Reasons (closed list)", section 5 "Error codes (closed list)" and the list of `rw-reason`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class _Told(StrEnum):
    """A text member that also carries the sentence that people read (`member.sentence`)."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member


class DeadReason(_Told):
    """Why a record became a dead letter: header `rw-reason`, field `reason`, label of `rw_dead_letters_total`."""

    NO_VALUE = "no-value", "The record has no value."
    NOT_UTF8 = "not-utf8", "The value is not UTF-8 text."
    NOT_JSON = "not-json", "The value is not JSON."
    AMBIGUOUS_JSON = "ambiguous-json", "The JSON can be read in more than one way, or is nested too deeply."
    NOT_AN_OBJECT = "not-an-object", "The value is JSON, but not an object."
    TOO_LARGE = (
        "too-large",
        "Key, value and headers together exceed 1,000,000 bytes, or there are more than 1,000 headers.",
    )
    BAD_TIME = "bad-time", "The record's timestamp is not the broker's."
    BAD_HEADER = "bad-header", "A header that is needed is missing, malformed or there twice."
    UNKNOWN_TYPE = "unknown-type", "The request type is missing or not one that exists."
    BAD_TOKEN = "bad-token", "The token is missing, malformed, forged or not valid at the time of publication."
    ORG_MISMATCH = "org-mismatch", "The token is for another org than the org header."
    IDEMPOTENCY_CONFLICT = "idempotency-conflict", "The same key was used before for another request."
    BAD_DECISION = "bad-decision", "The decision is not shaped as documented."
    NO_RIGHT = "no-right", "The token does not carry the right that this needs."
    UNKNOWN_REQUEST = "unknown-request", "No request with this id is known here."
    WRONG_ORG = "wrong-org", "The request belongs to another org."
    WRONG_TYPE = "wrong-type", "The request is of another type than the decision says."
    NOT_WAITING = "not-waiting", "The request does not wait for a decision, or no longer."
    NOT_IN_DOUBT = "not-in-doubt", "The request is not in doubt, or no longer."
    MAKER_IS_CHECKER = "maker-is-checker", "The maker of a request may not decide it."
    OUT_OF_SCOPE = "out-of-scope", "None of the request's entities is among those of the token."
    DIGEST_REQUIRED = "digest-required", "A decision on this type must carry the payload digest."
    DIGEST_MISMATCH = "digest-mismatch", "The payload digest is not that of the request on the desk."
    REDRIVE_REFUSED = "redrive-refused", "The redriven original cannot be opened, is too old, or may not come back."


class ErrorCode(_Told):
    """What is wrong with a submission that ends in `failed` before the desk: `errors[].code` of its event."""

    NO_RIGHT = "no-right", "The token does not carry the right to make requests."
    OUT_OF_SCOPE = "out-of-scope", "None of the request's entities is among those of the token."
    TYPE_DISABLED = "type-disabled", "Requests of this type are switched off."
    BAD_ENTITY_INFO = "bad-entity-info", "entityInfo is missing or malformed."
    BAD_HOST = "bad-host", "The hostname is missing or malformed."
    HOST_NOT_ALLOWED = "host-not-allowed", "The host is not on the list of hosts that may be called."
    BAD_PATH = "bad-path", "The path is not the one of this request type."
    BAD_METHOD = "bad-method", "The method is not the one of this request type."
    BAD_HEADER = "bad-header", "A header of the call has an illegal name or value."
    ORG_MISMATCH = "org-mismatch", "The call's org header is not the submission's."
    BAD_QUERY = "bad-query", "A query parameter is missing, malformed or not allowed."
    MISSING_FIELD = "missing-field", "A required field is missing."
    BAD_BODY = "bad-body", "A field of the body is malformed."
    OVER_CAP = "over-cap", "The points exceed what this type allows."


class Reason(_Told):
    """Why an event was told: header `rw-reason`. The error codes may stand there, too."""

    REFUSED = "refused", "Intouch said no, readably."
    INTOUCH_UNAVAILABLE = "intouch-unavailable", "Intouch could not be reached for as long as the request was held."
    RETRIES_EXHAUSTED = "retries-exhausted", "All tries ended without effect, and no more are allowed."
    REDIRECT = "redirect", "Intouch answered with a redirect, which is never followed."
    HOST_NOT_ALLOWED = "host-not-allowed", "The host is no longer on the list of hosts that may be called."
    DIGEST_MISMATCH = "digest-mismatch", "What would be sent is not what was approved."
    ALREADY_THERE = "already-there", "An earlier try of ours had the effect already."
    IN_DOUBT = "in-doubt", "Nobody knows whether the call had an effect; a person has to find out."
    RESOLVED = "resolved", "A person found out what became of a call in doubt."
    EXPIRED = "expired", "Nobody decided in time."
    AUTO_APPROVED = "auto-approved", "The type's own rule approved the request."
    APPROVAL_EXPIRED = "approval-expired", "The call would have begun too long after the approval."
