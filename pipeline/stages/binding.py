"""Binds what a checker saw to what is sent: one way to plan a call and to take its digest, for every stage that does.

Intake takes it of what it refuses, validation of whatever it judges, execution once more of what it is about to send.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.request_types import ROWS
from pipeline.domain.requests import CallPlan, Request, Texts, Wish

Digest = Callable[..., str]  # trust.digest.payload_digest: SHA-256 over canonical JSON, lower-case hex


def plan_of(digest: Digest, request: Request, wish: Wish, texts: Texts, *, reason: str | None = None) -> CallPlan:
    """The call as it would be sent, with its digest: also of what is refused, whatever is wrong with it."""
    row = ROWS[request.request_type]
    plan = CallPlan(
        method=row.method,
        host=wish.host or "",
        path=row.path,
        headers=wish.headers,
        sealed_headers=wish.sealed_headers,
        digest="",
        reason=reason,
    )
    return plan.model_copy(update={"digest": digest_of(digest, request, plan, texts)})


def digest_of(digest: Digest, request: Request, plan: CallPlan, texts: Texts) -> str:
    """The digest of this call, as it would be sent."""
    return digest(
        org_id=request.org_id,
        maker_id=request.maker_id,
        request_type=request.request_type,
        method=plan.method,
        origin=plan.host,
        path=plan.path,
        path_params=texts.read("path_params"),
        query_params=texts.read("query"),
        headers=dict(plan.headers),
        entity_info=texts.read("entity"),
        body=texts.read("body"),
    )
