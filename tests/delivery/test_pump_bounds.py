"""What one record or one micro-batch may take: of a topic, and of the loop."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from itertools import pairwise

import pytest
from delivery.doubles import seen_meanwhile
from delivery.trial import DEAD, EVENTS, OUT, TABLE, Said, TrialCall

from pipeline.domain.messages import DEAD_LETTERS
from pipeline.postings import POSTING_BYTES_MAX
from pipeline.stages import Note, Step, Write
from pipeline.surroundings import Limits

LARGE = b"x" * (POSTING_BYTES_MAX + 1)
SMALL = {"memory": (Write(TABLE, b"small"),), "handovers": (Said(OUT, b"k", b"small"),)}
TOO_LARGE = {
    TABLE: {"memory": (Write(TABLE, LARGE),)},
    EVENTS: {"events": (Said(EVENTS, b"k", LARGE),)},
    OUT: {"events": (Said(EVENTS, b"k", b"small"),), "handovers": (Said(OUT, b"k", LARGE),)},
    DEAD: {"events": (Said(DEAD, b"k", LARGE),)},
    "a call": {"memory": (Write(TABLE, LARGE),), "call": TrialCall(b"k", b"x"), "handovers": ()},
    "a reduction": {"afterwards": (Write(TABLE, LARGE),)},
}


@pytest.mark.parametrize("where", TOO_LARGE)
async def test_what_no_topic_takes_stops_nobody(world, where):
    """A fold that says more than a topic takes costs its record a dead letter, nothing of it is remembered, told or
    called, and the record behind it goes on.

    The story: a public record of 0.9 MB with 400,000 tiny headers made a dead letter of more than 3 MB. The client
    refused to send it, the worker ended with 70, and so it did after each restart, for ever.
    """

    def fold(arrival, *_):
        if arrival.offset == 1:
            return Step(Note("passed", "r2"), events=(Said(EVENTS, b"k", b"good"),))
        return Step(Note("passed", "r1"), **{**SMALL, **TOO_LARGE[where]})

    quick = world(fold=fold)
    quick.feed("pass heavy", "pass good")
    await quick.until(lambda: len(quick.finished) == 2)

    letter, good = quick.log
    said = json.loads(letter.value)
    assert (letter.topic, good.value) == (f"t.{DEAD_LETTERS}", b"good")
    assert (said["reason"], said["requestId"], said["sealed"], len(said["sha256"])) == ("too-large", "r1", None, 64)
    assert (said["source"]["offset"], quick.steps[0].note.outcome) == (0, "dead")
    assert (quick.calls, list(quick.table.shelf.items()), quick.fatal) == ([], [], [])


async def test_what_a_topic_just_takes_is_posted(world):
    """The bound is inclusive, and counts key, value and headers."""
    text = b"x" * (POSTING_BYTES_MAX - len(b"krw-kindtrial"))
    quick = world(fold=lambda *_: Step(Note("passed"), events=(Said(EVENTS, b"k", text),)))
    quick.feed("pass x")
    await quick.until(lambda: bool(quick.finished))

    assert [len(posting.value) for posting in quick.log] == [len(text)]


async def test_heavy_records_do_not_stop_the_loop(world):
    """However many records one fetch brought and however long each of them takes to fold, the loop has its turn after
    the share of time of one micro-batch, and no record is left behind.

    The story: sixteen records of a megabyte, each of them 1.3 s of folding, were one micro-batch by their count. The
    loop stood for longer than the session, the group expelled the worker, and its successor met the same sixteen.
    """

    def fold(arrival, *_):
        made.now_s += 0.03
        return Step(Note("passed"), events=(Said(EVENTS, b"k", b"%d" % arrival.offset),))

    made = world(Limits(fold_s=0.05), fold=fold)
    made.feed(*["pass x"] * 40)
    async with asyncio.timeout(5):
        seen = await seen_meanwhile(made, 40)

    assert max(after - before for before, after in pairwise(seen)) == pytest.approx(0.06)
    assert made.finished == list(range(40))


async def test_the_loop_gets_more_than_one_turn(world):
    """After a micro-batch that took its whole time, a chain of many turns comes to its end before the next one: a
    heartbeat is a timer, a task, a socket and an answer, and a record of seconds between any two of them is too much.
    """

    async def chain():
        for _ in range(30):
            await asyncio.sleep(0)
        return len(folded)

    def fold(*_):
        made.now_s += 1.0
        folded.append(asyncio.ensure_future(chain()))
        return Step(Note("passed"))

    folded = []
    made = world(fold=fold)
    made.feed(*["pass x"] * 5)
    await made.until(lambda: len(made.finished) == 5)

    assert await asyncio.gather(*folded) == [1, 2, 3, 4, 5]


async def test_a_micro_batch_is_bounded_in_bytes(world):
    """The record that reaches the bound is the last one of its micro-batch; one alone may be larger."""
    quick = world(Limits(fold_bytes=100))
    quick.feed("pass " + "x" * 200, "pass " + "x" * 50, "pass " + "x" * 50, "pass x")
    await quick.until(lambda: len(quick.finished) == 4)

    assert Counter(quick.posts) == {1: 4, 2: 2}  # one, two and one record, each with an event and a handover
