"""Why a resolution has no effect, or had it already: the rules as a table, in the contract's order (section 4)."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.access import are_different, in_scope
from pipeline.domain.calls import Begun, CameTo, Doubt, Intent, Result, Word
from pipeline.domain.messages import Pending, Resolution
from pipeline.domain.reasons import DeadReason
from pipeline.domain.remnants import Finished


def is_known(begun: Begun | None, came_to: CameTo | None, said: Resolution) -> bool:
    """The very same record counted before."""
    if isinstance(came_to, Finished):
        return came_to.was_told_by(said.origin)
    words = came_to.words if isinstance(came_to, Result) else ()
    if isinstance(begun, Intent) and begun.word is not None:
        words += (begun.word,)
    return any(word.origin == said.origin for word in words)


_Rule = tuple[Callable[[Pending, Resolution], bool], DeadReason]
_RULES: tuple[_Rule, ...] = (
    (lambda pending, said: pending.request.org_id != said.org_id, DeadReason.WRONG_ORG),
    (lambda pending, said: not pending.request.request_type.fits(said.request_type), DeadReason.WRONG_TYPE),
    (lambda pending, said: not are_different(pending.request.maker_id, said.person_id), DeadReason.MAKER_IS_CHECKER),
    (lambda pending, said: not in_scope(said.entities, pending.texts.read("entity")), DeadReason.OUT_OF_SCOPE),
    (lambda pending, said: said.digest not in (None, pending.plan.digest), DeadReason.DIGEST_MISMATCH),
)


def objection_to(begun: Begun | None, came_to: CameTo | None, offset: int, said: Resolution) -> DeadReason | None:
    """What forbids this resolution, at this offset of the inbox; None lets it count."""
    if begun is None or not _is_in_doubt(begun, came_to, offset, said):
        return DeadReason.NOT_IN_DOUBT
    pending = begun.approved.pending
    return next((reason for holds, reason in _RULES if holds(pending, said)), None)


def word_of(said: Resolution) -> Word:
    """What is remembered of a resolution that counts."""
    return Word(
        origin=said.origin,
        person_id=said.person_id,
        api_request_id=said.api_request_id,
        decision=said.decision,
        comment=said.comment,
    )


def _is_in_doubt(begun: Begun, came_to: CameTo | None, offset: int, said: Resolution) -> bool:
    """Its last attempt came to a doubt, before this offset and before the resolution was published: what came too early
    once may not count when it is folded again after a crash, or written again by one of intake; nor what was published
    while the call was running, and waited for its end.
    """
    doubt = open_doubt(begun, came_to)
    return doubt is not None and offset > doubt.since and said.origin.time_ms >= max(doubt.since_ms, doubt.at_ms)


def open_doubt(begun: Begun, came_to: CameTo | None) -> Doubt | None:
    """The doubt that a person may end now; None where there is none, or where a retry of it is under way."""
    if not isinstance(begun, Intent) or not isinstance(came_to, Result) or came_to.end is not None:
        return None
    return came_to.doubts[-1] if begun.attempt <= came_to.tried.attempt else None
