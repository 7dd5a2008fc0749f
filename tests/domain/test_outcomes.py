"""What the end of a call means: every request type, every status class, everything a body can say, every failure."""

from __future__ import annotations

import json

import pytest

from pipeline.domain.answers import Shows, shown_by
from pipeline.domain.outcomes import Effect, Ending, Failure, Outcome, ending_of
from pipeline.domain.request_types import RequestType

TYPES = tuple(RequestType)
BADGES = (RequestType.EARN_BADGE, RequestType.ISSUE_BADGE)


def redemption(*items, success="true", code="200"):
    """A redemption's answer; each item is (success, code)."""
    points = [{"mobile": "910000000000", "item_status": {"success": good, "code": code}} for good, code in items]
    told = points[0] if len(points) == 1 else points
    return {"response": {"status": {"success": success, "code": code}, "responses": {"points": told}}}


def errors(*codes):
    return {
        "data": None,
        "errors": [{"status": False, "code": code, "message": "no"} for code in codes],
        "warnings": [],
    }


def issued(*faults):
    return {"data": {"issuedBadges": [{"customerId": 7, "error": fault} for fault in faults]}, "errors": []}


SUCCESS = {
    RequestType.POINTS_REDEMPTION: redemption(("true", "800")),
    RequestType.CUSTOMER_STATUS_CHANGE: {"createdId": 566881933, "warnings": []},
    RequestType.GOODWILL_POINTS: {"createdId": 13044649, "warnings": [], "errors": None},
    RequestType.EARN_BADGE: {"data": {"earnedId": "1"}, "errors": [], "warnings": []},
    RequestType.ISSUE_BADGE: issued(None, None),
    RequestType.RETRO_TRANSACTION: {"createdId": 1, "errors": []},
}
REFUSAL = dict.fromkeys(TYPES, errors(8015)) | {
    RequestType.POINTS_REDEMPTION: redemption(("false", "803"), success="false", code="500")
}
COMPLAINT = dict.fromkeys(TYPES, errors(500)) | {
    RequestType.POINTS_REDEMPTION: redemption(("false", "500"), success="false", code="500")
}
ALREADY = dict.fromkeys(BADGES, errors(809)) | {RequestType.POINTS_REDEMPTION: redemption(("false", "744"))}
NEITHER = {
    RequestType.POINTS_REDEMPTION: {"response": {"status": {"success": "true"}}},
    RequestType.CUSTOMER_STATUS_CHANGE: [],
    RequestType.GOODWILL_POINTS: {"warnings": [], "errors": None},
    RequestType.EARN_BADGE: {"data": None, "errors": []},
    RequestType.ISSUE_BADGE: issued(),
    RequestType.RETRO_TRANSACTION: {"createdId": None},
}

DONE, REFUSED, REDIRECT = Ending.DONE, Ending.REFUSED, Ending.REDIRECT
NOT_NOW, ALREADY_THERE, UNCLEAR = Ending.NOT_NOW, Ending.ALREADY_THERE, Ending.UNCLEAR

# status: (success, refusal with a business code, refusal without one, neither)
ENDS = {
    200: (DONE, REFUSED, REFUSED, UNCLEAR),
    201: (DONE, REFUSED, REFUSED, UNCLEAR),
    302: (REDIRECT, REFUSED, REDIRECT, REDIRECT),
    307: (REDIRECT, REFUSED, REDIRECT, REDIRECT),
    400: (REFUSED, REFUSED, REFUSED, REFUSED),
    401: (REFUSED, REFUSED, REFUSED, REFUSED),
    404: (REFUSED, REFUSED, REFUSED, REFUSED),
    429: (NOT_NOW, REFUSED, NOT_NOW, NOT_NOW),
    500: (UNCLEAR, REFUSED, UNCLEAR, UNCLEAR),
    502: (UNCLEAR, REFUSED, UNCLEAR, UNCLEAR),
    503: (UNCLEAR, REFUSED, UNCLEAR, UNCLEAR),
    504: (UNCLEAR, REFUSED, UNCLEAR, UNCLEAR),
    101: (UNCLEAR, REFUSED, UNCLEAR, UNCLEAR),
    None: (UNCLEAR, REFUSED, UNCLEAR, UNCLEAR),
}


def body(answer):
    return json.dumps(answer).encode()


@pytest.mark.parametrize("status", ENDS)
@pytest.mark.parametrize("kind", TYPES)
def test_every_type_under_every_status(kind, status):
    """For every type, status and body decide together, as the contract says; a business code wins over the status."""
    answers = (SUCCESS[kind], REFUSAL[kind], COMPLAINT[kind], NEITHER[kind])

    ends = tuple(ending_of(kind, status, body(answer), None) for answer in answers)

    assert ends == ENDS[status]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    ("failure", "end"),
    [
        (Failure.HOST_NOT_ALLOWED, Ending.HOST_NOT_ALLOWED),
        (Failure.FORBIDDEN_ADDRESS, Ending.HOST_NOT_ALLOWED),
        (Failure.BAD_PATH, Ending.BAD_PATH),
        (Failure.BAD_HEADER, Ending.BAD_HEADER),
        (Failure.UNREACHED, Ending.UNREACHED),
        (Failure.TIMED_OUT, UNCLEAR),
        (Failure.DROPPED, UNCLEAR),
        (Failure.GARBLED, UNCLEAR),
        (Failure.OVERSIZED, UNCLEAR),
    ],
)
def test_every_failure_decides_alone(kind, failure, end):
    """A call without a whole answer ends by its failure, even where a status of success had come."""
    assert {ending_of(kind, None, None, failure), ending_of(kind, 200, body(SUCCESS[kind]), failure)} == {end}


def test_every_failure_is_enumerated_above():
    """The list of failures has nine members; a tenth needs a row in the test above."""
    assert len(Failure) == 9


@pytest.mark.parametrize("text", [b"", b"<html>Bad Gateway</html>", b"\xff\xfe", b'"done"', b"[]", b"[" * 100_000])
@pytest.mark.parametrize("kind", TYPES)
def test_unreadable_success_is_unclear(kind, text):
    """A 2xx whose body is no readable JSON object proves nothing."""
    assert ending_of(kind, 200, text, None) == UNCLEAR


def test_an_answer_that_says_two_things_is_unclear():
    """A key that stands twice makes an answer unreadable: two readers would read two outcomes."""
    twice = b'{"createdId": 5, "errors": [{"code": 8015}], "errors": []}'

    assert ending_of(RequestType.GOODWILL_POINTS, 201, twice, None) == UNCLEAR


def test_a_byte_order_mark_is_tolerated():
    """Some servers begin UTF-8 with a mark; the answer is readable all the same."""
    answer = b"\xef\xbb\xbf" + body(SUCCESS[RequestType.GOODWILL_POINTS])

    assert ending_of(RequestType.GOODWILL_POINTS, 201, answer, None) == DONE


@pytest.mark.parametrize(
    ("answer", "shows"),
    [
        (redemption(("true", "800"), success=True), Shows.SUCCESS),
        (redemption((True, 800.0), success="TRUE"), Shows.SUCCESS),
        (redemption(("true", "800"), ("true", "800")), Shows.SUCCESS),
        (redemption(("true", "800"), ("false", "803")), Shows.REFUSAL),
        (redemption(("true", "800"), ("false", "886")), Shows.REFUSAL),
        (redemption(("false", "521"), ("false", 815.0)), Shows.NOT_NOW),
        (redemption(("false", "886"), ("false", "803")), Shows.REFUSAL),
        (redemption(("false", 744)), Shows.ALREADY_THERE),
        (redemption(("false", 744.0)), Shows.ALREADY_THERE),
        (redemption(("false", "744.0")), Shows.ALREADY_THERE),
        (redemption(("false", "744"), ("false", "803")), Shows.ALREADY_THERE),
        (redemption(("false", "744"), ("false", "521")), Shows.ALREADY_THERE),
        (redemption(("true", "800"), ("false", "744")), Shows.ALREADY_THERE),
        (redemption((False, "809")), Shows.REFUSAL),
        (redemption((False, "none")), Shows.COMPLAINT),
        (redemption((False, "7_44")), Shows.COMPLAINT),
        (redemption((False, "\u0667\u0664\u0664")), Shows.COMPLAINT),
        (redemption((False, True)), Shows.COMPLAINT),
        (redemption((False, None)), Shows.COMPLAINT),
        (redemption((False, 803.5)), Shows.COMPLAINT),
        (redemption((False, "1" * 400)), Shows.COMPLAINT),
        (redemption(("maybe", "800")), Shows.NOTHING),
        (redemption((1, "800")), Shows.NOTHING),
        (redemption(("true", "800"), success="false", code="500"), Shows.NOTHING),
        ({"response": {"status": {"success": "false", "code": "1602"}}}, Shows.REFUSAL),
        ({"response": {"status": {"success": "false", "code": "500"}}}, Shows.COMPLAINT),
        ({"response": {"responses": {"points": {"item_status": {"success": "false", "code": 803}}}}}, Shows.REFUSAL),
        ({"response": {"responses": {"points": {"item_status": {"success": "true"}}}}}, Shows.NOTHING),
        ({"response": {"item_status": "true"}}, Shows.NOTHING),
        ({"response": []}, Shows.NOTHING),
        ({}, Shows.NOTHING),
    ],
)
def test_redemptions_are_read_item_by_item(answer, shows):
    """A redemption succeeded when the whole and every item say so; booleans and codes come in several kinds."""
    assert shown_by(RequestType.POINTS_REDEMPTION, body(answer)) is shows


@pytest.mark.parametrize("code", [521, 815, 886, 887, 889, 894, 896, 898])
def test_redemption_codes_worth_another_try(code):
    """Eight item codes say under every status that nothing was applied and that another try is worth it."""
    answer = body(redemption(("false", str(code)), success="false", code="500"))

    assert {ending_of(RequestType.POINTS_REDEMPTION, status, answer, None) for status in ENDS} == {NOT_NOW}


@pytest.mark.parametrize("kind", ALREADY)
def test_already_there_is_told_apart(kind):
    """An idempotency key that was used before is a business code: it holds under every status."""
    answer = body(ALREADY[kind])

    assert {ending_of(kind, status, answer, None) for status in ENDS} == {ALREADY_THERE}


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind not in BADGES])
def test_809_means_already_there_for_badges_only(kind):
    """Code 809 is an idempotency key used before for badges, and something else everywhere else."""
    answer = redemption(("false", 809)) if kind is RequestType.POINTS_REDEMPTION else errors(809)

    assert shown_by(kind, body(answer)) is Shows.REFUSAL


@pytest.mark.parametrize(
    ("answer", "shows"),
    [
        (issued(None, {"code": 1054, "message": "no"}), Shows.REFUSAL),
        (issued(None, "no"), Shows.COMPLAINT),
        (issued({"code": "809"}), Shows.ALREADY_THERE),
        ({"issuedBadges": [{"error": None}]}, Shows.SUCCESS),
        ({"data": {"issuedBadges": ["yes"]}}, Shows.NOTHING),
        ({"data": None, "errors": []}, Shows.NOTHING),
    ],
)
def test_badges_are_issued_to_all_or_it_failed(answer, shows):
    """Issuing succeeded when no customer has an error; some of several count as failed."""
    assert shown_by(RequestType.ISSUE_BADGE, body(answer)) is shows


@pytest.mark.parametrize("created", [5, "5", 5.0, 0])
def test_a_created_id_is_success(created):
    """Goodwill succeeded when there are no errors and an id was created."""
    assert shown_by(RequestType.GOODWILL_POINTS, body({"createdId": created})) is Shows.SUCCESS


@pytest.mark.parametrize("created", [None, "", True, [], {}])
def test_no_created_id_shows_nothing(created):
    """What is no id is neither success nor refusal."""
    assert shown_by(RequestType.GOODWILL_POINTS, body({"createdId": created})) is Shows.NOTHING


@pytest.mark.parametrize("errors_", [[], {}, "", None])
def test_empty_errors_are_none(errors_):
    """`errors` may be there and empty in any way; the rest decides."""
    assert shown_by(RequestType.GOODWILL_POINTS, body({"createdId": 5, "errors": errors_})) is Shows.SUCCESS


@pytest.mark.parametrize(
    ("errors_", "shows"), [({"code": 3002}, Shows.REFUSAL), ("no", Shows.COMPLAINT), ([{"code": 0}], Shows.COMPLAINT)]
)
def test_errors_win_over_a_created_id(errors_, shows):
    """Non-empty `errors` in any shape are a no, whatever else is there."""
    assert shown_by(RequestType.GOODWILL_POINTS, body({"createdId": 5, "errors": errors_})) is shows


EFFECTS = {
    Effect.DONE: {DONE},
    Effect.REFUSED: {
        REFUSED,
        ALREADY_THERE,
        REDIRECT,
        Ending.HOST_NOT_ALLOWED,
        Ending.BAD_PATH,
        Ending.BAD_HEADER,
        Ending.DIGEST_MISMATCH,
        Ending.APPROVAL_EXPIRED,
        Ending.TOO_LATE,
    },
    Effect.TRY_AGAIN: {NOT_NOW},
    Effect.WAIT: {Ending.UNREACHED},
    Effect.UNKNOWN: {UNCLEAR, Ending.LOST},
}


@pytest.mark.parametrize("effect", Effect)
def test_every_ending_has_one_effect(effect):
    """What a call did, as far as one call alone can say."""
    assert {ending for ending in Ending if Outcome(ending=ending, at_ms=1).effect is effect} == EFFECTS[effect]


@pytest.mark.parametrize("status", [None, 200, 429, 500, 502, 503])
@pytest.mark.parametrize("ending", Ending)
def test_an_origin_is_away(ending, status):
    """Where it was not reached, or where it says 503 and nothing readable; no other end says that of an origin."""
    is_away = Outcome(ending=ending, at_ms=1, http_status=status).is_away

    assert is_away is (ending is Ending.UNREACHED or (ending is UNCLEAR and status == 503))
