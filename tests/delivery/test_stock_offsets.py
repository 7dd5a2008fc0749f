"""Defects of stock Faust in its offset books, each shown on both: stock must fail, or the test would prove nothing."""

from __future__ import annotations

import asyncio

from delivery.rigs import HardenedRig, Rig, both
from delivery.scripted import HERE


@both("#606: without a committed offset, any acknowledged offset is committed")
async def test_first_commit_stays_behind_what_is_in_work(rig):
    """In a group that has committed nothing yet, a finished record does not commit those before it."""
    await rig.begin(range(6))
    await rig.fetch()

    rig.finish(5)

    assert await rig.commit() == []


@both("#606: an offset in work right behind the committed one is passed")
async def test_commit_stays_behind_what_is_in_work(rig):
    """While the first delivered record is in work, records finished behind it are not committed."""
    await rig.begin(range(10, 13), at=10)
    await rig.fetch()

    rig.finish(11, 12)

    assert await rig.commit() == []


@both("_add_gap counts the record right behind a gap as acknowledged")
async def test_the_record_behind_a_gap_is_not_finished(rig):
    """A gap in the offsets (compaction) does not acknowledge the record that follows it."""
    await rig.begin([10, 13, 14], at=10)
    await rig.fetch()

    rig.finish(10, 14)

    assert await rig.commit() == [11]


@both("#502: finished offsets are thrown away before the last commit of a revocation")
async def test_finished_offsets_are_committed_at_a_revocation(rig):
    """What is finished when the partitions go is committed before they go."""
    await rig.begin(range(4))
    await rig.fetch()
    rig.finish(0, 1, 2, 3)

    await rig.consumer.on_partitions_revoked({HERE})
    await rig.commit()

    assert rig.partition.commits == [4]


@both("PR 692: the books move although the commit failed")
async def test_a_failed_commit_is_tried_again(rig):
    """A commit that the broker did not take is repeated, without any new record."""
    await rig.begin(range(2))
    await rig.fetch()
    rig.finish(0, 1)
    take, rig.partition.commit = rig.partition.commit, refuse
    await rig.commit()
    rig.partition.commit = take

    assert await rig.commit() == [2]


async def refuse(_) -> bool:
    return False


@both("a commit returns without committing when another one is running")
async def test_a_commit_is_not_swallowed_by_another(rig):
    """Whoever asks for a commit gets what was finished by then committed, even while one is under way."""
    await rig.begin(range(3))
    await rig.fetch()
    take, gate = rig.partition.commit, asyncio.Event()

    async def slow(offsets):
        await gate.wait()
        return await take(offsets)

    rig.partition.commit = slow
    rig.finish(0)
    first = asyncio.ensure_future(rig.commit())
    await asyncio.sleep(0)
    rig.finish(1, 2)
    second = asyncio.ensure_future(rig.commit())
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, second)

    assert rig.partition.commits[-1] == 3


@both("#596: records are delivered between the seek and the opening of the queues, and thrown away there")
async def test_nothing_is_delivered_between_seek_and_resume(rig):
    """After recovery's seek nothing is handed out before the queues are open: what comes then would be dropped."""
    await rig.begin(range(4))
    rig.app.flow_control.suspend()
    if isinstance(rig, HardenedRig):
        rig.consumer.want_seek()
    await rig.consumer.perform_seek()

    delivered = await fetch_for_a_while(rig)

    assert delivered == []


async def fetch_for_a_while(rig: Rig) -> list[int]:
    running = asyncio.ensure_future(rig.consumer._drain_messages(rig.fetcher))
    for _ in range(50):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return sorted(rig.delivered)


@both("#596: records that were fetched and dropped are taken for a gap in the log")
async def test_dropped_records_are_fetched_again(rig):
    """Records that were lost between broker and consumer come again before anything behind them is delivered."""
    await rig.begin(range(8))
    rig.partition.chunk = 2
    await rig.partition.getmany(None, 0)  # offsets 0 and 1 are fetched, and lost

    assert await rig.fetch() == list(range(8))


@both("records dropped at the end of a partition are missed until another one arrives")
async def test_dropped_records_at_the_end_are_fetched_again(rig):
    """When the last records of a partition were lost, the next empty fetch notices."""
    await rig.begin(range(2))
    await rig.partition.getmany(None, 0)

    assert await rig.fetch() == [0, 1]


@both("perform_seek is also called when the flow is found stopped, and forgets what the last commit needs")
async def test_a_seek_nobody_wanted_keeps_the_books(rig):
    """A fetch that finds the flow stopped neither moves the position nor forgets what is finished."""
    await rig.begin(range(4), at=None)
    await rig.fetch()
    rig.finish(0, 1)
    rig.consumer.stop_flow()
    position = rig.partition.position

    await rig.consumer.perform_seek()

    assert rig.partition.position == position
    assert await rig.commit() == [2]


async def test_an_ended_assignment_is_never_committed():
    """What could not be committed before the partitions went is not committed after they went."""
    rig = HardenedRig()
    await rig.begin(range(2))
    await rig.fetch()
    rig.finish(0, 1)
    take, rig.partition.commit = rig.partition.commit, refuse
    await rig.consumer.on_partitions_revoked({HERE})
    rig.partition.commit = take

    assert await rig.commit() == []


async def test_an_earlier_assignment_finishes_nothing():
    """A record finished under an earlier assignment does not count for its delivery under the present one."""
    rig = HardenedRig()
    await rig.begin(range(2))
    await rig.fetch()
    earlier = list(rig.delivered.values())
    rig.member.generation = rig.app.consumer_generation_id = 2
    await rig.begin(range(2))
    await rig.fetch()

    rig.consumer.finish(earlier)

    assert await rig.commit() == []
    rig.finish(0, 1)
    assert await rig.commit() == [2]


async def test_what_is_in_work_at_a_revocation_is_waited_for_and_committed():
    """A revocation waits until what was begun is finished, and that is committed before the partitions go."""
    rig = HardenedRig()
    await rig.begin(range(3))
    await rig.fetch()
    revoking = asyncio.ensure_future(rig.consumer.on_partitions_revoked({HERE}))
    for _ in range(20):
        await asyncio.sleep(0)
    early = (revoking.done(), list(rig.partition.commits))

    rig.finish(0, 1, 2)
    await revoking

    assert early == (False, [])
    assert rig.partition.commits == [3]
