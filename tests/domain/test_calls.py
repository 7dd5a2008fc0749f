"""What execution remembers of a call: read back as it was, with the very bytes of the request, or refused."""

from __future__ import annotations

import pytest
from builders import HOST, T0, a_pending, a_submission, an_approved, an_operators_resolution, an_origin
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.calls import Doubt, End, Intent, Parked, Result, Trying, read_begun, read_result
from pipeline.domain.outcomes import Effect, Ending
from pipeline.domain.remnants import Finished
from pipeline.domain.request_types import RequestType
from pipeline.domain.resolutions import word_of
from pipeline.domain.tries import Tried
from pipeline.domain.wishes import take_apart

TRICKY = take_apart(a_submission(body={"a": [1.0, 10**30, "\n\u2028\\", None, ""], "é": {}})).texts
APPROVED = an_approved()
WORD = word_of(an_operators_resolution("retry"))
NUMBERS = st.integers(0, 10**13 - 1)  # the digits of a mark
MAYBE = st.none() | NUMBERS
WORDS = st.sampled_from([None, WORD, word_of(an_operators_resolution("failed", offset=61))])
TRIED = st.builds(Tried, attempt=NUMBERS, tries=NUMBERS, first_ms=MAYBE, is_ambiguous=st.booleans())
TYPES, ENDINGS = st.sampled_from(RequestType), st.sampled_from(Ending)
STATUSES = st.none() | st.integers(100, 599)
DOUBTS = st.builds(
    Doubt, attempt=NUMBERS, since=NUMBERS, at_ms=NUMBERS, ending=ENDINGS, http_status=STATUSES, word=WORDS
)
ENDS = st.builds(
    End,
    attempt=NUMBERS,
    at_ms=NUMBERS,
    effect=st.sampled_from([Effect.DONE, Effect.REFUSED]),
    reason=st.none() | st.text(),
    http_status=STATUSES,
    word=WORDS,
)
BEGUN = st.builds(Parked, approved=st.just(APPROVED), due_ms=NUMBERS) | st.builds(
    Intent, approved=st.just(APPROVED), attempt=NUMBERS, asked=NUMBERS, begun_ms=NUMBERS, word=WORDS
)
CAME_TO = (
    st.builds(
        Trying,
        request_type=TYPES,
        host=st.text(st.characters(blacklist_characters="\n", codec="utf-8")),
        approved_ms=NUMBERS,
        tried=TRIED,
        due_ms=NUMBERS,
        held_ms=MAYBE,
        ending=ENDINGS,
        http_status=STATUSES,
    )
    | st.builds(Result, request_type=TYPES, tried=TRIED, doubts=st.lists(DOUBTS, max_size=3).map(tuple), end=ENDS)
    | st.builds(Result, request_type=TYPES, tried=TRIED, doubts=st.lists(DOUBTS, min_size=1, max_size=3).map(tuple))
)


@given(BEGUN)
def test_what_was_begun_is_read(begun):
    """Every field comes back, and the whole Approved with the very bytes of its texts."""
    tricky = begun.carrying(TRICKY)

    again = read_begun(tricky.value())

    assert again == tricky
    assert again.approved.pending.texts == again.carried() == TRICKY
    assert again.value() == tricky.value()


@given(CAME_TO)
def test_what_came_of_it_is_read(came_to):
    """Every field comes back."""
    again = read_result(came_to.value())

    assert again == came_to
    assert again.value() == came_to.value()


def test_what_is_finished_is_read_as_such():
    """The short line that is left in the place of a result."""
    finished = Finished.of(RequestType.EARN_BADGE, T0, Effect.DONE, approval=an_origin(), words=[an_origin()])

    assert read_result(finished.value()) == finished


def test_nothing_is_remembered_as_nothing():
    """None stays None."""
    assert (read_begun(None), read_result(None)) == (None, None)


@pytest.mark.parametrize("request_type", RequestType)
def test_what_is_begun_knows_its_type_and_origin(request_type):
    """Whoever counts or holds it asks nothing else."""
    parked = Parked(approved=an_approved(a_pending(request_type)), since=3, due_ms=5)

    assert (parked.request_type, parked.host, parked.attempt) == (request_type, HOST, 0)


def test_a_result_knows_the_resolutions_that_counted():
    """Those of its doubts in their order, then the one that ended it."""
    first, second = (word_of(an_operators_resolution("retry", offset=offset)) for offset in (60, 61))
    doubts = [Doubt(attempt=1, since=1, since_ms=1, at_ms=1, ending=Ending.LOST, word=word) for word in (None, first)]
    end = End(attempt=2, at_ms=2, effect=Effect.DONE, word=second)
    result = Result(
        request_type=RequestType.EARN_BADGE, approval=an_origin(), tried=Tried(attempt=2), doubts=tuple(doubts), end=end
    )

    assert result.words == (first, second)
    assert result.model_copy(update={"end": None}).words == (first,)
    assert result.tried.attempt == 2
    assert Result(request_type=RequestType.EARN_BADGE, approval=an_origin(), tried=Tried()).words == ()


PARKED = Parked(approved=APPROVED, since=3, due_ms=5).value()
HEAD, _, REST = PARKED.partition(b"\n")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        HEAD,
        HEAD + b"\n{}",
        HEAD + b"\n" + REST.partition(b"\n")[0],
        REST,
        PARKED + b"\n",
        PARKED.replace(b'"parked"', b'"other"'),
        PARKED.replace(b'"due_ms":5', b'"due_ms":"x"'),
        PARKED.replace(b'"due_ms":5', b'"due_ms":5,"more":1'),
        PARKED[:90] + b"\xff" + PARKED[90:],
    ],
)
def test_other_bytes_are_refused(value):
    """By one kind of error only; what was begun is no result."""
    for read in (read_begun, read_result):
        with pytest.raises(ValueError, match=r"."):
            read(value)
    with pytest.raises(ValueError, match=r"."):
        read_result(PARKED)
