"""The offset books: what may be committed, what must be fetched again."""

from __future__ import annotations

import pytest
from aiokafka.structs import TopicPartition

from pipeline.delivery.progress import CONFIRMED, Progress

TP = TopicPartition("t", 0)


@pytest.fixture
def books() -> Progress:
    """One partition, read from offset 10 on, in generation 1."""
    progress = Progress()
    progress.begin(1, {TP: 10})
    return progress


def finish(books: Progress, *offsets: int) -> None:
    for offset in offsets:
        books.finish(TP, offset)


def test_only_the_finished_prefix_is_committable(books):
    """Offsets finished behind one that is in work do not move the commit."""
    books.deliver(TP, [10, 11, 12])
    finish(books, 11, 12)
    early = books.committable()

    finish(books, 10)

    assert (early, books.committable()) == ({}, {TP: 13})


def test_committable_until_confirmed(books):
    """A commit that failed is tried again; one that was confirmed is not."""
    books.deliver(TP, [10])
    finish(books, 10)
    first, second = books.committable(), books.committable()

    books.confirm({TP: 11})

    assert first == second == {TP: 11}
    assert books.committable() == {}


def test_a_newer_offset_survives_an_older_confirmation(books):
    """What finished while a commit was under way is committed next time."""
    books.deliver(TP, [10, 11])
    finish(books, 10)
    asked = books.committable()
    finish(books, 11)
    books.committable()

    books.confirm(asked)

    assert books.committable() == {TP: 12}


def test_a_gap_that_was_finished_around_is_passed(books):
    """Offsets that are not in the log (compaction, transaction markers) do not hold the commit up."""
    books.deliver(TP, [10, 14])
    finish(books, 10, 14)

    assert books.committable() == {TP: 15}


def test_records_continue_the_lane(books):
    """What was delivered before is skipped, what follows is taken."""
    books.deliver(TP, [10, 11])

    assert books.continuation(TP, [11, 12, 13]) == 1
    assert books.continuation(TP, [10, 11]) is None


def test_a_gap_is_believed_when_every_fetch_shows_it(books):
    """A hole is fetched again until it has been seen alike often enough to be in the log."""
    seen = [books.continuation(TP, [15, 16]) for _ in range(CONFIRMED)]

    assert seen == [None] * (CONFIRMED - 1) + [0]


def test_another_gap_starts_the_count_again(books):
    """Sightings of different holes do not add up."""
    for _ in range(CONFIRMED - 1):
        books.continuation(TP, [15])

    assert books.continuation(TP, [17]) is None


def test_records_dropped_at_the_end_are_missed(books):
    """A consumer that stands beyond what was delivered is sent back, until the hole is confirmed."""
    short = [books.falls_short(TP, 13) for _ in range(CONFIRMED)]

    assert short == [True] * (CONFIRMED - 1) + [False]
    assert books.lanes[TP].next == 13


def test_a_consumer_that_stands_right_falls_not_short(books):
    """Standing where the next record is due is no hole."""
    books.deliver(TP, [10, 11])

    assert not books.falls_short(TP, 12)


def test_an_ended_assignment_leaves_nothing_to_commit(books):
    """What could not be committed before the partitions went is never committed later."""
    books.deliver(TP, [10])
    finish(books, 10)

    books.forget()

    assert (books.generation, books.committable()) == (None, {})
    books.confirm({TP: 11})
