"""How intake takes a submission apart: the texts that are told and sent, what must be sealed, all faults of shape."""

from __future__ import annotations

import json

import pytest
from builders import BODIES, CALL, ENTITY, HEADERS, HOST, PASSWORD, a_submission, changed, without

from pipeline.domain.request_types import ROWS, RequestType
from pipeline.domain.requests import FAULTS_MAX, Texts, Wish
from pipeline.domain.wishes import (
    HEADERS_BYTES_MAX,
    TEXT_MAX,
    TEXTS_BYTES_MAX,
    TEXTS_ESCAPES_MAX,
    TEXTS_VALUES_MAX,
    take_apart,
)

GOOD = a_submission()


def faults(submission):
    return [(str(fault.code), fault.field) for fault in take_apart(submission).faults]


def test_good_submission():
    """Everything is taken, nothing is wrong, and the credential stands apart."""
    taken = take_apart(GOOD)

    assert taken.faults == ()
    assert taken.wish == Wish(
        host=HOST, path="/internal/goodwill/", method="POST", headers=(("content-type", "application/json"),)
    )
    assert taken.credentials == (("Authorization", PASSWORD),)
    assert taken.texts == Texts(
        json.dumps(ENTITY, separators=(",", ":")),
        "{}",
        "{}",
        json.dumps(BODIES[RequestType.GOODWILL_POINTS], separators=(",", ":")),
    )


@pytest.mark.parametrize(
    "submission", [{}, {"payload": None}, {"payload": []}, {"payload": {}}, changed(GOOD, CALL, [])]
)
def test_without_a_call_nothing_is_taken_but_the_entity(submission):
    """One fault says what there must be."""
    taken = take_apart(submission | {"entityInfo": ENTITY})

    assert [(fault.code, fault.field) for fault in taken.faults] == [
        ("missing-field", "payload.IntouchAPITask-Payload")
    ]
    assert (taken.wish, taken.credentials) == (Wish(), ())
    assert taken.texts == Texts(entity=json.dumps(ENTITY, separators=(",", ":")))


@pytest.mark.parametrize("part", ["pathParams", "queryParams", "headers"])
def test_parts_that_may_be_missing(part):
    """pathParams, queryParams and headers may lack or be null."""
    assert faults(without(GOOD, f"{CALL}.{part}")) == []
    assert faults(changed(GOOD, f"{CALL}.{part}", None)) == []


@pytest.mark.parametrize("part", ["hostname", "path", "method", "body"])
def test_parts_that_must_be_there(part):
    """Null is missing, too."""
    assert faults(without(GOOD, f"{CALL}.{part}")) == [("missing-field", part)]
    assert faults(changed(GOOD, f"{CALL}.{part}", None)) == [("missing-field", part)]


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("hostname", "bad-host"),
        ("path", "bad-path"),
        ("method", "bad-method"),
        ("pathParams", "bad-path"),
        ("queryParams", "bad-query"),
        ("headers", "bad-header"),
    ],
)
@pytest.mark.parametrize("value", [5, True, [1], "x" * (TEXT_MAX + 1)], ids=["5", "true", "list", "long"])
def test_parts_of_a_wrong_kind(part, code, value):
    """Each has its own code."""
    assert faults(changed(GOOD, f"{CALL}.{part}", value)) == [(code, part)]


def test_texts_of_wrong_parts_are_kept():
    """What is told shows what came, also where it is wrong."""
    taken = take_apart(changed(GOOD, f"{CALL}.queryParams", [20.0]))

    assert taken.texts.query == "[20.0]"


@pytest.mark.parametrize("host", ["", "eu.example.com", "https://u:p@eu.example.com", "https://eu.example.com/path"])
def test_bad_hosts(host):
    """No canonical form, no host; the sentence repeats none of it."""
    taken = take_apart(changed(GOOD, f"{CALL}.hostname", host))

    assert [fault.code for fault in taken.faults] == ["bad-host"]
    assert taken.wish.host is None
    assert not host or host not in taken.faults[0].message


def test_host_artefacts_are_stripped():
    """The angle brackets of the documents, and one slash."""
    assert take_apart(changed(GOOD, f"{CALL}.hostname", f"<{HOST.upper()}/>")).wish.host == HOST


def test_all_faults_are_found():
    """One look finds them all, in the order of the parts."""
    wrong = a_submission(hostname=1, path=2, method=3, pathParams=4, queryParams=5, body=None, headers=6)

    assert faults(wrong) == [
        ("bad-host", "hostname"),
        ("bad-path", "path"),
        ("bad-method", "method"),
        ("bad-path", "pathParams"),
        ("bad-query", "queryParams"),
        ("missing-field", "body"),
        ("bad-header", "headers"),
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {"x": 5},
        {"x": None},
        {"bad name": "x"},
        {"x": "a\r\nb"},
        {"a": "1", "A": "2"},
        {"content-type": "text/plain"},
        {"x": "y" * HEADERS_BYTES_MAX},
        {"Connection": "a\0b"},
    ],
    ids=str,
)
def test_where_a_header_is_wrong_none_is_taken(headers):
    """No half of them is sealed or sent, and no value is repeated."""
    taken = take_apart(changed(GOOD, HEADERS, {"Authorization": PASSWORD} | headers))

    assert [(fault.code, fault.field) for fault in taken.faults] == [("bad-header", "headers")]
    assert (taken.wish.headers, taken.credentials) == ((), ())
    assert PASSWORD not in taken.faults[0].message


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ({"X-CAP-API-AUTH-ORG-ID": "1"}, "1"),
        ({"x-cap-api-auth-org-id": " 1\n", "X-Cap-Api-Auth-Org-Id": "2"}, "1"),
        ({"X-CAP-API-AUTH-ORG-ID": "1" * HEADERS_BYTES_MAX}, "1" * TEXT_MAX),
        ({"X-CAP-API-AUTH-ORG-ID": ""}, ""),
    ],
    ids=["one", "two", "long", "empty"],
)
@pytest.mark.parametrize("other", [{"x": 5}, {"bad name": "x"}, {"content-type": "text/plain"}], ids=str)
def test_the_org_that_wrong_headers_name_is_kept(named, kept, other):
    """So that validation can compare it; the others go nowhere."""
    taken = take_apart(changed(GOOD, HEADERS, other | named | {"Authorization": PASSWORD}))

    assert {fault.code for fault in taken.faults} == {"bad-header"}
    assert (taken.wish.headers, taken.credentials) == ((("x-cap-api-auth-org-id", kept),), ())


@pytest.mark.parametrize("headers", [[], "x", {"X-CAP-API-AUTH-ORG-ID": 1}, {"x": None}], ids=str)
def test_where_no_org_can_be_read_none_is_kept(headers):
    """A number is no text of one."""
    assert take_apart(changed(GOOD, HEADERS, headers)).wish.headers == ()


def test_credentials_are_known_by_their_name():
    """Whatever may be a secret is taken apart from what travels in clear; connection headers go nowhere."""
    secret = {"X-Api-Key": "1", "Cookie": "2", "x-auth-token": "3", "Client-Secret": "4", "X-Signature": "5"}
    plain = {"X-CAP-API-AUTH-ORG-ID": "51250", "Accept-Language": "en"}
    taken = take_apart(changed(GOOD, HEADERS, secret | plain | {"Host": "other", "Via": "x"}))

    assert taken.credentials == tuple(secret.items())
    assert taken.wish.headers == tuple(plain.items())


@pytest.mark.parametrize(("count", "left_out"), [(FAULTS_MAX, 0), (FAULTS_MAX + 1, 1), (3000, 2900)])
def test_the_number_of_header_faults_is_bound(count, left_out):
    """All faults travel in one record: a hundred are listed, and one more entry says how many are not."""
    wrong = take_apart(changed(GOOD, HEADERS, {f" {number}": "" for number in range(count)})).faults

    assert {(fault.code, fault.field) for fault in wrong} == {("bad-header", "headers")}
    assert len(wrong) == (FAULTS_MAX + 1 if left_out else count)
    assert (wrong[-1].message == f"and {left_out} more faults") == bool(left_out)


def test_unknown_parts_are_left_behind():
    """A credential in a place where none belongs travels no further than the public topic."""
    taken = take_apart(changed(GOOD, f"{CALL}.password", "canary") | {"token": "canary"})

    assert "canary" not in repr(taken)


LONG = {"list": [1e15] * (TEXTS_BYTES_MAX // 19 + 1)}


def test_numbers_that_grow_when_written_are_bound():
    """1e15 takes four bytes and is written with eighteen: a submission of good size must not outgrow our own topics."""
    taken = take_apart(a_submission(body=LONG))

    assert taken.texts == take_apart(GOOD).texts._replace(body="")
    assert [(fault.code, fault.field) for fault in taken.faults] == [("bad-body", "body")]


@pytest.mark.parametrize(
    ("submission", "code", "field"),
    [
        (a_submission(queryParams=LONG), "bad-query", "queryParams"),
        (a_submission(pathParams=LONG), "bad-path", "pathParams"),
        (a_submission() | {"entityInfo": LONG}, "bad-entity-info", "entityInfo"),
    ],
)
def test_other_parts_are_bound_too(submission, code, field):
    """The largest part is left out and blamed; the others are told as they are."""
    taken = take_apart(submission)

    assert [(fault.code, fault.field) for fault in taken.faults] == [(code, field)]
    assert "1000000000000000.0" not in "".join(taken.texts)
    assert len([text for text in taken.texts if text]) == 3


def test_several_parts_may_be_too_much():
    """Each that has to be left out is blamed."""
    taken = take_apart(a_submission(body=LONG, queryParams=LONG))

    assert {(fault.code, fault.field) for fault in taken.faults} == {("bad-body", "body"), ("bad-query", "queryParams")}
    assert (taken.texts.query, taken.texts.body) == ("", "")


@pytest.mark.parametrize(
    ("item", "most"), [(1, TEXTS_VALUES_MAX), ([], TEXTS_VALUES_MAX // 2), ("\n", TEXTS_ESCAPES_MAX)]
)
def test_values_and_escapes_are_bound(item, most):
    """So many values, an empty list counting as two, and so many escapes in all parts together; more are `bad-body`."""
    others = 20  # values of the parts beside the body

    def body(count):
        return {"text": item * count} if isinstance(item, str) else {"list": [item] * count}

    assert take_apart(a_submission(body=body(most - others))).faults == ()
    taken = take_apart(a_submission(body=body(most + 1)))
    assert [(fault.code, fault.field) for fault in taken.faults] == [("bad-body", "body")]
    assert taken.texts == take_apart(GOOD).texts._replace(body="")


def test_commas_and_brackets_in_a_text_are_no_values():
    """Only what stands outside of texts is counted."""
    assert take_apart(a_submission(body={"text": '[{",}]' * TEXTS_VALUES_MAX})).faults == ()


def test_texts_up_to_the_bound_are_kept():
    """What intake lets in fits as it is."""
    room = TEXTS_BYTES_MAX - sum(len(text.encode()) for text in take_apart(a_submission(body={"b": ""})).texts)

    fits, spills = (take_apart(a_submission(body={"b": "é" * (room // 2) + "x" * more})) for more in (room % 2, 2))

    assert fits.faults == ()
    assert sum(len(text.encode()) for text in fits.texts) == TEXTS_BYTES_MAX
    assert [fault.code for fault in spills.faults] == ["bad-body"]


@pytest.mark.parametrize("part", ["path", "method"])
def test_unknown_paths_and_methods_go_no_further(part):
    """They are refused whatever they say, and a token may stand in them; those of any type stay as they are."""
    taken = take_apart(a_submission(**{part: f"/v2/x?access_token={PASSWORD}"}))

    assert (taken.faults, getattr(taken.wish, part)) == ((), "unknown")
    for row in ROWS.values():
        assert take_apart(a_submission(path=row.path, method=row.method.lower())).wish.path == row.path
