"""Binds what a checker saw to what is sent: one way to plan a call, to take its digest, and to make it.

Intake takes the digest of what it refuses, validation of whatever it judges, execution once more of what it is about to
send.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.messages import Approved
from pipeline.domain.request_types import ROWS
from pipeline.domain.requests import Call, CallPlan, Parts, Request, Texts, Wish, credentials_binding

Digest = Callable[..., str]  # trust.digest.payload_digest: SHA-256 over canonical JSON, lower-case hex


def plan_of(
    digest: Digest, request: Request, wish: Wish, texts: Texts, parts: Parts | None = None, *, reason: str | None = None
) -> CallPlan:
    """The call as it would be sent, with its digest: also of what is refused, whatever is wrong with it. Then it says
    what was asked for, so that the same with its fault mended is another submission.
    """
    row = ROWS[request.request_type]
    plan = CallPlan(
        method=row.method if row.takes_method(wish.method) else wish.method or "",
        host=wish.host or "",
        path=row.path if row.takes_path(wish.path) else wish.path or "",
        headers=wish.headers,
        sealed_headers=wish.sealed_headers,
        digest="",
        reason=reason,
    )
    return plan.model_copy(update={"digest": digest_of(digest, request, plan, texts, parts)})


def digest_of(digest: Digest, request: Request, plan: CallPlan, texts: Texts, parts: Parts | None = None) -> str:
    """The digest of this call, as it would be sent; `parts` where the texts were read already."""
    read = parts or texts.parts()
    return digest(
        org_id=request.org_id,
        maker_id=request.maker_id,
        request_type=request.request_type,
        method=plan.method,
        origin=plan.host,
        path=plan.path,
        path_params=read.path_params,
        query_params=read.query,
        headers=dict(plan.headers),
        entity_info=read.entity,
        body=read.body,
    )


def call_of(approved: Approved, attempt: int, *, is_repeatable: bool, good_until_ms: int | None) -> Call:
    """The call that was approved, for the client."""
    pending = approved.pending
    request, plan, texts = pending.request, pending.plan, pending.texts
    return Call(
        request_id=request.request_id,
        request_type=request.request_type,
        method=plan.method,
        host=plan.host,
        path=plan.path,
        query=texts.query,
        headers=plan.headers,
        sealed_headers=plan.sealed_headers,
        binding=credentials_binding(request),
        body=texts.body,
        attempt=attempt,
        is_repeatable=is_repeatable,
        good_until_ms=good_until_ms,
    )
