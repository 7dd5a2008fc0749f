"""The stand-in answers as the documents do, remembers what it saw, misbehaves as told; our client understands it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import aiohttp
import pytest
from intouch.servers import a_call, a_client

from pipeline.domain.jsontext import write_json
from pipeline.domain.outcomes import Effect, Ending
from pipeline.domain.request_types import ROWS, RequestType
from pipeline.local.intouch import RULES_MAX, Rule, StandIn, run

BODIES = {
    RequestType.POINTS_REDEMPTION: '{"root":{"redeem":{"points_redeemed":"100","customer":{"mobile":"9877792149"},'
    '"external_reference_number":"ACR-1"}}}',
    RequestType.CUSTOMER_STATUS_CHANGE: '{"reason":"testing","label":"Suspended"}',
    RequestType.GOODWILL_POINTS: '{"referenceId":"r","reason":"x","baseType":"POINTS","programId":2739,'
    '"awardingTillId":1,"earningEntityType":"CUSTOMER","earningEntityId":2,"points":20,"source":"API"}',
    RequestType.EARN_BADGE: '{"badgeMetaId":"m","customerId":7,"requestId":"e1",'
    '"triggeredBy":{"ownerType":"Loyalty","referenceId":"1"}}',
    RequestType.ISSUE_BADGE: '{"badgeMetaId":"m","customers":[7,8],"requestId":"i1",'
    '"triggeredBy":{"ownerType":"Loyalty","referenceId":"1"}}',
    RequestType.RETRO_TRANSACTION: '{"oldType":"NOT_INTERESTED","newType":"REGULAR","transactionId":1,"customerId":2}',
}
GOODWILL = BODIES[RequestType.GOODWILL_POINTS]


@asynccontextmanager
async def a_stand_in():
    stand_in = StandIn()
    origin = await stand_in.start()
    try:
        async with a_client(origin, timeout_s=5.0) as client:
            yield stand_in, origin, client
    finally:
        await stand_in.stop()


def calling(origin, kind, **changed):
    row = ROWS[kind]
    usual = {"method": row.method, "path": row.path, "body": BODIES[kind]}
    return a_call(origin, request_type=kind, **usual | changed)


@asynccontextmanager
async def a_session(origin):
    async with aiohttp.ClientSession(origin, timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


@pytest.mark.parametrize("kind", RequestType)
async def test_every_type_succeeds(kind):
    """A good call of every type ends as done, and the stand-in says that it had its effect."""
    async with a_stand_in() as (stand_in, origin, client):
        assert (await client(calling(origin, kind))).effect is Effect.DONE
        assert [(call.method, call.path, call.body, call.applied) for call in stand_in.calls] == [
            (ROWS[kind].method, ROWS[kind].path, BODIES[kind], True)
        ]


@pytest.mark.parametrize("kind", RequestType)
@pytest.mark.parametrize("body", ["{}", "[]", "{", '{"root":{"redeem":[{"points_redeemed":1,"customer":"x"}]}}'])
async def test_every_type_refuses_a_bad_body(kind, body):
    """What no Intouch would take is refused readably, without effect."""
    async with a_stand_in() as (stand_in, origin, client):
        end = await client(calling(origin, kind, body=body))

        assert end.ending is Ending.REFUSED
        assert [call.applied for call in stand_in.calls] == [False]


async def test_goodwill_answers_201():
    """The real answer to a goodwill call is 201 with the id that was created."""
    async with a_stand_in() as (_, origin, _), a_session(origin) as session:
        answer = await session.post("/internal/goodwill/", data=GOODWILL)

        assert answer.status == 201
        assert await answer.json() == {"createdId": 1_000_001, "warnings": [], "errors": None}


async def test_a_failed_redemption_answers_200():
    """HTTP 200 is not success: a repeated reference number fails with code 744, booleans and codes as texts."""
    async with a_stand_in() as (_, origin, client), a_session(origin) as session:
        call = calling(origin, RequestType.POINTS_REDEMPTION)
        assert (await client(call)).effect is Effect.DONE

        answer = await session.post(call.path, data=call.body)
        status = (await answer.json())["response"]["responses"]["points"]["item_status"]

        assert (answer.status, status["success"], status["code"]) == (200, "false", "744")
        assert (await client(call)).ending is Ending.ALREADY_THERE


async def test_a_list_of_redemptions_is_answered_by_a_list():
    """Items are judged one by one; some of several is not success."""
    item = {"points_redeemed": 1, "customer": {"mobile": "1"}}
    both, one = (write_json({"root": {"redeem": items}}) for items in ([item, item], [item, {}]))

    async with a_stand_in() as (_, origin, client):
        good = await client(calling(origin, RequestType.POINTS_REDEMPTION, body=both))
        some = await client(calling(origin, RequestType.POINTS_REDEMPTION, body=one))

        assert (good.effect, some.effect) == (Effect.DONE, Effect.REFUSED)


@pytest.mark.parametrize("kind", [RequestType.EARN_BADGE, RequestType.ISSUE_BADGE])
async def test_a_badge_is_given_once(kind):
    """A requestId that was used before is refused, and has no second effect."""
    async with a_stand_in() as (stand_in, origin, client):
        ends = [await client(calling(origin, kind)) for _ in range(2)]

        assert [end.effect for end in ends] == [Effect.DONE, Effect.REFUSED]
        assert [call.applied for call in stand_in.calls] == [True, False]


async def test_a_lone_customer_is_a_list_of_one():
    """Badges may be issued to one customer without a list around it."""
    body = BODIES[RequestType.ISSUE_BADGE].replace("[7,8]", "7")

    async with a_stand_in() as (_, origin, client):
        assert (await client(calling(origin, RequestType.ISSUE_BADGE, body=body))).effect is Effect.DONE


async def test_an_unknown_path_is_404():
    """What Intouch does not have is not found, and is remembered all the same."""
    async with a_stand_in() as (stand_in, origin, _), a_session(origin) as session:
        async with session.post("/internal/goodwill", data=GOODWILL) as answer:
            assert answer.status == 404

        assert len(stand_in.calls) == 1


async def test_calls_are_told_without_credentials():
    """`GET /_calls` shows what was called, with every credential masked."""
    headers = (("Authorization", "Basic obviously-fake"), ("X-Api-Key", "obviously-fake"), ("X-CAP-A", "1"))
    async with a_stand_in() as (_, origin, client), a_session(origin) as session:
        await client(calling(origin, RequestType.GOODWILL_POINTS, query='{"a b":""}', headers=headers))

        text = await (await session.get("/_calls")).text()
        (call,) = await (await session.get("/_calls")).json()

        assert "fake" not in text
        assert ["X-CAP-A", "1"] in call["headers"]
        assert ["Authorization", "***"] in call["headers"]
        assert (call["query"], call["status"], call["body"]) == ("a%20b=", 201, GOODWILL)


@pytest.mark.parametrize(
    ("rule", "ending", "applied"),
    [
        (Rule(status=500), Ending.UNCLEAR, False),
        (Rule(status=500, apply=True), Ending.UNCLEAR, True),
        (Rule(status=302, headers={"Location": "/x"}), Ending.REDIRECT, False),
        (Rule(status=400, body={"errors": [{"code": 8015}]}), Ending.REFUSED, False),
        (Rule(body="<html>"), Ending.UNCLEAR, False),
        (Rule(drop="before"), Ending.UNCLEAR, False),
        (Rule(drop="after"), Ending.UNCLEAR, False),
        (Rule(drop="after", apply=True), Ending.UNCLEAR, True),
        (Rule(drop="before", body_contains="ref"), Ending.UNCLEAR, False),
        (Rule(delay_ms=20), Ending.DONE, True),
        (Rule(path="/else", status=500), Ending.DONE, True),
        (Rule(body_contains="nothing like it", status=500), Ending.DONE, True),
        (Rule(path="/internal/goodwill/", body_contains='"points":20', status=503), Ending.UNCLEAR, False),
    ],
)
async def test_it_misbehaves_as_told(rule, ending, applied):
    """A rule decides for the calls it matches, and for no others."""
    async with a_stand_in() as (stand_in, origin, client):
        stand_in.behave(rule)

        end = await client(calling(origin, RequestType.GOODWILL_POINTS))

        assert (end.ending, stand_in.calls[0].applied) == (ending, applied)


async def test_it_hangs_until_it_stops():
    """A call that hangs ends at the client's time; stopping does not wait for it."""
    stand_in = StandIn()
    origin = await stand_in.start()
    stand_in.behave(Rule(hang=True))
    async with a_client(origin, timeout_s=0.2) as client:
        assert (await client(calling(origin, RequestType.GOODWILL_POINTS))).ending is Ending.UNCLEAR

    async with asyncio.timeout(3):
        await stand_in.stop()


async def test_a_rule_ends_after_its_times():
    """A rule for the first two calls leaves the third alone; rules are asked in their order."""
    async with a_stand_in() as (stand_in, origin, client):
        stand_in.behave(Rule(status=500, times=2))
        stand_in.behave(Rule(status=429, times=1))

        ends = [await client(calling(origin, RequestType.GOODWILL_POINTS)) for _ in range(4)]

        assert [end.http_status for end in ends] == [500, 500, 429, 201]
        assert stand_in.rules == []


async def test_rules_are_told_over_http():
    """`PUT` or `POST /_behave` adds a rule, `DELETE` clears them, and a wrong one is refused with its fault."""
    async with a_stand_in() as (stand_in, origin, client), a_session(origin) as session:
        assert (await session.put("/_behave", json={"status": 500})).status == 200
        assert (await session.post("/_behave", json={"status": 429})).status == 200
        assert (await client(calling(origin, RequestType.GOODWILL_POINTS))).http_status == 500
        assert (await session.delete("/_behave")).status == 200
        assert (await client(calling(origin, RequestType.GOODWILL_POINTS))).http_status == 201

        wrong = await session.put("/_behave", json={"stat": 500})

        assert wrong.status == 400
        assert "stat" in (await wrong.json())["error"]
        assert stand_in.rules == []


async def test_rules_are_bounded():
    """Nobody fills the stand-in's memory with rules."""
    stand_in = StandIn()
    stand_in.rules = [Rule()] * RULES_MAX

    with pytest.raises(ValueError, match="clear them"):
        stand_in.behave(Rule())


async def test_stopping_twice_is_harmless():
    """What never began or has ended already stops quietly."""
    stand_in = StandIn()
    await stand_in.stop()
    await stand_in.start()
    await stand_in.stop()
    await stand_in.stop()


async def test_it_listens_on_ipv6():
    """The origin of an IPv6 address is one that can be called."""
    stand_in = StandIn()
    try:
        origin = await stand_in.start("::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    try:
        async with a_client(origin) as client:
            assert (await client(calling(origin, RequestType.GOODWILL_POINTS))).effect is Effect.DONE
    finally:
        await stand_in.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_ends_at_a_signal(number):
    """In the foreground it says where it is, and Ctrl-C or SIGTERM leaves nothing behind."""
    told = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run(announce=told.set_result))
    origin = await asyncio.wait_for(told, 5)

    os.kill(os.getpid(), number)

    async with asyncio.timeout(5):
        await running
    async with a_client(origin) as client:
        assert (await client(calling(origin, RequestType.GOODWILL_POINTS))).ending is Ending.UNREACHED
