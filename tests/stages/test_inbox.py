"""How the stages behind intake read: what the stages did not write themselves is buried, and never folded."""

from __future__ import annotations

import pytest
from builders import REQUEST_ID, a_pending, a_refused, a_verdict, an_approved, an_ended
from hypothesis import given
from hypothesis import strategies as st
from wiring import PARTITION, a_due, a_validation, an_approval, an_execution, folded, letters, nothing, sign, signed

from pipeline.domain.messages import APPROVAL_INBOX, EXECUTION_INBOX, REQUESTS_RECEIVED, Due
from pipeline.stages import Unusable
from pipeline.stages.inbox import SIGNATURE, origin_of

STAGES = {REQUESTS_RECEIVED: a_validation(), APPROVAL_INBOX: an_approval(), EXECUTION_INBOX: an_execution()}
GOOD = signed(a_pending(), offset=7)


def reason_of(arrival):
    """Why it was buried; nothing but a dead letter comes of it."""
    step = folded(STAGES[arrival.topic], arrival)
    [letter] = letters(step)
    assert (letter.source, step.note.reason) == (origin_of(arrival), letter.reason)
    assert (len(step.events), step.memory, step.handovers, step.afterwards, step.call) == (1, (), (), (), None)
    return str(letter.reason), letter


def test_signed_messages_are_read():
    """As they were written."""
    for message in (a_pending(), a_refused(), a_verdict(), an_approved()):
        assert STAGES[message.topic].read(signed(message)) == message


@pytest.mark.parametrize("topic", STAGES)
def test_no_value(topic):
    """A tombstone in an inbox is nobody's message."""
    assert reason_of(GOOD._replace(topic=topic, value=None))[0] == "no-value"


SIGNATURES = {
    "none": (),
    "twice": GOOD.headers * 2,
    "empty": ((SIGNATURE, b""),),
    "null": ((SIGNATURE, None),),
    "other": ((SIGNATURE, b"x" * 32),),
    "of another value": ((SIGNATURE, sign(GOOD.topic, GOOD.key or b"", b"{}")),),
    "of another key": ((SIGNATURE, sign(GOOD.topic, b"other", GOOD.value or b"")),),
    "of another topic": ((SIGNATURE, sign(EXECUTION_INBOX, GOOD.key or b"", GOOD.value or b"")),),
    "in another case": ((SIGNATURE.upper(), GOOD.headers[0][1]),),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_forgeries_are_buried(name):
    """Without exactly one signature of ours over topic, key and value, a record is not used."""
    reason, letter = reason_of(GOOD._replace(headers=SIGNATURES[name]))

    assert reason == "bad-header"
    assert letter.request_id is None
    assert SIGNATURE in letter.detail


def test_a_good_record_under_another_key_is_a_forgery():
    """It would meet another request's memory."""
    assert reason_of(GOOD._replace(key=b"other"))[0] == "bad-header"
    assert reason_of(GOOD._replace(key=None))[0] == "bad-header"


@pytest.mark.parametrize("arrival", [GOOD, signed(an_approved()), signed(a_verdict()), a_due(an_execution(), 5)])
def test_a_good_record_in_another_partition_is_buried(arrival):
    """Whatever we wrote counts in the partition of its key alone.

    The story: a signed `Approved`, copied into another partition of the execution inbox, met a worker and a memory that
    knew nothing of the request: Intouch was called a second time.
    """
    reason, letter = reason_of(arrival._replace(partition=PARTITION + 1))

    assert (reason, "partition" in letter.detail) == ("bad-header", True)
    STAGES[arrival.topic].read(arrival)  # where it lay, it is good


@pytest.mark.parametrize("topic", STAGES)
@given(value=st.binary(max_size=60) | st.sampled_from([b"{}", b"[]", b'{"kind":"pending"}', b"\n\n\n\n"]))
def test_signed_garbage_is_buried(topic, value):
    """A record of another version costs a dead letter, not the partition."""
    arrival = GOOD._replace(topic=topic, value=value, headers=((SIGNATURE, sign(topic, GOOD.key or b"", value)),))

    assert reason_of(arrival)[0] == "not-an-object"


def test_a_large_forgery_is_hashed_not_sealed():
    """Its dead letter must fit."""
    reason, letter = reason_of(GOOD._replace(value=b"x" * 1_000_001, headers=()))

    assert (reason, letter.sealed) == ("bad-header", None)
    assert len(letter.sha256) == 64


def test_unusable_is_raised_by_reading_alone():
    """The fold never sees such a record."""
    with pytest.raises(Unusable) as caught:
        STAGES[GOOD.topic].read(GOOD._replace(headers=()))

    assert caught.value.step.note.reason == "bad-header"
    assert len(nothing(STAGES[GOOD.topic])) == 1


DUES = {topic: a_due(stage, 5) for topic, stage in STAGES.items() if topic != REQUESTS_RECEIVED}


@pytest.mark.parametrize("topic", DUES)
def test_a_due_needs_no_signature(topic):
    """It can cause nothing that time alone would not; one with a signature of ours is read like any message."""
    due = DUES[topic]
    ours = ((SIGNATURE, sign(topic, due.key or b"", due.value or b"")),)

    assert STAGES[topic].read(due) == STAGES[topic].read(due._replace(headers=ours)) == Due(request_id=REQUEST_ID)
    assert reason_of(due._replace(headers=((SIGNATURE, b"x" * 32),)))[0] == "bad-header"


@pytest.mark.parametrize("topic", DUES)
@pytest.mark.parametrize("key", [b"other", b"", None])
def test_a_due_under_another_key_is_a_forgery(topic, key):
    """It would meet another request's memory."""
    assert reason_of(DUES[topic]._replace(key=key))[0] == "bad-header"


@pytest.mark.parametrize("message", [a_pending(), a_refused(), a_verdict(), an_approved(), an_ended()])
def test_nothing_else_goes_unsigned(message):
    """A Due is the one exception: whatever else we could have written ourselves must show that we did."""
    assert reason_of(signed(message)._replace(headers=()))[0] == "bad-header"


def test_validation_knows_no_time():
    """It remembers nothing, so nothing can be due there."""
    due = a_due(STAGES[REQUESTS_RECEIVED], 5)

    assert reason_of(due)[0] == "bad-header"
