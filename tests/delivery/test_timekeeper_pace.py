"""How often the timekeeper looks: less where a look costs much, soon again where it had to leave some out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any

import pytest
from delivery.doubles import ShelfTable, World
from delivery.timed import STAGE, answer, asked, hold
from delivery.trial import INBOX
from simulation.loop import run

from pipeline.postings import Posting
from pipeline.stages import Stage
from pipeline.surroundings import Limits, Surroundings


class Tedious(ShelfTable):
    """Takes a second to show what it holds."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def everything(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        self._world.now_s += 1
        yield from super().everything(partition)


class TediousWorld(World):
    def _surroundings(self, stage: Stage) -> Surroundings:
        self.table = Tedious(self)
        return super()._surroundings(stage)


@pytest.mark.parametrize(("share", "looks"), [(1e-9, 1), (1e9, 50)])
async def test_what_a_look_costs_is_waited_out(share, looks):
    """Much memory is looked through less often, so that looking never takes more than its share of the loop: with a
    tiny one the second look is years away.
    """
    world = TediousWorld(STAGE, Limits(look_s=0, look_share=share))
    world.pump.start()
    for _ in range(5):
        await world.settle()
    await world.pump.stop()

    assert (len(world.censuses) >= looks, len(world.censuses) > 1) == (True, looks > 1)


def looks_in(seconds: float, limits: Limits, *keys: str) -> int:
    """How often memory with these due entries is looked through in so many (virtual) seconds; none is answered."""

    async def live() -> int:
        world = World(STAGE, limits)
        hold(world, *keys)
        world.pump.start()
        await asyncio.sleep(seconds)
        await world.pump.stop()
        return len(world.censuses)

    looks: int = run(live())
    return looks


def test_more_than_may_be_asked_about_is_looked_at_again_soon():
    """After a look that had to leave some out the next one comes early; else at its usual time, however full it is."""
    limits = Limits(dues=2, look_s=2.0, look_again_s=0.2)

    assert looks_in(10.1, limits, "r1", "r2") == 5
    assert looks_in(10.1, limits, "r1", "r2", "r3") == 1 + 40


class PromptWorld(World):
    """A `Due` comes out of the inbox as soon as it is in."""

    async def post(self, postings: Sequence[Posting]) -> Sequence[Awaitable[Any]]:
        for key in [posting.key.decode() for posting in postings if posting.topic == f"t.{INBOX}"]:
            answer(self, key)
        return await super().post(postings)


def test_a_look_that_left_some_out_is_repeated_soon_although_the_others_are_answered():
    """What counts is that some were left out, not how many are under way when it ends: they may be answered by then.
    (With a thousand to be asked, five hundred went at once, and the others two seconds later.)
    """

    async def live() -> list[str]:
        world = PromptWorld(STAGE, Limits(dues=1, look_s=2.0, look_again_s=0.2))
        hold(world, "r1", "r2", "r3")
        world.pump.start()
        await asyncio.sleep(3)
        await world.pump.stop()
        return asked(world)

    assert run(live()) == ["r1", "r2", "r3"]


def test_whoever_was_left_out_is_asked_about_first():
    """A `Due` may be without effect, again and again: those behind it get their turn before it gets another. (Five
    hundred requests that were not to go first kept the one that was from finding out that its origin is back.)
    """

    async def live() -> list[str]:
        world = PromptWorld(STAGE, Limits(dues=1, look_s=2.0, look_again_s=0.2))
        hold(world, "r1", "r2", "r3", rest="stays")
        world.pump.start()
        await asyncio.sleep(5)
        await world.pump.stop()
        return asked(world)

    assert run(live())[:6] == ["r1", "r2", "r3"] * 2
