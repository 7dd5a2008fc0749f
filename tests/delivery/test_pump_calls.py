"""Calls: a slot, a durable intent, a last look at the lease; and what is given back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from delivery.doubles import World
from delivery.trial import EVENTS, TABLE, Said, TrialCall, trial_stage

from pipeline.domain.outcomes import Ending
from pipeline.postings import Phase, position, position_of
from pipeline.stages import Note, Step, Write
from pipeline.surroundings import Limits


async def test_no_call_before_its_intent_is_durable(world):
    """The call begins when the log has its intent, not before."""
    slow = world(answers_at_once=False)
    slow.feed("call x")
    await slow.settle()
    early = (slow.said(), list(slow.calls))

    slow.acknowledge()
    await slow.settle()

    assert early == (["memory intent"], [])
    assert [call.text for call in slow.calls] == [b"x"]


async def test_no_call_without_the_lease(world):
    """When the partition was lost before the call could begin, it is not made and the process ends."""
    slow = world(answers_at_once=False)
    slow.feed("call x")
    await slow.settle()

    slow.is_ours = False
    slow.acknowledge()
    await slow.settle()

    assert (slow.calls, slow.finished) == ([], [])
    assert [str(each) for each in slow.fatal] == ["not ours any more"]


@pytest.mark.parametrize(("attempt", "ending"), [(1, Ending.APPROVAL_EXPIRED), (2, Ending.TOO_LATE)])
@pytest.mark.parametrize("late_ms", [0, 1])
async def test_no_call_after_its_time(world, attempt, ending, late_ms):
    """An intent may take long to become durable. The call that is too late then is not made, and that is its outcome.

    Found by the simulator, when it held back the writes to one table: tries went on after their time (seed 8678).
    """

    def fold(*_):
        call = TrialCall(b"k", b"x", good_until_ms=5000, attempt=attempt)
        return Step(Note("asked"), memory=(Write(TABLE, b"intent"),), call=call)

    slow = world(answers_at_once=False, fold=fold)
    slow.feed("call x")
    await slow.settle()
    slow.now_ms = 5000 + late_ms
    slow.acknowledge()
    await slow.settle()

    assert len(slow.calls) == 1 - late_ms
    assert [ending in line for line in slow.said() if "result" in line] == [True] * late_ms


async def test_the_outcome_is_remembered_told_and_finished(world):
    """What came back is folded: remembered, then told, handed on, shrunk and acknowledged."""
    quick = world()
    quick.feed("call x", start=4)
    await quick.until(lambda: bool(quick.calls))
    before = list(quick.finished)

    quick.outcomes[b"k"].set_result(b"done")
    await quick.until(lambda: bool(quick.finished))

    result = "x -> done"
    told = ["memory intent", f"memory result {result}", f"event {result}", f"handover {result}", "memory over"]
    assert before == []
    assert quick.said() == told
    phases = [position_of(p.headers) for p in quick.log if p.topic.endswith(TABLE)]
    assert phases == [position(4, phase) for phase in (Phase.INTENT, Phase.OUTCOME, Phase.AFTERWARDS)]


async def test_later_records_of_the_key_wait_for_the_outcome(world):
    """While a call runs, the records behind it on its key wait, and other keys go on."""
    quick = world()
    quick.feed("call x", "pass y", start=0, key=b"k")
    quick.feed("pass z", start=2, key=b"other")
    await quick.until(lambda: bool(quick.finished))
    others = list(quick.finished)

    await quick.until(lambda: bool(quick.calls))
    quick.outcomes[b"k"].set_result(b"done")
    await quick.until(lambda: len(quick.finished) == 3)

    assert others == [2]
    assert quick.finished == [2, 0, 1]
    assert quick.said().index("event 0/1") > quick.said().index("event x -> done")


async def test_no_intent_without_a_slot(world):
    """Of more calls than slots, only those with a slot have written an intent; the others could still be given back."""
    quick = world(Limits(slots=2))
    for at in range(5):
        quick.feed(f"call {at}", start=at, key=b"k%d" % at)
    await quick.until(lambda: len(quick.calls) == 2)
    await quick.settle()
    early = quick.said()

    quick.outcomes[b"k0"].set_result(b"done")
    await quick.until(lambda: len(quick.calls) == 3)

    assert early == ["memory intent", "memory intent"]
    assert [call.key for call in quick.calls] == [b"k0", b"k1", b"k2"]


async def test_a_slot_is_held_until_its_outcome_is_durable(world):
    """A call that has come back keeps its slot while its outcome could still be lost: otherwise a crash would leave
    more requests in doubt than there are slots (67 of 64 were seen after a kill -9).
    """
    slow = world(Limits(slots=1), answers_at_once=False)
    slow.feed("call x", start=0, key=b"k0")
    slow.feed("call y", start=1, key=b"k1")
    await slow.settle()
    slow.acknowledge()
    await slow.until(lambda: bool(slow.calls))

    slow.outcomes[b"k0"].set_result(b"done")
    await slow.settle()
    before = slow.said()
    slow.acknowledge()
    await slow.settle()

    assert before == ["memory intent", "memory result x -> done"]
    assert "memory intent" in slow.said()[2:]


async def test_intents_are_posted_in_small_groups(world):
    """Slots that are free at once are filled group by group."""
    slow = world(Limits(slots=5, group=2), answers_at_once=False)
    for at in range(5):
        slow.feed(f"call {at}", start=at, key=b"k%d" % at)
    await slow.settle()
    slow.acknowledge(lambda posting: posting.key in (b"k0", b"k1"))
    await slow.settle()

    assert [call.key for call in slow.calls] == [b"k0", b"k1"]


async def test_given_back_at_revocation(world):
    """At a revocation whatever has not begun goes back, with what waits behind it; what has begun comes to its end."""
    quick = world(Limits(slots=1))
    quick.feed("call x", "pass behind", start=0, key=b"k0")
    quick.feed("call y", "pass behind", start=2, key=b"k1")
    await quick.until(lambda: bool(quick.calls))
    quick.feed("pass z", start=4, key=b"k2")

    quick.pump.abandon()
    returned = sorted(quick.given_back)
    quick.outcomes[b"k0"].set_result(b"done")
    await quick.until(lambda: bool(quick.finished))
    await quick.settle()

    assert returned == [1, 2, 3, 4]
    assert quick.finished == [0]
    assert quick.pump.held.records == quick.pump.held.size == 0
    assert len(quick.calls) == 1


async def test_waiting_is_not_standing_still(world):
    """Records that wait for a slot or for their key do not age; the call that holds the slot does."""
    quick = world(Limits(slots=1))
    quick.feed("call x", start=0, key=b"k0")
    quick.feed("call y", start=1, key=b"k1")
    await quick.until(lambda: bool(quick.calls))
    quick.now_s = 30.0
    during = quick.pump.oldest_s()

    quick.outcomes[b"k0"].set_result(b"done")
    await quick.until(lambda: len(quick.calls) == 2)
    await quick.settle()

    assert (during, quick.pump.oldest_s()) == (30.0, 0.0)


async def test_an_intent_of_a_dead_process_is_not_called_again(world):
    """An intent that was durable before we came makes no call; the fold decides what becomes of it."""
    quick = world()
    quick.table.note(0, b"k", position(0, Phase.INTENT), b"intent")
    quick.feed("call x", start=0)
    await quick.until(lambda: bool(quick.finished))

    assert quick.calls == []
    assert "event parked" in quick.said()


async def test_a_late_outcome_does_not_undo_what_was_declared(world):
    """Whoever finds the intent without a result declares it in doubt; a frozen predecessor's outcome comes too late."""
    quick = world()
    quick.table.note(0, b"k", position(0, Phase.INTENT), b"intent")
    quick.feed("call x", start=0)
    await quick.until(lambda: bool(quick.finished))
    declared = quick.table.recall(0, b"k")

    assert not quick.table.note(0, b"k", position(0, Phase.OUTCOME), b"result of the frozen one")
    assert quick.table.recall(0, b"k") == declared


async def test_what_gives_way_is_below_all_else_of_its_message(world):
    """Whatever another owner remembers of the same record counts, however late this write arrives."""

    def fold(*_):
        return Step(Note("held"), memory=(Write(TABLE, b"held", gives_way=True),))

    quick = world(fold=fold)
    quick.feed("call x", start=4)
    await quick.until(lambda: bool(quick.finished))

    assert [position_of(posting.headers) for posting in quick.log] == [position(4, Phase.GIVES_WAY)]
    assert position(3, Phase.AFTERWARDS) < position(4, Phase.GIVES_WAY) < position(4, Phase.INTENT)


async def test_a_call_from_outdated_memory_is_fatal(world):
    """A stage that asks for a call although something later is remembered has a bug; no call is made."""

    def ask(arrival, _, message):
        return replace(trial_stage().fold(arrival, (None,), message))

    quick = world(fold=ask)
    quick.table.note(0, b"k", position(9, Phase.MEMORY), b"later")
    quick.feed("call x", start=0)
    await quick.settle()

    assert "something later is remembered" in str(quick.fatal[0])
    assert (quick.calls, quick.finished) == ([], [])


@pytest.mark.parametrize(
    "surplus", [{"events": (Said(EVENTS, b"k", b"e"),)}, {"afterwards": (Write(TABLE, b"w"),)}, {"memory": ()}]
)
async def test_with_a_call_goes_its_intent_and_nothing_else(world, surplus):
    """A step with a call that also tells, shrinks, or has no intent, is a bug in the stage."""

    def ask(arrival, memory, message):
        return replace(trial_stage().fold(arrival, memory, message), **surplus)

    quick = world(fold=ask)
    quick.feed("call x")
    await quick.settle()

    assert "its intent and nothing else" in str(quick.fatal[0])
    assert (quick.calls, quick.log) == ([], [])


async def test_a_call_needs_somebody_to_fold_its_outcome(world):
    """A stage without `on_outcome` that asks for a call has a bug."""
    quick = world(on_outcome=None)
    quick.feed("call x")
    await quick.settle()

    assert "nobody is there" in str(quick.fatal[0])


async def test_an_outcome_asks_for_no_call(world):
    """An outcome that asks for another call at once is a bug: a back-off gives up its slot."""

    def again(arrival, _, message, __):
        return trial_stage().fold(arrival, (None,), message)

    quick = world(on_outcome=again)
    quick.feed("call x")
    await quick.until(lambda: bool(quick.calls))
    quick.outcomes[b"k"].set_result(b"done")
    await quick.settle()

    assert "another call at once" in str(quick.fatal[0])


async def test_an_exception_in_a_call_is_fatal(world):
    """A caller never raises for what the other side does; if it does, nothing is acknowledged."""
    quick = world()
    quick.feed("call x")
    await quick.until(lambda: bool(quick.calls))
    quick.outcomes[b"k"].set_exception(RuntimeError("a bug"))
    await quick.settle()

    assert [str(each) for each in quick.fatal] == ["a bug"]
    assert quick.finished == []


def test_a_world_without_tables():
    """A stage that remembers nothing needs no table, and may read several topics."""
    stage = replace(trial_stage(remembers=False), sources=("a", "b"), fold=lambda *_: Step(Note("x")))

    assert World(stage).pump.stage.sources == ("a", "b")
