"""Our own records: decode(encode(x)) is x for each class, bodies travel byte for byte, anything else is refused."""

from __future__ import annotations

import pytest
from builders import (
    a_pending,
    a_refused,
    a_request,
    a_submission,
    a_verdict,
    an_approved,
    an_ended,
    an_operators_resolution,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.domain.desk import Declined, Waiting, read_entry
from pipeline.domain.messages import (
    APPROVAL_INBOX,
    EXECUTION_INBOX,
    REQUESTS_RECEIVED,
    Message,
    Received,
    read_message,
)
from pipeline.domain.reasons import ErrorCode
from pipeline.domain.requests import Fault, Texts, Wish
from pipeline.domain.wishes import take_apart

TRICKY = take_apart(a_submission(body={"a": [1.0, 10**30, "\n\u2028\\", None, ""], "é": {}})).texts
RECEIVED = Received(
    request=a_request(is_keyed=True),
    texts=TRICKY,
    wish=Wish(host="https://x", headers=(("A", "b"), ("a-b", "")), sealed_headers="s"),
    faults=(Fault(code=ErrorCode.BAD_BODY, field="f", message="m"),),
    original="o",
)
PLAIN = a_pending().model_copy(update={"plan": a_pending().plan.model_copy(update={"sealed_headers": None})})
MESSAGES = [
    RECEIVED,
    PLAIN,
    an_approved(PLAIN),
    a_pending(original="sealed"),
    a_pending().carrying(TRICKY),
    a_refused(original="sealed"),
    a_verdict("rejected", digest="d" * 64, entities=("1", "2"), request_type="goodwill-points"),
    a_verdict(entities=()),
    an_approved(),
    an_approved().carrying(TRICKY),
    an_approved(checker_id=None, comment=None),
    an_ended(),
    an_operators_resolution("retry", digest="d" * 64, entities=("1",), request_type="goodwill-points"),
    an_operators_resolution("failed", entities=()),
]
DESK = Waiting(pending=a_pending(), placed=5, since_ms=1, expires_ms=2)
DECIDED = an_approved().decided
ENTRIES = [
    DESK,
    DESK.carrying(TRICKY),
    DESK.ruled("approved", DECIDED),
    DESK.ruled("expired", None).carrying(TRICKY),
    DESK.ruled("approved", DECIDED).reduced(7),
    DESK.ruled("rejected", DECIDED).reduced(7),
    DESK.ruled("expired", None).reduced(7),
    Declined(refused=a_refused()),
    Declined(refused=a_refused()).carrying(TRICKY),
    Declined(refused=a_refused()).reduced(7),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_what_is_written_is_read(message):
    """Every message comes back as it was, and would be written the same way again."""
    again = read_message(message.topic, message.value())

    assert again == message
    assert again.carried() == message.carried()
    assert again.value() == message.value()


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_messages_are_keyed_by_their_request(message):
    """All that concerns a request meets in one partition; the runner adds the only header."""
    assert message.key.decode() == message.about
    assert message.about in message.value().decode()
    assert message.headers() == ()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_what_the_desk_remembers_is_read(entry):
    """Every entry of the desk comes back as it was."""
    again = read_entry(entry.value())

    assert again == entry
    assert again.carried() == entry.carried()


def test_nothing_is_remembered_as_nothing():
    """None stays None."""
    assert read_entry(None) is None


@given(st.lists(st.text(st.characters(blacklist_characters="\n", codec="utf-8")), min_size=4, max_size=4))
def test_texts_travel_byte_for_byte(lines):
    """Whatever stands in the four texts comes out as it went in: nothing is parsed on the way."""
    texts = Texts(*lines)

    for message in (a_pending().carrying(texts), an_approved().carrying(texts), RECEIVED.carrying(texts)):
        raw = message.value()
        assert read_message(message.topic, raw).carried() == texts
        assert raw.endswith("\n".join(lines).encode())


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_wrong_number_of_lines_is_refused(message):
    """One text too many, one too few, none at all."""
    raw = message.value()
    wrong = [raw + b"\n", raw + b"\n{}", raw + b"\n" * 4]
    wrong += [raw[: raw.rindex(b"\n")], raw[: raw.index(b"\n")]] if message.carried() else []

    for value in wrong:
        with pytest.raises(ValueError, match="texts"):
            read_message(message.topic, value)


@pytest.mark.parametrize("topic", [REQUESTS_RECEIVED, APPROVAL_INBOX, EXECUTION_INBOX])
@pytest.mark.parametrize("value", [b"", b"{}", b"null", b"[]", b"\xff", b'{"kind":"other"}', b"{", b"\n\n\n\n"])
def test_other_bytes_are_refused(topic, value):
    """By one kind of error only."""
    with pytest.raises(ValueError, match=r"."):
        read_message(topic, value)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_unknown_and_missing_keys_are_refused(message):
    """What we write ourselves is read strictly; every topic reads its own kinds only."""
    head, newline, texts = message.value().partition(b"\n")

    with pytest.raises(ValidationError):
        read_message(message.topic, head[:-1] + b',"more":1}' + newline + texts)
    with pytest.raises(ValueError, match=r"."):
        read_message(message.topic, head.replace(b'"request_id"', b'"other"') + newline + texts)
    for topic in {REQUESTS_RECEIVED, APPROVAL_INBOX, EXECUTION_INBOX} - {message.topic}:
        with pytest.raises(ValidationError):
            read_message(topic, message.value())


def test_messages_cannot_be_changed():
    """A message is a fact."""
    with pytest.raises(ValidationError):
        an_ended().at_ms = 5


def test_a_message_says_what_it_is_about():
    """A class without a requestId cannot be made: it would have no partition."""
    with pytest.raises(TypeError):
        Message()
