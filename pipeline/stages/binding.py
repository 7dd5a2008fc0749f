"""Binds what a checker saw to what is sent: one way to take the digest of a call, for validation and for execution."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.requests import CallPlan, Parts, Request, Texts

Digest = Callable[..., str]  # trust.digest.payload_digest: SHA-256 over canonical JSON, lower-case hex


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
