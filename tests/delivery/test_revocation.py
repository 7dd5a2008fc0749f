"""What is delivered and then taken away: by Faust's queues at a revocation, or from the log itself."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import IllegalStateError
from delivery.rigs import HardenedRig, turns
from faust.events import Event

from pipeline.delivery.consumer import LogCut

pytestmark = pytest.mark.parametrize("rig", ["hardened"], indirect=True)


async def fetched_and_queued(rig: HardenedRig) -> None:
    """One fetch lies in a queue that flow control manages; the agent has not taken it."""
    queue = rig.app.FlowControlQueue(maxsize=10)
    rig.app.flow_control.manage_queue(queue)

    async def conduct(message):
        rig.consumer.track_message(message)
        queue.put_nowait(Event(rig.app, message.key, message.value, None, message))

    rig.consumer.callback = conduct
    await rig.begin(range(3))
    await rig.fetch()
    assert queue.qsize() == 1


async def test_what_the_queues_drop_is_given_back(rig):
    """A fetch that lay in a queue when it was cleared is in nobody's hands: a revocation does not wait for it.

    The story: a revocation began in the turn of the loop in which a fetch had been queued. Its records were dropped
    and stayed open; the revocation waited until its limit and ended the process, unless a garbage collection came by.
    """
    await fetched_and_queued(rig)

    rig.consumer._halt()

    assert len(rig.consumer.unfinished()) == 1
    assert await rig.consumer.idle(0.0)
    assert rig.partition.commits == []


async def test_what_was_given_back_is_not_begun_later(rig):
    """An agent that holds a fetch in its hands while it is given back finds nothing in it."""
    taken = []
    await fetched_and_queued(rig)
    [delivery] = rig.consumer._untaken

    await rig.consumer.idle(0.0)
    taken += rig.consumer.take(delivery)

    assert (taken, rig.app.pump.held.records) == ([], 0)


async def test_a_new_assignment_brings_it_again(rig):
    """After a rebalance, records that were dropped are delivered once more, and to the agent's own hands."""
    await fetched_and_queued(rig)
    rig.consumer._halt()
    await rig.consumer.idle(0.0)
    rig.consumer.callback = rig.on_message

    await rig.begin(range(3))
    await asyncio.gather(turns(), rig.fetch())

    assert sorted(rig.delivered) == [0, 1, 2]


async def test_a_log_that_was_cut_ends_the_process(rig):
    """When the log ends before what must come next, the consumer gives up and says where, instead of fetching for ever
    what was delivered long ago. The next start reads all that is there.
    """
    await rig.begin(range(10))
    await rig.fetch()
    rig.partition.log = dict.fromkeys(range(3), b"pass new")
    rig.partition.position = 0

    with pytest.raises(LogCut, match=r"trial.inbox\[0\] ends at 3, and 10 was to come next"):
        await asyncio.wait_for(rig.consumer._drain_messages(rig.fetcher), 5)


async def test_a_seek_that_a_rebalance_overtakes(rig):
    """It finds a partition that is not assigned any more. The next assignment seeks; nothing is delivered before.

    The story: in a chaos run the exception ended in a task that nobody waited for, an error line without a meaning.
    """

    async def lost():
        raise IllegalStateError("No current assignment for partition")

    found, rig.partition.seek_to_committed = rig.partition.seek_to_committed, lost
    await rig.begin(range(3))
    assert await rig.fetch() == []

    rig.partition.seek_to_committed = found
    await rig.begin(range(3))
    assert await rig.fetch() == [0, 1, 2]
