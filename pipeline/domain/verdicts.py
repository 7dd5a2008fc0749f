"""Why a verdict has no effect: the rules as tables, asked in the contract's order (section 4); the first counts.

`unknown-request` and `not-waiting` are not here: approval sees them when it looks at what the desk holds.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.access import are_different, in_scope
from pipeline.domain.desk import Deciding, Declined, Waiting
from pipeline.domain.messages import Verdict
from pipeline.domain.reasons import DeadReason
from pipeline.domain.remnants import Settled
from pipeline.domain.request_types import RequestType

Known = Waiting | Deciding | Declined | Settled


def objection_of_stranger(known: Known, verdict: Verdict) -> DeadReason | None:
    """The verdict is of another org than the request, or names another type."""
    if isinstance(known, Settled):
        org_id, request_type = known.org_id, known.request_type
    else:
        org_id, request_type = known.request.org_id, known.request.request_type
    if org_id != verdict.org_id:
        return DeadReason.WRONG_ORG
    if verdict.request_type is not None and RequestType.named(verdict.request_type) is not request_type:
        return DeadReason.WRONG_TYPE
    return None


def _is_makers_own(desk: Waiting, verdict: Verdict) -> bool:
    return not are_different(desk.request.maker_id, verdict.person_id)


def _is_out_of_scope(desk: Waiting, verdict: Verdict) -> bool:
    return not in_scope(verdict.entities, desk.pending.texts.read("entity"))


def _lacks_digest(_: Waiting, verdict: Verdict) -> bool:
    return verdict.digest is None


def _has_other_digest(desk: Waiting, verdict: Verdict) -> bool:
    return verdict.digest is not None and verdict.digest != desk.digest


_Rule = tuple[Callable[[Waiting, Verdict], bool], DeadReason]
_RULES: tuple[_Rule, ...] = (
    (_is_makers_own, DeadReason.MAKER_IS_CHECKER),
    (_is_out_of_scope, DeadReason.OUT_OF_SCOPE),
    (_lacks_digest, DeadReason.DIGEST_REQUIRED),
    (_has_other_digest, DeadReason.DIGEST_MISMATCH),
)


def objection_to(desk: Waiting, verdict: Verdict, *, wants_digest: bool) -> DeadReason | None:
    """What forbids this verdict on this waiting request; None lets it count."""
    rules = (rule for rule in _RULES if wants_digest or rule[1] is not DeadReason.DIGEST_REQUIRED)
    return next((reason for holds, reason in rules if holds(desk, verdict)), None)
