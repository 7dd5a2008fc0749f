"""What makers and checkers publish by hand is what intake reads: texts untouched, headers complete, ids foreseen."""

from __future__ import annotations

import json

import pytest
from builders import CHECKER, MAKER, ORG, REQUEST_ID, a_submission, an_origin, without

from pipeline.client.kafka import ClientError
from pipeline.client.speaking import Speaker, decision, request_id_of, submission
from pipeline.domain import ids
from pipeline.domain.decisions import read_decision
from pipeline.domain.transport import read_transport

TOKEN = "obviously-fake-token"
SPEAKER = Speaker(ORG, TOKEN, "ab" * 16)
BODY = json.dumps(without(a_submission(), "requestType")).encode()


def test_type_goes_in_front_and_the_text_stays():
    """Numbers keep their spelling: the missing requestType is put before the first key, and nothing else changes."""
    outgoing = submission(b' {"points": 20.10, "big": 1e2}', SPEAKER, request_type="goodwill-points")

    assert outgoing.value == b'{"requestType":"GOODWILL_POINTS","points": 20.10, "big": 1e2}'


def test_type_in_the_body_is_left_alone():
    """A body that says its type is published byte for byte."""
    text = b'{ "requestType" : "earn-badge" }'

    assert submission(text, SPEAKER, request_type=None).value == text


def test_empty_body_stays_json():
    """Even an empty object becomes an object with one key."""
    outgoing = submission(b"{}", SPEAKER, request_type="EARN_BADGE")

    assert json.loads(outgoing.value) == {"requestType": "EARN_BADGE"}


@pytest.mark.parametrize(
    ("text", "request_type", "word"),
    [
        (b"{", "earn-badge", "JSON"),
        (b'{"a": 1, "a": 2}', "earn-badge", "twice"),
        (b"\xff", "earn-badge", "JSON"),
        (b"[]", "earn-badge", "object"),
        (b"{}", None, "--type"),
        (b"{}", "cooking", "--type"),
        (b'{"requestType": "earn-badge"}', "issue-badge", "requestType"),
        (b'{"requestType": null}', "issue-badge", "requestType"),
        (b'{"a": "' + b"x" * 1_000_001 + b'"}', "earn-badge", "1000000 bytes"),
    ],
    ids=["cut", "twice", "not utf-8", "list", "no type", "no such type", "two types", "null as a type", "too large"],
)
def test_what_intake_would_bury_is_not_published(text, request_type, word):
    """What could only become a dead letter is refused before it is published, with the reason."""
    with pytest.raises(ClientError, match=word):
        submission(text, SPEAKER, request_type=request_type)


def test_headers_are_those_that_intake_reads():
    """Org, token, apiRequestId and idempotency key arrive as they were given."""
    outgoing = submission(BODY, SPEAKER, request_type="goodwill-points", key="a-key")

    transport = read_transport(outgoing.headers, is_decision=False)
    assert not isinstance(transport, str)
    assert (transport.org_id, transport.token, transport.api_request_id) == (ORG, TOKEN.encode(), "ab" * 16)
    assert transport.key == b"a-key"


@pytest.mark.parametrize("word", ["approved", "rejected"])
def test_decision_is_one_that_intake_reads(word):
    """A decision says the documented words, and carries the digest of what was seen."""
    outgoing = decision(REQUEST_ID, word, SPEAKER, message="looked at it", digest="0" * 64)

    spoken = read_decision(json.loads(outgoing.value))
    transport = read_transport(outgoing.headers, is_decision=True)
    assert not isinstance(spoken, str)
    assert not isinstance(transport, str)
    assert (spoken.request_id, spoken.decision, spoken.message) == (REQUEST_ID, word, "looked at it")
    assert transport.digest == "0" * 64


def test_decision_without_a_reason_is_refused():
    """Observers read why, so a blank message is not published."""
    with pytest.raises(ClientError, match="blank"):
        decision(REQUEST_ID, "approved", SPEAKER, message="  ")


def test_request_id_is_foreseen():
    """The id is told as soon as the submission is published: from its place, or from maker and key."""
    origin = an_origin()

    assert request_id_of(origin, org_id=ORG, maker_id=None, key=None) == ids.request_id(origin)
    assert request_id_of(origin, org_id=ORG, maker_id=MAKER, key="k") == ids.keyed_request_id(
        org_id=ORG, maker_id=MAKER, key=b"k"
    )


def test_request_id_of_an_unknown_maker_is_not_guessed():
    """With a key the id depends on the maker: a token of which only the text is known gives none."""
    assert request_id_of(an_origin(), org_id=ORG, maker_id=None, key="k") is None


def test_token_stands_in_no_repr():
    """Whatever is printed by accident holds no token."""
    outgoing = submission(BODY, SPEAKER, request_type="goodwill-points")

    assert TOKEN not in repr(SPEAKER) + repr(outgoing)
    assert str(CHECKER) not in repr(SPEAKER)
