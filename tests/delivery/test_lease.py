"""The lease: counted from the sending of an accepted heartbeat, and nothing is written without it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError

from pipeline.delivery.lease import NO_GENERATION, Lease, LeaseLost
from pipeline.delivery.producer import LeasedPoster
from pipeline.postings import Posting

POSTING = Posting("t", 0, b"k", b"v", ())


class Group:
    """A coordinator as the lease sees it, a clock, and the books."""

    def __init__(self, session_s: float = 10.0) -> None:
        self.generation = 1
        self.accepts = True
        self.now = 100.0
        self.committed: list[Any] = []
        self.while_asked = lambda: None
        self.books = SimpleNamespace(generation=1)
        self.lease = Lease("rw-trial", session_s, self.books, lambda: self.now)
        self.lease.watch(self)

    async def _do_heartbeat(self) -> bool:
        self.while_asked()
        return self.accepts

    async def _do_rejoin_group(self, subscription: Any) -> bool:
        self.while_asked()
        return bool(subscription)

    async def _do_commit_offsets(self, assignment: Any, offsets: Any) -> None:
        self.committed.append((assignment, offsets))


class Pool:
    """A producer that notes what is sent; its answers come when told."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.shared = self
        self.posters: list[LeasedPoster] = []
        self.answers: list[asyncio.Future[None]] = []

    async def send(self, *record: Any) -> asyncio.Future[None]:
        self.sent.append(record)
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]


async def test_counted_from_when_the_heartbeat_was_sent():
    """What matters is when we asked, not when the answer came."""
    group = Group()

    def answer_late() -> None:
        group.now += 3

    group.while_asked = answer_late
    await group._do_heartbeat()

    assert group.lease.left_s() == 7.0


async def test_no_answer_lets_it_run_out():
    """A heartbeat without success renews nothing; the lease ends, and is not lost for good."""
    group = Group()
    await group._do_heartbeat()
    group.accepts = False
    group.now += 10
    await group._do_heartbeat()

    assert (group.lease.left_s(), group.lease.is_lost()) == (0.0, False)


async def test_a_join_is_followed_by_a_heartbeat():
    """A new member need not wait for its first heartbeat: it is sent at once. A join that failed sends none."""
    group = Group()
    await group._do_rejoin_group(None)
    before = group.lease.left_s()
    await group._do_rejoin_group("topics")

    assert (before, group.lease.left_s()) == (0.0, 10.0)


async def test_a_long_join_leaves_the_whole_lease():
    """A join that waited a session long for a dead member to expire does not use up the lease that it brings.

    Found by chaos: counted from the beginning of the join, the lease ran out under the first writes after it, and a
    worker that had just taken over from a killed one ended with 70, too.
    """
    group = Group()

    def wait_for_the_dead() -> None:
        group.now += 9.9
        group.while_asked = lambda: None

    group.while_asked = wait_for_the_dead
    await group._do_rejoin_group("topics")

    assert group.lease.left_s() == 10.0


async def test_expelled_is_lost():
    """When the broker says that we are no member, the lease is over whatever time it had left."""
    group = Group()
    await group._do_heartbeat()
    group.accepts, group.generation = False, NO_GENERATION
    await group._do_heartbeat()

    assert (group.lease.left_s(), group.lease.is_lost()) == (0.0, True)


async def test_another_generation_is_lost():
    """Partitions of an earlier assignment are not ours under a later one."""
    group = Group()
    await group._do_heartbeat()
    group.generation = 2

    assert (group.lease.left_s(), group.lease.is_lost()) == (0.0, True)


async def test_certain_waits_for_a_renewal():
    """While the broker is away, whoever needs the lease waits; the next accepted heartbeat lets him go on."""
    group = Group()
    waiting = asyncio.ensure_future(group.lease.certain())
    await asyncio.sleep(0)
    early = waiting.done()

    await group._do_heartbeat()
    await waiting

    assert not early


async def test_certain_gives_up_after_one_session():
    """A broker that is away for a whole session ends the waiting."""
    group = Group(session_s=0.01)

    with pytest.raises(LeaseLost, match="no heartbeat accepted"):
        await group.lease.certain()


async def test_certain_ends_at_once_when_expelled():
    """Having been expelled while waiting is final."""
    group = Group()
    waiting = asyncio.ensure_future(group.lease.certain())
    await asyncio.sleep(0)
    group.accepts, group.generation = False, NO_GENERATION
    await group._do_heartbeat()

    with pytest.raises(LeaseLost, match="went on without us"):
        await waiting


async def test_nothing_is_posted_without_the_lease():
    """A worker that was frozen beyond its session sends nothing."""
    group, pool = Group(), Pool()
    await group._do_heartbeat()
    group.now += 11
    group.generation = 2

    with pytest.raises(LeaseLost):
        await LeasedPoster(group.lease, pool).post([POSTING])
    assert pool.sent == []


async def test_a_post_waits_for_a_renewal():
    """While the broker is away nothing is sent; with the next accepted heartbeat it goes out."""
    group, pool = Group(), Pool()
    posting = asyncio.ensure_future(LeasedPoster(group.lease, pool).post([POSTING]))
    await asyncio.sleep(0)
    early = list(pool.sent)

    await group._do_heartbeat()
    await posting

    assert (early, len(pool.sent)) == ([], 1)


async def test_posted_in_order_with_the_lease():
    """With the lease, records go to the client in their order, headers included."""
    group, pool = Group(), Pool()
    await group._do_heartbeat()
    second = POSTING._replace(value=None, headers=(("h", b"1"),))

    answers = await LeasedPoster(group.lease, pool).post([POSTING, second])

    assert pool.sent == [("t", b"v", b"k", 0, None, []), ("t", None, b"k", 0, None, [("h", b"1")])]
    assert list(answers) == pool.answers


async def test_an_unanswered_write_is_given_up_with_the_lease():
    """A write that nobody confirms while the lease runs out ends the waiting."""
    group, pool = Group(session_s=0.02), Pool()
    await group._do_heartbeat()
    poster = LeasedPoster(group.lease, pool)
    answers = await poster.post([POSTING])
    waiting = asyncio.ensure_future(poster.durable(answers))
    await asyncio.sleep(0)

    group.now += 1

    with pytest.raises(LeaseLost, match="unanswered"):
        await waiting


async def test_a_renewed_lease_goes_on_waiting():
    """A write may take longer than one session, as long as heartbeats are accepted."""
    group, pool = Group(session_s=0.05), Pool()
    await group._do_heartbeat()
    poster = LeasedPoster(group.lease, pool)
    waiting = asyncio.ensure_future(poster.durable(await poster.post([POSTING])))
    for _ in range(3):
        group.now += 0.04
        await group._do_heartbeat()
        await asyncio.sleep(0)

    pool.answers[0].set_result(None)
    await waiting

    assert waiting.result() is None


async def test_a_failed_write_is_raised():
    """What the broker refuses is raised to the pump."""
    group, pool = Group(), Pool()
    await group._do_heartbeat()
    poster = LeasedPoster(group.lease, pool)
    answers = await poster.post([POSTING])
    pool.answers[0].set_exception(ConnectionError("refused"))

    with pytest.raises(ConnectionError, match="refused"):
        await poster.durable(answers)


async def test_offsets_are_committed_only_in_their_own_generation():
    """A commit that reaches the client after the group has moved on is refused, not sent under the new generation."""
    group = Group()
    await group._do_commit_offsets("a", "o")
    group.generation = 2

    with pytest.raises(CommitFailedError):
        await group._do_commit_offsets("a", "o")
    assert group.committed == [("a", "o")]
