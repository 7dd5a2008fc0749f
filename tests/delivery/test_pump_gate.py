"""Calls at a gate: what is folded again, who waits in which order, who leaves; and that nothing is lost on the way."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import pytest
from delivery.doubles import Doors, seen_meanwhile
from delivery.trial import EVENTS, TABLE, Said, trial_stage

from pipeline.stages import Note, Step, Write
from pipeline.surroundings import Limits


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
def at_doors(world, doors):
    """Makes worlds with these doors, whose fold looks at them, too: what is away is parked and told."""

    def fold(arrival, memory, message):
        step = trial_stage().fold(arrival, memory, message)
        if step.call is None or not doors.holds(step.call):
            return step
        told = Said(EVENTS, arrival.key, b"parked " + message[1])
        return Step(Note("parked"), memory=(Write(TABLE, b"parked"),), events=(told,))

    return lambda limits=None, **given: world(limits, gate=doors, fold=fold, **given)


def feed_calls(world, *texts, start=0):
    """A call for each of these texts, each with a key of its own: k0, k1, …"""
    for at, text in enumerate(texts, start):
        world.feed(f"call {text}", start=at, key=b"k%d" % at)


def called(world):
    return [call.text.decode() for call in world.calls]


async def test_what_waits_is_folded_again_when_its_origin_goes_away(at_doors, doors):
    """It waited for a slot, and there is none for a call that had better not begin: no intent, no call; what the fold
    says instead is remembered, told and finished.
    """
    world = at_doors(Limits(slots=1))
    feed_calls(world, "a/1", "b/1")
    await world.until(lambda: bool(world.calls))
    doors.away.add("b")
    world.outcomes[b"k0"].set_result(b"done")
    await world.until(lambda: len(world.finished) == 2)

    assert called(world) == ["a/1"]
    assert [line for line in world.said() if "intent" in line] == ["memory intent"]
    assert world.table.recall(0, b"k1") == b"parked"
    assert "event parked b/1" in world.said()
    assert doors.asked == ["a"]


async def test_however_many_are_folded_again_the_loop_has_its_turn(world, doors):
    """Forty large requests wait for an origin that goes away: each is folded again, a micro-batch's time at once."""

    def fold(arrival, memory, message):
        step = trial_stage().fold(arrival, memory, message)
        if not doors.away:
            return step
        made.now_s += 0.03
        return Step(Note("parked"), memory=(Write(TABLE, b"parked"),))

    made = world(Limits(slots=1, fold_s=0.05), gate=doors, fold=fold)
    feed_calls(made, *["b/1"] * 41)
    await made.until(lambda: bool(made.calls))
    doors.away.add("b")
    made.outcomes[b"k0"].set_result(b"done")
    async with asyncio.timeout(5):
        seen = await seen_meanwhile(made, 41)

    assert max(after - before for before, after in pairwise(seen)) == pytest.approx(0.06)
    assert made.finished == list(range(41))


async def test_what_is_behind_a_call_that_is_not_made_goes_on(at_doors, doors):
    """Later records of its key are folded after it, in their order; nothing keeps the slot."""
    world = at_doors(Limits(slots=1))
    feed_calls(world, "a/1", "b/1", "c/1")
    world.feed("pass behind", start=3, key=b"k1")
    await world.until(lambda: bool(world.calls))
    doors.away.add("b")
    world.outcomes[b"k0"].set_result(b"done")
    await world.until(lambda: len(world.calls) == 2 and 3 in world.finished)

    assert called(world) == ["a/1", "c/1"]
    assert world.said().index("event parked b/1") < world.said().index("event 0/3")


async def test_a_gate_that_refuses_keeps_the_order_and_others_go_on(at_doors, doors):
    """Whoever may not enter yet stays where it was; a call to another origin passes by."""
    world = at_doors()
    doors.full.add("a")
    feed_calls(world, "a/1", "b/1", "a/2", "b/2", "a/3")
    await world.until(lambda: len(world.calls) == 2)
    await world.settle()
    early = called(world)
    doors.full.clear()
    world.outcomes[b"k1"].set_result(b"done")
    await world.until(lambda: len(world.calls) == 5)

    assert early == ["b/1", "b/2"]
    assert called(world)[2:] == ["a/1", "a/2", "a/3"]


async def test_however_many_wait_for_one_origin_others_go_on(at_doors, doors):
    """A crowd at one door blocks no other. (The pump looked past a group of them and no further.)"""
    world = at_doors(Limits(slots=8, group=2))
    doors.full.add("a")
    feed_calls(world, *(f"a/{number}" for number in range(50)), "b/1")
    await world.until(lambda: bool(world.calls))

    assert called(world) == ["b/1"]


async def test_a_refused_origin_is_asked_once_in_a_round(at_doors, doors):
    """The first that is refused speaks for those behind it, so a crowd costs one question and at most one timer."""
    world = at_doors()
    doors.waits_s["a"] = [60.0] * 100
    feed_calls(world, *(f"a/{number}" for number in range(50)))
    await world.settle()

    assert len(doors.asked) <= 3  # one per round: the batch, and the look before and after it
    assert (world.calls, world.log) == ([], [])


async def test_a_wait_for_the_rate_wakes_the_pump(at_doors, doors):
    """Nothing else happens, and yet the call begins when its time has come."""
    world = at_doors()
    doors.waits_s["a"] = [0.001, 0.001, 0.001]
    feed_calls(world, "a/1", "a/2")
    await world.until(lambda: len(world.calls) == 2)

    assert called(world) == ["a/1", "a/2"]


async def test_every_call_leaves_once(at_doors, doors):
    """With its outcome, when it has come back; nobody is inside when all is over."""
    world = at_doors()
    feed_calls(world, "a/1", "a/2", "b/1")
    await world.until(lambda: len(world.calls) == 3)
    inside = list(doors.inside)
    for at in range(3):
        world.outcomes[b"k%d" % at].set_result(b"done %d" % at)
    await world.until(lambda: len(world.finished) == 3)

    assert inside == world.calls
    assert doors.left == [(call, b"done %d" % at) for at, call in enumerate(world.calls)]
    assert doors.inside == []


async def test_a_call_leaves_before_the_next_one_asks(at_doors, doors):
    """Where only another call's end makes room, that end is what lets the next one in."""
    world = at_doors()
    feed_calls(world, "a/1")
    await world.until(lambda: bool(world.calls))
    doors.waits_s["a"] = [math.inf]
    feed_calls(world, "a/2", start=1)
    await world.settle()
    early = called(world)
    world.outcomes[b"k0"].set_result(b"done")
    await world.until(lambda: len(world.calls) == 2)

    assert early == ["a/1"]
    assert [call.text for call, _ in doors.left] == [b"a/1"]


async def test_abandoned_calls_are_given_back_and_nobody_is_inside(at_doors, doors):
    """Whoever waits at a door goes back with what is behind it and has written nothing; the gate knows none of them."""
    world = at_doors()
    doors.full.add("a")
    doors.waits_s["b"] = [60.0] * 9
    feed_calls(world, "a/1", "b/1")
    world.feed("pass behind", start=2, key=b"k0")
    await world.settle()
    world.pump.abandon()
    doors.full.clear()
    doors.waits_s.clear()
    await world.settle()

    assert sorted(world.given_back) == [0, 1, 2]
    assert (world.log, world.calls, world.finished, doors.inside, doors.left) == ([], [], [], [], [])
    assert world.pump.held.records == 0


async def test_what_was_given_back_may_come_again(at_doors, doors):
    """The same records, fed after an abandonment, are called as if nothing had been."""
    world = at_doors()
    doors.full.add("a")
    feed_calls(world, "a/1")
    await world.settle()
    world.pump.abandon()
    doors.full.clear()
    feed_calls(world, "a/1")
    await world.until(lambda: bool(world.calls))

    assert (called(world), world.given_back) == (["a/1"], [0])


async def test_no_lease_no_call_although_it_is_inside(at_doors, doors):
    """A call that entered and then may not be made ends the process, and the gate with it: nothing is sent."""
    world = at_doors(answers_at_once=False)
    feed_calls(world, "a/1")
    await world.settle()
    world.is_ours = False
    world.acknowledge()
    await world.settle()

    assert (len(doors.inside), world.calls, doors.left) == (1, [], [])
    assert [str(each) for each in world.fatal] == ["not ours any more"]
