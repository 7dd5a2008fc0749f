"""The closed lists of reasons are those of the contract, word for word."""

from __future__ import annotations

import pickle
from enum import StrEnum

import pytest

from pipeline.domain.reasons import DeadReason, ErrorCode, Reason

CONTRACT: dict[type[StrEnum], str] = {
    DeadReason: """no-value not-utf8 not-json ambiguous-json not-an-object too-large bad-time bad-header unknown-type
        bad-token org-mismatch idempotency-conflict bad-decision no-right unknown-request wrong-org wrong-type
        not-waiting not-in-doubt maker-is-checker out-of-scope digest-required digest-mismatch redrive-refused""",
    ErrorCode: """no-right out-of-scope type-disabled bad-entity-info bad-host host-not-allowed bad-path bad-method
        bad-header org-mismatch bad-query missing-field bad-body over-cap""",
    Reason: """refused intouch-unavailable retries-exhausted redirect host-not-allowed digest-mismatch already-there
        in-doubt resolved expired auto-approved approval-expired""",
}


@pytest.mark.parametrize("reasons", CONTRACT, ids=lambda reasons: reasons.__name__)
def test_the_list_is_that_of_the_contract(reasons: type[StrEnum]) -> None:
    """Nothing is missing, nothing was added, and the order is kept."""
    assert [str(member) for member in reasons] == CONTRACT[reasons].split()


@pytest.mark.parametrize("member", [member for reasons in CONTRACT for member in reasons], ids=repr)
def test_every_reason_is_told_in_a_sentence(member) -> None:
    """Each member has one sentence for people, and is found again by its text."""
    assert member.sentence[0].isupper() or member.sentence.startswith("entityInfo")
    assert member.sentence.endswith(".")
    assert type(member)(str(member)) is member
    assert pickle.loads(pickle.dumps(member)) is member  # noqa: S301 - our own bytes
