"""What is held, what wins, what is written again: positions decide, not the order of arrival."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery.late_writes import Tail, overtaken
from pipeline.delivery.loading import ForeignRecord, Loaded
from pipeline.delivery.memory import Held, Shelf, outranks
from pipeline.postings import Phase, Posting, position, position_header

TP = TopicPartition("desk", 3)


class Row(NamedTuple):
    """A changelog record."""

    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    offset: int = 0


def a_shelf(**held: Held) -> Shelf:
    """One that was loaded with these."""
    return Shelf({key.encode(): each.packed() for key, each in held.items()})


def row(key: bytes, at: int, value: bytes | None) -> Row:
    return Row(key, value, position_header(at))


@given(st.builds(Held, st.integers(0, 2**60), st.none() | st.binary()))
def test_what_is_packed_is_unpacked(held):
    """Position and value come back as they were; nothing, and an empty value, are told apart."""
    assert Held.unpacked(held.packed()) == held
    assert outranks(held.packed(), held.position - 1)
    assert not outranks(held.packed(), held.position)


def test_a_shelf_is_read_while_it_changes():
    """Who reads everything a little at a time sees what is held by then: changed, gone and come entries do no harm."""
    shelf = a_shelf(one=Held(1, b"1"), two=Held(2, b"2"), three=Held(3, b"3"), four=Held(4, b"4"))
    shelf.keeps_tombstones = False
    reading = shelf.items()

    first = next(reading)
    shelf.note(b"two", 10, None)
    shelf.note(b"three", 11, b"new")
    shelf.note(b"five", 12, b"5")

    assert [first, *reading] == [(b"one", b"1"), (b"three", b"new"), (b"four", b"4")]


def test_a_lower_position_changes_nothing():
    """A write that something later has overtaken is refused, and what is held stays."""
    shelf = a_shelf(k=Held(9, b"new"))

    assert not shelf.note(b"k", 8, b"old")
    assert shelf.held(b"k") == Held(9, b"new")


@pytest.mark.parametrize("at", [9, 10])
def test_the_same_or_a_higher_position_is_held(at):
    """A replay of the same write, and everything later, is taken."""
    shelf = a_shelf(k=Held(9, b"old"))

    assert shelf.note(b"k", at, b"new")
    assert shelf.recall(b"k") == b"new"


def test_a_tombstone_still_wins_over_late_writes():
    """While something older may arrive, a forgotten key keeps its position."""
    shelf = Shelf()
    shelf.note(b"k", 9, b"there")
    shelf.note(b"k", 17, None)

    assert not shelf.note(b"k", 10, b"late")
    assert (shelf.recall(b"k"), list(shelf.items())) == (None, [])


def test_of_two_owners_of_one_moment_the_later_one_counts():
    """Both folded the same message, under different settings, and the write of the first came last. The second has
    acted on its own. Found by the simulator: an AdminTask was told, and nobody could decide it (seed 19398).
    """
    first, second = (position(1, Phase.MEMORY, generation) for generation in (5, 6))
    loaded = Loaded()
    loaded.take(TP, [row(b"k", second, b"waiting"), row(b"k", first, b"approved by rule")])
    shelf = a_shelf(k=Held(second, b"waiting"))

    [again] = overtaken({b"k": first}, shelf, TP)

    assert Shelf(loaded.held[TP]).held(b"k") == Held(second, b"waiting")
    assert loaded.late == {TP: {b"k": first}}
    assert (again.value, again.headers) == (b"waiting", position_header(second))


def test_tombstones_go_when_nothing_older_can_come():
    """After the check for late writes memory holds only what is remembered, and forgetting leaves nothing."""
    shelf = a_shelf(gone=Held(1, None), here=Held(2, b"v"), soon=Held(3, b"w"))

    shelf.settle()
    shelf.note(b"soon", 4, None)

    assert (shelf.held(b"gone"), shelf.held(b"soon")) == (None, None)
    assert list(shelf.items()) == [(b"here", b"v")]


def test_loading_keeps_the_highest_position():
    """Of a key's records the one with the highest position counts, wherever it stands in the log."""
    loaded = Loaded()

    loaded.take(TP, [row(b"k", 9, b"first"), row(b"k", 17, b"later"), row(b"k", 10, b"a zombie's")])

    assert Shelf(loaded.held[TP]).held(b"k") == Held(17, b"later")
    assert loaded.records == 3


def test_loading_says_whose_last_record_is_not_the_winner():
    """Such a key is named with the position of that record, until a winner follows: compaction would keep the last."""
    loaded = Loaded()

    loaded.take(TP, [row(b"k", 17, b"ours"), row(b"k", 10, b"late"), row(b"gone", 18, None), row(b"gone", 11, b"late")])
    loaded.take(TP, [row(b"well", 9, b"x"), row(b"well", 8, b"late"), row(b"well", 9, b"x"), row(b"gone", 9, b"late")])

    assert loaded.late == {TP: {b"k": 10, b"gone": 9}}


def test_loading_remembers_tombstones():
    """A tombstone with the highest position hides what a zombie wrote after it."""
    loaded = Loaded()

    loaded.take(TP, [row(b"k", 9, b"there"), row(b"k", 17, None), row(b"k", 10, b"a zombie's")])

    assert Shelf(loaded.held[TP]).recall(b"k") is None


NO_POSITIONS = [(), (("rw-position", b""),), (("rw-position", b"x"),), (("rw-position", b"-1"),)]
NO_POSITIONS += [(("rw-position", b"%d" % 2**62),), (("rw-position", b"9" * 5000),), (("rw-position", None),)]


@pytest.mark.parametrize("headers", NO_POSITIONS)
@pytest.mark.parametrize("reader", [Loaded, Tail])
def test_loading_refuses_foreign_records(reader, headers):
    """A record without a position was not written by us: the process does not start on guesses, and says which record
    it is and what to do.
    """
    foreign = Row(b"k", b"v", headers, offset=17)

    with pytest.raises(ForeignRecord, match=r"desk, partition 3, offset 17: .* Take the right to write to desk from"):
        reader().take(TP, [row(b"k", 9, b"ours"), foreign])


def test_the_highest_position_is_held():
    """What the reader lets in can be packed."""
    loaded = Loaded()

    loaded.take(TP, [row(b"k", 2**62 - 1, b"v")])

    assert Shelf(loaded.held[TP]).held(b"k") == Held(2**62 - 1, b"v")


def test_overtaken_state_is_written_again():
    """Where something older is the last record of a key, our own state goes into the log once more, as it was."""
    tail = Tail()
    tail.take(TP, [row(b"k", 17, b"ours"), row(b"k", 10, b"late"), row(b"gone", 10, b"late"), row(b"fine", 10, b"x")])
    shelf = a_shelf(k=Held(17, b"ours"), gone=Held(18, None), fine=Held(10, b"x"))

    again = overtaken(tail.last[TP], shelf, TP)

    expected = [(b"k", b"ours", 17), (b"gone", None, 18)]
    assert again == [Posting("desk", 3, key, value, position_header(at)) for key, value, at in expected]


def test_a_look_keeps_only_what_was_overtaken():
    """Of all the keys that were written meanwhile, those stay in hand whose last write is older than what is held."""
    tail = Tail()
    tail.take(TP, [row(b"k", 17, b"ours"), row(b"k", 10, b"late"), row(b"fine", 10, b"x"), row(b"other", 5, b"y")])

    tail.keep_overtaken(TP, a_shelf(k=Held(17, b"ours"), fine=Held(10, b"x")))

    assert tail.last == {TP: {b"k": 10}}


def test_what_we_do_not_hold_is_left_alone():
    """A record of a key that we know nothing of is not ours to undo."""
    assert overtaken({b"other": 5}, Shelf(), TP) == []
