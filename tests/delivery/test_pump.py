"""The pump's order of effects, on a log that answers when the test says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from delivery.doubles import World, all_phases
from delivery.trial import TABLE, Said, trial_stage
from structlog.testing import capture_logs

from pipeline.postings import Phase, position, position_of
from pipeline.stages import Note, Step, Write
from pipeline.surroundings import Limits

ONE_BY_ONE = Limits(fold=1)


async def test_five_phases_one_after_another(world):
    """Each phase is posted when the one before is durable, and the record is finished after the last."""
    slow = world(fold=all_phases, answers_at_once=False)
    slow.feed("pass a")

    seen = []
    while not slow.finished:
        await slow.settle()
        seen.append(list(slow.said()))
        slow.acknowledge()

    order = ["memory a", "event a", "handover a", "memory small a"]
    assert seen[:4] == [order[:count] for count in range(1, 5)]
    assert slow.finished == [0]


async def test_nothing_is_finished_before_it_is_durable(world):
    """While the last phase is unanswered, the record is not acknowledged."""
    slow = world(fold=all_phases, answers_at_once=False)
    slow.feed("pass a")
    for _ in range(3):
        await slow.settle()
        slow.acknowledge()
    await slow.settle()
    before = (slow.said()[-1], list(slow.finished))

    slow.acknowledge()
    await slow.settle()

    assert before == ("memory small a", [])
    assert slow.finished == [0]


@pytest.mark.parametrize("phase", ["event", "handover", "memory small"])
async def test_a_later_batch_does_not_overtake(world, phase):
    """A batch whose own writes are durable still waits until the batch before has posted the same phase."""
    slow = world(ONE_BY_ONE, fold=all_phases, answers_at_once=False)
    slow.feed("pass a", start=0, key=b"k0")
    slow.feed("pass b", start=1, key=b"k1")

    while len(slow.finished) < 2:  # the second batch's answers come first, always
        await slow.settle()
        slow.acknowledge(lambda posting: posting.key == b"k1")
        await slow.settle()
        slow.acknowledge()

    assert [line for line in slow.said() if line.startswith(phase)] == [f"{phase} a", f"{phase} b"]


async def test_a_failed_write_is_fatal(world):
    """When the broker refuses a write, the process ends and nothing of the batch is acknowledged."""
    slow = world(fold=all_phases, answers_at_once=False)
    slow.feed("pass a")
    await slow.settle()

    slow.refuse()
    await slow.settle()

    assert [type(each) for each in slow.fatal] == [ConnectionError]
    assert (slow.finished, slow.said()) == ([], ["memory a"])


@pytest.mark.parametrize("place", ["read", "fold"])
async def test_an_exception_is_fatal_and_nothing_is_finished(world, place):
    """An exception in a stage ends the process; neither its record nor those of its batch are acknowledged."""

    def bug(*_):
        raise RuntimeError("a bug")

    broken = world(**{place: bug})
    broken.feed("pass a", "pass b")
    await broken.settle()

    assert [str(each) for each in broken.fatal] == ["a bug"]
    assert (broken.finished, broken.given_back, broken.log) == ([], [], [])


async def test_bad_input_becomes_a_dead_letter(world):
    """A record that no stage can use is buried and then acknowledged, and its neighbours go on."""
    slow = world(answers_at_once=False)
    slow.feed("bad", "pass a")
    await slow.settle()
    before = (slow.said(), list(slow.finished))

    slow.acknowledge()
    await slow.until(lambda: len(slow.finished) == 2 or slow.acknowledge())

    assert before == (["dead offset 0", "event 0/1"], [])
    assert not slow.fatal


async def test_memory_is_seen_by_the_next_fold(world):
    """A fold sees what earlier steps of its key remember, before that is durable."""
    slow = world(answers_at_once=False)
    slow.feed("count", "count")
    await slow.settle()

    assert slow.said() == ["memory [0]", "memory [0, 1]"]


async def test_afterwards_is_seen_only_when_it_is_posted(world):
    """Until everything a message caused is durable, folds see what it remembered and not what it shrank to."""
    slow = world(fold=all_phases, answers_at_once=False)
    slow.feed("pass a")
    await slow.settle()
    early = slow.table.recall(0, b"k")

    await slow.until(lambda: slow.finished or slow.acknowledge())

    assert (early, slow.table.recall(0, b"k")) == (b"a", b"small a")


async def test_overtaken_afterwards_is_dropped(world):
    """What a message would shrink to is neither held nor posted once a later message of its key has remembered."""
    slow = world(ONE_BY_ONE, fold=all_phases, answers_at_once=False)
    slow.feed("pass a", "pass b")
    await slow.until(lambda: len(slow.finished) == 2 or slow.acknowledge())

    memories = [line for line in slow.said() if line.startswith("memory")]
    assert memories == ["memory a", "memory b", "memory small b"]
    assert slow.table.recall(0, b"k") == b"small b"


async def test_changelog_records_reach_the_log_in_the_order_of_noting(world):
    """A shrinking write that is held up by the producer still comes before what a later fold remembers of its key."""
    slow = world(ONE_BY_ONE, fold=all_phases, answers_at_once=False)
    slow.feed("pass a")
    await slow.until(lambda: "handover a" in slow.said() or slow.acknowledge())
    slow.stall()
    slow.acknowledge()
    await slow.settle()
    slow.feed("pass b", start=1)
    await slow.settle()
    noted = slow.table.recall(0, b"k")

    slow.go_on()
    await slow.until(lambda: len(slow.finished) == 2 or slow.acknowledge())

    assert noted == b"b"
    memories = [line for line in slow.said() if line.startswith("memory")]
    assert memories == ["memory a", "memory small a", "memory b", "memory small b"]


async def test_a_late_reduction_does_not_overwrite_later_memory(world):
    """What a record with a lower offset than what is held would reduce stays, here and in the changelog."""
    quick = world(fold=lambda *given: replace(all_phases(*given), memory=()))
    quick.table.note(0, b"k", position(7, Phase.MEMORY), b"later")
    quick.feed("pass a", start=3)
    await quick.until(lambda: bool(quick.finished))

    assert quick.said() == ["event a", "handover a"]
    assert quick.table.recall(0, b"k") == b"later"


async def test_memory_that_would_be_overtaken_is_fatal(world):
    """A fold that wants to remember something older than what is held has a bug: nothing of it is told. (A held request
    was once called by the very message that had held it; its doubt was told and not remembered, and told anew later.)
    """
    quick = world(fold=all_phases)
    quick.table.note(0, b"k", position(7, Phase.MEMORY), b"later")
    quick.feed("pass a", start=3)
    await quick.settle()

    assert "something later is remembered" in str(quick.fatal[0])
    assert (quick.said(), quick.finished) == ([], [])


async def test_changelog_records_carry_their_position(world):
    """Every changelog record says which offset and which phase caused it."""
    quick = world(fold=all_phases)
    quick.feed("pass a", start=5)
    await quick.until(lambda: bool(quick.finished))

    positions = [position_of(p.headers) for p in quick.log if p.topic.endswith(TABLE)]
    assert positions == [position(5, Phase.MEMORY), position(5, Phase.AFTERWARDS)]


async def test_restating_waits_for_no_message_and_is_durable(world):
    """Changelog records outside a message are posted as they are, and durable when the call returns."""
    quick = world(fold=all_phases)
    quick.feed("pass a")
    await quick.until(lambda: bool(quick.finished))
    again = quick.log[0]

    await quick.pump.restate(lambda: [again])

    assert quick.log[-1] == again


async def test_room_is_full_and_free_again(world):
    """No more is asked for while too many records are held; finishing makes room."""
    slow = world(Limits(room=2), answers_at_once=False)
    slow.feed("pass a", "pass b")
    await slow.settle()
    full = not slow.pump.held._free.is_set()
    await slow.until(lambda: len(slow.finished) == 2 or slow.acknowledge())

    await slow.pump.room()

    assert full
    assert slow.pump.held.records == slow.pump.held.size == 0


async def test_room_counts_bytes(world):
    """A few enormous records fill the room as many small ones do."""
    slow = world(Limits(room_bytes=100), answers_at_once=False)
    slow.feed("pass " + "x" * 200)

    assert not slow.pump.held._free.is_set()


async def test_age_of_the_oldest(world):
    """What could go on and does not is counted from when it could; an idle pump has no age."""
    slow = world(answers_at_once=False)
    slow.now_s = 100.0
    idle = slow.pump.oldest_s()
    slow.feed("pass a")
    await slow.settle()
    slow.now_s = 107.0
    stuck = slow.pump.oldest_s()
    await slow.until(lambda: slow.finished or slow.acknowledge())

    assert (idle, stuck, slow.pump.oldest_s()) == (0.0, 7.0, 0.0)


async def test_one_line_and_one_count_per_message(world):
    """Each message is logged and counted once, when it is durable."""
    slow = world(fold=all_phases, answers_at_once=False)
    with capture_logs() as lines:
        slow.feed("pass a")
        await slow.settle()
        early = list(lines)
        slow.now_s = 0.25
        await slow.until(lambda: slow.finished or slow.acknowledge())

    facts = {"stage": "trial", "request_id": "r1", "outcome": "done", "reason": None, "ms": 250.0}
    assert early == []
    assert lines == [{"event": "folded", "log_level": "info", **facts}]
    assert slow.paper.messages.labels("trial", "done")._value.get() == 1
    assert [step.note for step in slow.steps] == [Note("done", request_id="r1")]


async def test_a_key_is_needed_to_remember(world):
    """A stage that wants to remember a record without a key has a bug."""
    keyless = world(fold=all_phases)
    keyless.feed("pass a", key=None)
    await keyless.settle()

    assert "without a key" in str(keyless.fatal[0])


def test_tables_need_one_source():
    """Offsets of two topics cannot be compared, so a stage with tables may read only one."""
    stage = trial_stage()
    two = type(stage)(stage.name, ("a", "b"), stage.tables, stage.read, stage.fold)

    with pytest.raises(ValueError, match="exactly one source"):
        World(two)


async def test_tombstones_are_posted(world):
    """Forgetting is a changelog record without a value."""

    def forget(*_):
        return Step(Note("gone"), events=(Said("trial.events", b"k", b"e"),), afterwards=(Write(TABLE, None),))

    quick = world(fold=forget)
    quick.feed("pass a")
    await quick.until(lambda: bool(quick.finished))

    assert quick.said() == ["event e", "memory -"]
