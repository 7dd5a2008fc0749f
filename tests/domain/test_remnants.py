"""What is left of the ended: short, complete for what is asked of it later, and read back as it was."""

from __future__ import annotations

import pytest
from builders import T0, an_origin
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.calls import read_result
from pipeline.domain.desk import read_entry
from pipeline.domain.ids import Origin
from pipeline.domain.messages import DECISIONS_SUBMITTED, REQUESTS_SUBMITTED
from pipeline.domain.outcomes import Effect
from pipeline.domain.remnants import Finished, Settled, shortened
from pipeline.domain.request_types import RequestType

NUMBERS, TIMES = st.integers(0, 2**63), st.integers(0, 10**13 - 1)
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)


def origins(topic: str) -> st.SearchStrategy[Origin]:
    return st.builds(Origin, st.just(topic), NUMBERS, NUMBERS, TIMES)


@st.composite
def settled(draw) -> Settled:
    """Decided by nobody, by its own submission (as an auto-approved one is), or by a decision."""
    first = draw(origins(REQUESTS_SUBMITTED))
    return Settled(
        org_id=draw(NUMBERS),
        request_type=draw(st.sampled_from(RequestType)),
        first=first,
        digest=draw(st.none() | DIGESTS.map(shortened)),
        ruling=draw(st.sampled_from(["approved", "rejected", "expired", "refused"])),
        decided_by=draw(st.sampled_from([None, first]) | origins(DECISIONS_SUBMITTED)),
        ended_ms=draw(st.none() | TIMES),
    )


@given(settled())
def test_what_is_settled_is_read(entry):
    """Every field comes back, although times, topics and names are not written."""
    assert read_entry(entry.value()) == entry


@given(
    st.sampled_from(RequestType),
    TIMES,
    st.sampled_from(Effect),
    st.lists(origins(DECISIONS_SUBMITTED), max_size=3),
    origins(DECISIONS_SUBMITTED),
    origins(REQUESTS_SUBMITTED) | origins(DECISIONS_SUBMITTED),
)
def test_what_is_finished_is_read(request_type, at_ms, effect, counted, other, approval):
    """Every field comes back; approval and resolutions that counted are still known by their places."""
    entry = Finished.of(request_type, at_ms, effect, approval=approval, words=counted)

    again = read_result(entry.value())

    assert again == entry
    assert (again.request_type, again.at_ms, again.effect) == (request_type, at_ms, effect)
    assert all(again.was_told_by(origin) for origin in counted)
    assert again.was_told_by(other) is (other[1:3] in [origin[1:3] for origin in counted])
    assert again.is_of(approval)
    assert again.is_of(other) is (other[:3] == approval[:3])


WORD = Origin(DECISIONS_SUBMITTED, 3, 17, T0)


def test_places_of_resolutions_are_not_mixed_up():
    """A place is told by partition and offset, both of them whole."""
    entry = Finished.of(RequestType.EARN_BADGE, T0, Effect.DONE, approval=an_origin(), words=[WORD])
    others = [(3, 1), (3, 7), (3, 177), (33, 17), (17, 3), (1, 17)]

    assert entry.was_told_by(Origin(DECISIONS_SUBMITTED, 3, 17, T0 + 1))
    assert not any(entry.was_told_by(Origin(DECISIONS_SUBMITTED, *place, T0)) for place in others)


@given(DIGESTS, DIGESTS)
def test_a_shortened_digest_tells_payloads_apart(one, other):
    """128 bits of it stay, in 22 characters, and they are the first."""
    entry = Settled(
        org_id=1, request_type=RequestType.EARN_BADGE, first=an_origin(), digest=shortened(one), ruling="refused"
    )

    assert entry.has_digest(one)
    assert entry.has_digest(other) is (one[:32] == other[:32])
    assert len(shortened(one)) == 22


def test_without_a_digest_nothing_is_the_same():
    """What was refused before its payload could be read is the same as nothing."""
    entry = Settled(org_id=1, request_type=RequestType.EARN_BADGE, first=an_origin(), ruling="refused")

    assert not entry.has_digest("0" * 64)


def test_the_ended_are_small():
    """Even with the numbers of a large deployment, an entry leaves room for its key and its slot within 300 B."""
    first = Origin(REQUESTS_SUBMITTED, 127, 10**11, T0)
    decided = Origin(DECISIONS_SUBMITTED, 127, 10**11, T0 + 10**9)
    entry = Settled(
        org_id=10**8,
        request_type=RequestType.GOODWILL_POINTS,
        first=first,
        digest=shortened("a" * 64),
        ruling="approved",
        decided_by=decided,
        ended_ms=T0 + 2 * 10**9,
    )

    assert len(entry.value()) <= 125
    for words, most in (([], 45), ([decided], 65)):
        finished = Finished.of(RequestType.GOODWILL_POINTS, T0, Effect.REFUSED, approval=decided, words=words)
        assert len(finished.value()) <= most


MARK = b"S21706883171068\n"
LINE = b'["approved",1,2,3,4,null,[1,2,3]]'


@pytest.mark.parametrize(
    "value",
    [
        MARK,
        MARK + b"{}",
        MARK + LINE[:-1] + b",5]",
        MARK + b'["approved",1,2,3,4,null]',
        MARK + LINE.replace(b"approved", b"other"),
        MARK + LINE.replace(b"[1,2,3]", b"1"),
        MARK + LINE.replace(b",2,", b',"2",', 1),
        LINE,
        b"F21706883171068\nelse",
        b"F21706883171068\n\xff",
        b"F21706883171068done",
        b"",
    ],
)
def test_other_bytes_are_refused(value):
    """By one kind of error only."""
    assert read_entry(MARK + LINE).decided_by.offset == 2
    for read in (read_entry, read_result):
        with pytest.raises(ValueError, match=r"."):
            read(value)
