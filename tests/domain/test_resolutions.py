"""What a person may say about a call: every rule of the contract (section 4), in its order, and what is known."""

from __future__ import annotations

import itertools

import pytest
from builders import ENTITY, MAKER, OPERATOR, T0, a_pending, an_approved, an_operators_resolution
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.calls import Doubt, End, Intent, Parked, Result, Trying, Word
from pipeline.domain.outcomes import Effect, Ending
from pipeline.domain.reasons import DeadReason
from pipeline.domain.remnants import Finished
from pipeline.domain.request_types import RequestType
from pipeline.domain.resolutions import is_known, objection_to, word_of
from pipeline.domain.tries import Tried

TYPE = RequestType.GOODWILL_POINTS
APPROVED = an_approved(a_pending(TYPE))
GOOD = an_operators_resolution()
SINCE, NOW = 5, 9  # offsets: of the doubt, and of the resolution
INTENT = Intent(approved=APPROVED, attempt=1, asked=SINCE, begun_ms=T0)
APPROVAL = APPROVED.decided.origin
DOUBT = Doubt(attempt=1, since=SINCE, since_ms=T0, at_ms=T0, ending=Ending.UNCLEAR)
IN_DOUBT = Result(
    request_type=TYPE,
    approval=APPROVAL,
    tried=Tried(attempt=1, tries=1, is_ambiguous=True),
    doubts=(DOUBT,),
)
ENDED = IN_DOUBT.model_copy(update={"end": End(attempt=1, at_ms=T0, effect=Effect.DONE)})
TRYING = Trying(
    since=3, request_type=TYPE, host="h", approved_ms=T0, tried=Tried(attempt=1), due_ms=T0, ending=Ending.NOT_NOW
)
ELSEWHERE = {
    "nothing": (None, None),
    "half of a reduction": (None, ENDED),
    "parked": (Parked(approved=APPROVED, since=3, due_ms=T0), None),
    "under way": (INTENT, None),
    "to be tried again": (INTENT, TRYING),
    "tried again": (INTENT.model_copy(update={"attempt": 2}), TRYING),
    "not begun, ended": (Parked(approved=APPROVED, since=3, due_ms=T0), ENDED),
    "ended": (INTENT, ENDED),
    "retry under way": (INTENT.model_copy(update={"attempt": 2}), IN_DOUBT),
    "finished": (None, Finished.of(TYPE, T0, Effect.DONE, approval=APPROVAL, words=[])),
    "other half of a reduction": (INTENT, Finished.of(TYPE, T0, Effect.DONE, approval=APPROVAL, words=[])),
}
# In the contract's order. `not-in-doubt` is no change of the resolution: the offset is that of the doubt itself.
WRONG = {
    DeadReason.NOT_IN_DOUBT: {},
    DeadReason.WRONG_ORG: {"org_id": 1},
    DeadReason.WRONG_TYPE: {"request_type": "earn-badge"},
    DeadReason.MAKER_IS_CHECKER: {"person_id": MAKER},
    DeadReason.OUT_OF_SCOPE: {"entities": ("7",)},
    DeadReason.DIGEST_MISMATCH: {"digest": "0" * 64},
}


@pytest.mark.parametrize("wrong", list(itertools.product([False, True], repeat=len(WRONG))))
def test_the_first_rule_that_is_broken_is_the_reason(wrong):
    """Every combination of what can be wrong: the contract's order decides, and what is right in all counts."""
    broken = [reason for reason, is_wrong in zip(WRONG, wrong, strict=True) if is_wrong]
    changes = {key: value for reason in broken for key, value in WRONG[reason].items()}
    offset = SINCE if DeadReason.NOT_IN_DOUBT in broken else NOW

    reason = objection_to(INTENT, IN_DOUBT, offset, an_operators_resolution(**changes))

    assert reason == (broken[0] if broken else None)


@pytest.mark.parametrize("where", ELSEWHERE)
def test_only_a_doubt_can_be_resolved(where):
    """Whatever else is remembered: nothing, a call under way or to be repeated, an ending."""
    assert objection_to(*ELSEWHERE[where], NOW, GOOD) is DeadReason.NOT_IN_DOUBT


def test_what_was_published_before_the_doubt_does_not_count():
    """Whatever its offset: a crash of intake may hand it over once more, behind the doubt."""
    early = an_operators_resolution(after_ms=DOUBT.since_ms - T0 - 1)

    assert objection_to(INTENT, IN_DOUBT, NOW, early) is DeadReason.NOT_IN_DOUBT
    assert objection_to(INTENT, IN_DOUBT, NOW, an_operators_resolution(after_ms=DOUBT.since_ms - T0)) is None


@pytest.mark.parametrize(("offset", "counts"), [(SINCE - 1, False), (SINCE, False), (SINCE + 1, True)])
def test_what_was_said_before_the_doubt_does_not_count(offset, counts):
    """Also where it is folded again after a crash, when the doubt is remembered already."""
    assert (objection_to(INTENT, IN_DOUBT, offset, GOOD) is None) is counts


@pytest.mark.parametrize(("offset", "counts"), [(7, False), (8, True)])
def test_the_latest_doubt_counts(offset, counts):
    """What was said between two doubts, and had no effect then, has none later."""
    doubts = (DOUBT, DOUBT.model_copy(update={"attempt": 2, "since": 7}))
    came_to = Result(
        request_type=TYPE,
        approval=APPROVAL,
        tried=Tried(attempt=2, tries=2, is_ambiguous=True),
        doubts=doubts,
    )
    begun = INTENT.model_copy(update={"attempt": 2})

    assert (objection_to(begun, came_to, offset, GOOD) is None) is counts


@pytest.mark.parametrize("claimed", [None, "GOODWILL_POINTS", "goodwill-points", "Goodwill-Points", "goodwill_points"])
def test_the_type_may_be_claimed_in_each_spelling(claimed):
    """Or not at all."""
    assert objection_to(INTENT, IN_DOUBT, NOW, an_operators_resolution(request_type=claimed)) is None


@pytest.mark.parametrize("claimed", ["", "earn-badge", "no such type"])
def test_another_type_is_wrong(claimed):
    """Also one that does not exist."""
    said = an_operators_resolution(request_type=claimed)

    assert objection_to(INTENT, IN_DOUBT, NOW, said) is DeadReason.WRONG_TYPE


@pytest.mark.parametrize("entities", [None, *((each,) for each in ENTITY.values()), ("7", ENTITY["tillId"])])
def test_one_entity_in_common_is_scope(entities):
    """A till, store, zone or concept; a token without entities is not limited."""
    assert objection_to(INTENT, IN_DOUBT, NOW, an_operators_resolution(entities=entities)) is None


def test_a_token_without_any_entity_is_out_of_scope():
    """An empty list is a limit, too."""
    said = an_operators_resolution(entities=())

    assert objection_to(INTENT, IN_DOUBT, NOW, said) is DeadReason.OUT_OF_SCOPE


def test_the_digest_that_was_approved_may_be_named():
    """It is compared where it is there."""
    said = an_operators_resolution(digest=APPROVED.pending.plan.digest)

    assert objection_to(INTENT, IN_DOUBT, NOW, said) is None


def test_a_checker_may_resolve():
    """Four eyes are about the maker alone."""
    said = an_operators_resolution(person_id=APPROVED.decided.checker_id)

    assert objection_to(INTENT, IN_DOUBT, NOW, said) is None


@pytest.mark.parametrize("decision", ["succeeded", "failed", "retry"])
def test_what_is_remembered_of_a_resolution(decision):
    """Who said what and why, and the record that it goes back to."""
    said = an_operators_resolution(decision)

    assert word_of(said) == Word(
        origin=said.origin,
        person_id=OPERATOR,
        api_request_id="d" * 32,
        decision=decision,
        comment="looked it up",
    )


SAID = word_of(GOOD)
KNOWN = {
    "retry under way": (INTENT.model_copy(update={"attempt": 2, "word": SAID}), IN_DOUBT),
    "came to a doubt": (INTENT, IN_DOUBT.model_copy(update={"doubts": (DOUBT.model_copy(update={"word": SAID}),)})),
    "came to an end": (INTENT, ENDED.model_copy(update={"end": ENDED.end.model_copy(update={"word": SAID})})),
    "finished": (None, Finished.of(TYPE, T0, Effect.DONE, approval=APPROVAL, words=[SAID.origin])),
}


@pytest.mark.parametrize("where", KNOWN)
def test_the_same_record_is_known(where):
    """For as long as anything is remembered; another record with the same content is not."""
    assert is_known(*KNOWN[where], GOOD)
    assert not is_known(*KNOWN[where], an_operators_resolution(offset=61))


@pytest.mark.parametrize("where", ELSEWHERE)
def test_what_did_not_count_is_not_known(where):
    """Nor what nobody said."""
    assert not is_known(*ELSEWHERE[where], GOOD)


@given(st.integers(0, 20), st.sampled_from(sorted(ELSEWHERE)))
def test_objections_are_total(offset, where):
    """Whatever is remembered, at whatever offset: a reason or none, and no exception."""
    assert objection_to(*ELSEWHERE[where], offset, GOOD) in DeadReason
