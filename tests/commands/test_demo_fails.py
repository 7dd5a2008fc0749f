"""The demo can fail: when requests do not end as announced, it says which, and shows what the worker said last."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipeline.local.demo import demo_settings
from pipeline.local.demo_cast import CAST
from pipeline.local.demo_play import Play
from pipeline.local.intouch import StandIn
from pipeline.local.worker import LocalWorker
from pipeline.provision import create_missing
from pipeline.settings import Settings
from pipeline.topology import wanted_topics


@pytest.fixture
async def stand_in():
    """A stand-in that answers everything as usual: it refuses nothing."""
    made = StandIn()
    yield made
    await made.stop()


@pytest.fixture
async def settings(broker) -> Settings:
    """The demo's own settings, with topics."""
    made = demo_settings(Settings(kafka_bootstrap_servers=(broker,)))
    await create_missing(made, wanted_topics(made))
    return made


async def perform(settings: Settings, stand_in: StandIn, *, allowed: bool = True) -> tuple[bool, str]:
    """Whether the play went as announced, and what it showed."""
    origin = await stand_in.start()
    if allowed:
        settings = settings.model_copy(update={"intouch_allowed_hosts": (origin,)})
    console = Console(file=io.StringIO(), width=160)
    async with LocalWorker(settings) as worker:
        is_good = await Play(settings, console, stand_in, worker, origin).perform()
    assert isinstance(console.file, io.StringIO)
    return is_good, console.file.getvalue()


async def test_another_ending_is_named(settings, stand_in):
    """When Intouch does what it was announced to refuse, that one request is named, and the others are as announced."""
    is_good, out = await perform(settings, stand_in)

    assert not is_good
    assert out.count("Not as announced") == 1
    assert "Not as announced: POINTS_REDEMPTION, redeem more points than there are" in out
    assert f"{len(CAST) - 1} of {len(CAST)} requests ended as announced" in out
    assert "The worker's last lines (it still runs)" in out


async def test_refused_before_the_desk_is_not_approved(settings, stand_in):
    """With an empty allow-list every request fails, nothing is called, and none fails as it was announced to."""
    is_good, out = await perform(settings, stand_in, allowed=False)

    assert not is_good
    assert not stand_in.calls
    assert out.count("Not as announced") == len(CAST)
    assert "host-not-allowed" in out


async def test_worker_that_ends_is_told(settings, stand_in):
    """A worker that does not start ends the play at once, with its exit code and its own words."""
    is_good, out = await perform(settings.model_copy(update={"seal_keys": None}), stand_in)

    assert not is_good
    assert "The worker ended in the middle of the story, with exit code 1." in out
    assert "RW_SEAL_KEYS is not set" in out
