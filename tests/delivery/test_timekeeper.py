"""The timekeeper: what is due is asked about, once, in bounded numbers, and only while the partitions are ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from delivery.doubles import World
from delivery.rigs import HardenedRig
from delivery.timed import BADGE, GOODWILL, STAGE, an_entry, answer, asked, hold
from delivery.trial import INBOX, TABLE, TrialCall

from pipeline.domain.marks import Kind
from pipeline.domain.messages import APPROVAL_INBOX, Due, read_message
from pipeline.stages import Arrival, Memory, Note, Stage, Step, Write
from pipeline.surroundings import Limits, Standing

AT_ONCE = Limits(look_s=0)


@pytest.fixture
async def worlds():
    """Makes worlds whose pump looks all the time; ends them."""
    made: list[World] = []

    def make(stage: Stage = STAGE, limits: Limits = AT_ONCE) -> World:
        made.append(World(stage, limits))
        made[-1].pump.start()
        return made[-1]

    yield make
    for world in made:
        await world.pump.stop()


async def test_what_is_due_is_asked_about(worlds):
    """A Due goes to the stage's inbox, to the entry's partition and under its key, without a signature."""
    world = worlds()
    hold(world, "r1")
    await world.settle()

    [posting] = world.log
    assert (posting.topic, posting.partition, posting.key, posting.headers) == (f"t.{INBOX}", 0, b"r1", ())
    assert read_message(APPROVAL_INBOX, posting.value) == Due(request_id="r1")


async def test_what_is_not_due_is_left_alone(worlds):
    """Not yet, or never; the clock alone decides when to ask."""
    world = worlds()
    hold(world, "later", due_ms=2)
    hold(world, "never", due_ms=None)
    await world.settle()
    early = asked(world)
    world.now_ms = 2
    await world.settle()

    assert (early, asked(world)) == ([], ["later"])


async def test_one_due_is_under_way_at_most(worlds):
    """However often memory is looked through before the answer comes."""
    world = worlds()
    hold(world, "r1", "r2")
    await world.settle()

    assert len(world.censuses) > 3
    assert sorted(asked(world)) == ["r1", "r2"]


async def test_a_due_without_effect_is_asked_again(worlds):
    """A clock that was ahead does no harm: when the answer changed nothing, the next look asks anew."""
    world = worlds()
    hold(world, "r1", rest="stays")
    await world.settle()
    answer(world, "r1")
    await world.settle()

    assert asked(world) == ["r1", "r1"]


async def test_what_is_being_called_for_is_not_asked_about(worlds):
    """A call may take longer than the time between two looks, and its entry stays due until the outcome is folded. (It
    was asked about again and again, and each `Due` behind the call told the ending once more.)
    """

    def ask(arrival: Arrival, _: Memory, due: Due) -> Step:
        call: Any = TrialCall(arrival.key or b"", b"a")
        return Step(Note("asked", due.request_id), memory=(Write(TABLE, an_entry(due_ms=1)),), call=call)

    def end(_: Arrival, __: Memory, due: Due, ___: Any) -> Step:
        return Step(Note("ended", due.request_id), memory=(Write(TABLE, an_entry(due_ms=2)),))

    world = worlds(replace(STAGE, fold=ask, on_outcome=end), Limits(look_s=0, slots=1))
    hold(world, "r1", "r2")
    await world.settle()
    answer(world, "r1")
    answer(world, "r2")
    await world.settle()
    during = asked(world)
    world.outcomes[b"r1"].set_result(b"done")
    await world.settle()

    assert during == ["r1", "r2"]
    assert asked(world) == ["r1", "r2"]  # r1 is due later now, and r2 has the slot
    world.now_ms = 2
    await world.settle()
    assert asked(world) == ["r1", "r2", "r1"]


async def test_what_is_forgotten_is_not_asked_about(worlds):
    """The answer had its effect, and nothing is left to look at."""
    world = worlds()
    hold(world, "r1")
    await world.settle()
    answer(world, "r1")
    await world.settle()

    assert (asked(world), list(world.table.shelf.items())) == (["r1"], [])
    assert world.censuses[-1] == {}


async def test_a_bounded_number_is_under_way(worlds):
    """A backlog of endings cannot flood the inbox: as many are asked about as were answered."""
    world = worlds(limits=Limits(look_s=0, look_again_s=0, dues=2))
    hold(world, "r1", "r2", "r3", "r4", "r5")
    await world.settle()
    first = asked(world)
    answer(world, "r1")
    await world.settle()

    assert (first, asked(world)) == (["r1", "r2"], ["r1", "r2", "r3"])


async def test_an_abandoned_due_is_asked_again(worlds):
    """At a revocation nobody knows who will read it: the owner of the next assignment asks anew."""
    world = worlds()
    hold(world, "r1")
    await world.settle()
    world.pump.abandon()
    await world.settle()

    assert asked(world) == ["r1", "r1"]


async def test_nothing_is_posted_between_two_assignments(worlds):
    """What would be posted then, nobody may post: a try would end the process."""
    world = worlds()
    world.is_steady = False
    hold(world, "r1")
    await world.settle()
    before = asked(world), list(world.censuses)
    world.is_steady = True
    await world.settle()

    assert before == ([], [])
    assert asked(world) == ["r1"]


async def test_a_look_ends_at_a_revocation(worlds):
    """It is not finished with what may be somebody else's by then: no more is posted, and nothing is counted."""
    world = worlds(limits=Limits(look_s=0, look_slice=1))
    world.stall()
    hold(world, "r1", "r2")
    await world.settle()
    world.is_steady = False
    world.pump.abandon()
    world.go_on()
    await world.settle()

    assert (asked(world), world.censuses, world.fatal) == ([], [], [])


async def test_what_there_is_is_counted(worlds):
    """By kind and type, with the age of the oldest; due or not."""
    world = worlds()
    hold(world, "r1", since_ms=30)
    hold(world, "r2", since_ms=10, due_ms=None)
    hold(world, "r3", since_ms=20)
    hold(world, "r4", request_type=BADGE)
    hold(world, "r5", kind=Kind.SETTLED, due_ms=None)
    await world.settle()

    assert world.censuses[-1] == {
        (Kind.WAITING, GOODWILL): Standing(3, 10),
        (Kind.WAITING, BADGE): Standing(1, 7),
        (Kind.SETTLED, GOODWILL): Standing(1, 7),
    }


async def test_without_a_sense_of_time_it_only_counts(worlds):
    """A stage that says nothing of due entries is looked through for the metrics alone."""
    world = worlds(replace(STAGE, due=None))
    hold(world, "r1")
    await world.settle()

    assert (asked(world), world.censuses[-1]) == ([], {(Kind.WAITING, GOODWILL): Standing(1, 7)})


async def test_a_stage_without_memory_is_not_looked_through(worlds):
    """There is nothing to see."""
    world = worlds(replace(STAGE, tables=()))
    await world.settle()

    assert world.censuses == []


async def test_a_look_takes_a_little_at_a_time(worlds):
    """The loop goes on after every slice, and what changes meanwhile is seen as it is by then."""
    world = worlds(limits=Limits(look_s=0, look_slice=2, dues=9))
    hold(world, "r1", "r2", "r3", "r4", "r5", "r6")
    world.stall()
    await world.settle()
    world.table.note(0, b"r3", 2, None)
    world.go_on()
    await world.settle()

    assert world.posts == [2, 2, 1]
    assert asked(world) == ["r1", "r2", "r4", "r5", "r6"]


async def test_memory_that_is_not_ours_is_fatal(worlds):
    """An entry without a mark was written by something else: the process does not go on guessing."""
    world = worlds()
    world.table.note(0, b"r1", 1, b"{}")
    await world.until(lambda: world.fatal)

    [exception] = world.fatal
    assert isinstance(exception, ValueError)


async def test_an_app_knows_when_it_is_steady():
    """Its pump looks through memory only between the end of a loading and the next rebalance."""
    rig = HardenedRig()
    steady = rig.app.pump.around.is_steady
    before = steady()
    await rig.begin([0])
    rig.app.tables.recovery.completed.set()
    during = steady()
    rig.app.rebalancing = True

    assert (before, during, steady()) == (False, True, False)


async def test_an_app_shows_what_is_loaded():
    """Its pump's tables name the partitions that are loaded; one that is not ours is empty. (Faust's own tables have a
    number of that name, and a look through them ended the first workers two seconds after their start.)
    """
    app = HardenedRig().app
    [table] = app.pump.around.tables
    before = table.partitions()
    app.tables_ready()
    table.note(0, b"r1", 1, b"v")

    assert (before, table.partitions()) == ([], [0])
    assert [list(table.everything(partition)) for partition in (0, 1)] == [[(b"r1", b"v")], []]
