"""Why a verdict has no effect: every combination of objections, and the contract's order (section 4) among them."""

from __future__ import annotations

import itertools

import pytest
from builders import CHECKER, ENTITY, MAKER, ORG, T0, a_pending, a_refused, a_request, a_verdict, an_approved

from pipeline.domain.desk import Declined, Waiting
from pipeline.domain.reasons import DeadReason
from pipeline.domain.verdicts import objection_of_stranger, objection_to, was_made_unseen

PENDING = a_pending()
DESK = Waiting(pending=PENDING, placed=0, since_ms=0, expires_ms=1)
DECIDING = DESK.ruled("approved", an_approved().decided)
KNOWN = [DESK, DECIDING, DECIDING.reduced(14), Declined(refused=a_refused()), Declined(refused=a_refused()).reduced(14)]
# maker's own, out of scope, digest: (given, is right)
OWN, SCOPE, DIGEST = (False, True), ("none", "shared", "other"), ("absent", "right", "wrong")


def expected(is_own, scope, digest, wants):
    """The contract's order, written once more as a person reads it."""
    if is_own:
        return DeadReason.MAKER_IS_CHECKER
    if scope == "other":
        return DeadReason.OUT_OF_SCOPE
    if wants and digest == "absent":
        return DeadReason.DIGEST_REQUIRED
    return DeadReason.DIGEST_MISMATCH if digest == "wrong" else None


@pytest.mark.parametrize(
    ("is_own", "scope", "digest", "wants"), list(itertools.product(OWN, SCOPE, DIGEST, (False, True)))
)
def test_every_combination(is_own, scope, digest, wants):
    """The first objection in the contract's order counts; without one the verdict does."""
    verdict = a_verdict(
        person_id=MAKER if is_own else CHECKER,
        entities={"none": None, "shared": ("1", ENTITY["zoneId"]), "other": ("1",)}[scope],
        digest={"absent": None, "right": PENDING.plan.digest, "wrong": "0" * 64}[digest],
    )

    assert objection_to(DESK, verdict, wants_digest=wants) is expected(is_own, scope, digest, wants)


@pytest.mark.parametrize(
    ("offset", "after_ms", "is_unseen"), [(7, 11, False), (6, 11, True), (7, 10, True), (6, 9, True), (8, 10, True)]
)
@pytest.mark.parametrize("decide", [False, True])
def test_nobody_decides_what_does_not_lie_there_yet(offset, after_ms, is_unseen, decide):
    """By its place in the inbox and by its own time: either alone says that it came before the request."""
    known = Waiting(pending=PENDING, placed=7, since_ms=T0 + 10, expires_ms=T0 + 99)
    known = known.ruled("approved", an_approved().decided) if decide else known

    assert was_made_unseen(known, a_verdict(after_ms=after_ms), offset) == is_unseen


def test_what_has_ended_was_there():
    """What is left of it keeps neither place nor time; a verdict comes too late in any case."""
    for known in KNOWN[2:]:
        assert not was_made_unseen(known, a_verdict(after_ms=-1), 0)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: type(known).__name__)
@pytest.mark.parametrize(
    ("org_id", "claimed", "reason"),
    [
        (ORG, None, None),
        (ORG, "goodwill-points", None),
        (ORG, "Goodwill_Points", None),
        (ORG, "earn-badge", DeadReason.WRONG_TYPE),
        (ORG, "no such type", DeadReason.WRONG_TYPE),
        (ORG, "", DeadReason.WRONG_TYPE),
        (ORG + 1, None, DeadReason.WRONG_ORG),
        (ORG + 1, "earn-badge", DeadReason.WRONG_ORG),
        (0, None, DeadReason.WRONG_ORG),
    ],
)
def test_strangers(known, org_id, claimed, reason):
    """Org first, then type, whatever has become of the request; org 0 is an org like others."""
    assert objection_of_stranger(known, a_verdict(org_id=org_id, request_type=claimed)) is reason


def test_an_entity_free_request_is_out_of_a_limited_scope():
    """A redemption without entityInfo can be decided by nobody whose token is limited."""
    pending = PENDING.carrying(PENDING.texts._replace(entity=""))
    desk = DESK.model_copy(update={"pending": pending})

    assert objection_to(desk, a_verdict(entities=("1",)), wants_digest=False) is DeadReason.OUT_OF_SCOPE
    assert objection_to(desk, a_verdict(), wants_digest=False) is None


def test_desk_knows_whose_request_it_is():
    """Entries that keep the whole request and those that do not agree on what they know."""
    for known in KNOWN:
        has_none = isinstance(known, Declined) or known is KNOWN[-1]

        assert known.first == a_request().origin
        assert known.has_digest(PENDING.plan.digest) is not has_none
        assert not known.has_digest("0" * 64)


def test_desk_knows_what_was_refused():
    """A refusal that has a digest keeps it, also when it is reduced; it is told from another by 128 bits."""
    digest = PENDING.plan.digest
    declined = Declined(refused=a_refused().model_copy(update={"digest": digest}))

    for known in (declined, declined.reduced(14)):
        assert known.has_digest(digest)
        assert not known.has_digest("0" * 64)
        assert not known.has_digest(digest[:31] + ("0" if digest[31] != "0" else "1") + digest[32:])
