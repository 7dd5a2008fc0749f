"""Why a verdict has no effect: the rules as tables, asked in the contract's order (section 4); the first counts.

`unknown-request` is asked first, and is about when the verdict was made. `not-waiting` is not here: approval sees it
when it looks at what the desk holds.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.access import are_different, in_scope
from pipeline.domain.desk import Deciding, Declined, Waiting
from pipeline.domain.messages import Verdict
from pipeline.domain.reasons import DeadReason
from pipeline.domain.remnants import Settled

Known = Waiting | Deciding | Declined | Settled


def was_made_unseen(known: Known, verdict: Verdict, offset: int) -> bool:
    """The verdict, folded at this offset of the inbox, is older than what lies on the desk: `unknown-request`.

    What lost so once may not win later. After a crash of approval it is folded again at its old offset; after one of
    intake it is written again, behind the request, and then its own time tells. Nobody has seen AdminTask before the
    request reached the desk, so an honest verdict is later. The price: where the clocks of two brokers differ by more
    than somebody takes to read an event and to decide, an honest one is buried too, and must be published again.
    """
    if not isinstance(known, Waiting | Deciding):
        return False
    return known.was_placed_after(offset) or verdict.origin.time_ms <= known.since_ms


def objection_of_stranger(known: Known, verdict: Verdict) -> DeadReason | None:
    """The verdict is of another org than the request, or names another type."""
    if isinstance(known, Settled):
        org_id, request_type = known.org_id, known.request_type
    else:
        org_id, request_type = known.request.org_id, known.request.request_type
    if org_id != verdict.org_id:
        return DeadReason.WRONG_ORG
    if not request_type.fits(verdict.request_type):
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
