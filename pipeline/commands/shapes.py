"""The shapes of what people type: checked before anything is published that could only become a dead letter.

Wrong usage, so exit code 2, with one sentence that never quotes a token. Whether a token is good, or a request there,
is not asked here: only the pipeline knows.
"""

from __future__ import annotations

import re
import uuid

import typer

from pipeline.domain.transport import KEY_BYTES_MAX

_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_HEX_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
ID_MAX = 2**63 - 1  # of a user or an org, as large as a token may say it


def jwt(given: str, hint: str) -> str:
    """A token without the space around it."""
    token = given.strip()
    if not _JWT.fullmatch(token):
        sentence = "is no JWT: three parts of letters, digits, - and _, with dots between them, and nothing before them"
        raise typer.BadParameter(sentence, param_hint=hint)
    return token


def hex_id(given: str, hint: str) -> str:
    """32 hex digits, lower case; dashes and case do not count."""
    plain = given.strip().replace("-", "").lower()
    if not _HEX_ID.fullmatch(plain):
        raise typer.BadParameter("must be 32 hex digits; dashes and case do not count", param_hint=hint)
    return plain


def request_id(given: str) -> str:
    """A requestId as events spell it, with its dashes and in lower case."""
    return str(uuid.UUID(hex_id(given, "REQUEST_ID")))


def number(given: int, hint: str) -> int:
    """The id of a user or an org, no larger than a token may say it."""
    if given > ID_MAX:
        raise typer.BadParameter(f"must be at most {ID_MAX}", param_hint=hint)
    return given


def idempotency_key(given: str | None) -> str | None:
    """None, or a key that counts: a blank one would be taken for none."""
    if given is not None and (not given.strip() or len(given.encode()) > KEY_BYTES_MAX):
        sentence = f"must be 1 to {KEY_BYTES_MAX} bytes long and not blank"
        raise typer.BadParameter(sentence, param_hint="--idempotency-key")
    return given


def digest(given: str | None) -> str | None:
    """None, or a SHA-256 in lower-case hex."""
    if given is None:
        return None
    plain = given.strip().lower()
    if not _DIGEST.fullmatch(plain):
        raise typer.BadParameter(
            "must be 64 hex digits, as the header rw-payload-digest has them", param_hint="--digest"
        )
    return plain
