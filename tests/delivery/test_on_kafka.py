"""Worker processes on a real Kafka: killed, frozen, drained, and struck by a bug.

The trial stage's `count` remembers each offset of a key once, in order: whatever is lost, folded on outdated memory or
remembered twice shows in the changelog.
"""

from __future__ import annotations

import json
import signal
from collections import Counter

import pytest
from delivery.kafka import Kafka, Worker, eventually
from delivery.trial import DEAD, EVENTS, OUT


@pytest.fixture
async def kafka(broker, prefix):
    async with Kafka(broker, prefix) as opened:
        yield opened


async def assert_all_told_and_remembered(kafka: Kafka, count: int) -> list[bytes]:
    """Every record of the inbox was told and handed on, and every key remembers its own, each once and in order."""
    events = await kafka.events(count)
    handed = await kafka.all_of(OUT, until=lambda seen: len({r.value for r in seen}) >= count)
    offsets = [json.loads(held or b"[]") for held in (await kafka.remembered()).values()]
    assert len(set(events)) == len({record.value for record in handed}) == count
    assert sum(map(len, offsets)) == count
    assert all(kept == sorted(set(kept)) for kept in offsets)
    return events


async def test_killed_in_the_middle(kafka, tmp_path):
    """After kill -9 under load, a new worker brings everything to its end: nothing is lost or remembered twice."""
    with Worker(kafka, tmp_path / "first") as first:
        assert await first.said("ready")
        count = await kafka.put([b"count x"] * 3000)
        await kafka.events(300)
        first.signal(signal.SIGKILL)
    with Worker(kafka, tmp_path / "second") as second:
        await assert_all_told_and_remembered(kafka, count)
        second.signal(signal.SIGTERM)

        assert await second.ended() == 0


async def test_drained_under_load(kafka, tmp_path):
    """SIGTERM ends a busy worker with 0, and the next one repeats nothing."""
    with Worker(kafka, tmp_path / "first") as first:
        assert await first.said("ready")
        count = await kafka.put([b"count x"] * 3000)
        first.signal(signal.SIGTERM)
        code = await first.ended()
    with Worker(kafka, tmp_path / "second"):
        events = await assert_all_told_and_remembered(kafka, count)

    assert code == 0
    assert [event for event, times in Counter(events).items() if times > 1] == []


async def test_a_running_call_is_waited_for(kafka, tmp_path):
    """SIGTERM waits for the call that runs, makes no further one, and what was not begun is done by the next worker."""
    calls = tmp_path / "calls"
    with Worker(kafka, tmp_path / "first", slow_s=1.5, calls=str(calls)) as first:
        assert await first.said("ready")
        await kafka.put([b"call x"] * 3, keys=1)
        assert await eventually(calls.exists, 20)
        first.signal(signal.SIGTERM)
        code = await first.ended()
        begun = calls.read_text().split()
    with Worker(kafka, tmp_path / "second", calls=str(calls)):
        events = await kafka.events(1)

    assert (code, begun) == (0, ["begin", "key0", "end", "key0"])
    assert set(events) == {b"x -> done"}


async def test_a_killed_call_is_not_repeated(kafka, tmp_path):
    """A worker that dies during a call leaves its intent; the next one does not call again but parks the request."""
    calls = tmp_path / "calls"
    with Worker(kafka, tmp_path / "first", slow_s=30, calls=str(calls)) as first:
        assert await first.said("ready")
        await kafka.put([b"call x"])
        assert await eventually(calls.exists, 20)
        first.signal(signal.SIGKILL)
    with Worker(kafka, tmp_path / "second", calls=str(calls)):
        events = await kafka.events(1)

    assert events == [b"parked"]
    assert calls.read_text().split() == ["begin", "key0"]


async def test_frozen_beyond_its_session(kafka, tmp_path):
    """A worker that was frozen during a call until another took over ends with 70 when it wakes: what its call brought
    is not written over what its successor decided.
    """
    calls = tmp_path / "calls"
    with Worker(kafka, tmp_path / "first", slow_s=1, calls=str(calls)) as first:
        assert await first.said("ready")
        await kafka.put([b"call x"])
        assert await eventually(calls.exists, 20)
        first.signal(signal.SIGSTOP)
        with Worker(kafka, tmp_path / "second", calls=str(calls)):
            parked = await kafka.events(1)

            first.signal(signal.SIGCONT)
            code = await first.ended()
            count = 1 + await kafka.put([b"pass y"])
            events = await kafka.events(count)

    assert (parked, code) == ([b"parked"], 70)
    assert len(events) == count
    assert calls.read_text().split().count("begin") == 1
    assert await kafka.remembered() == {b"key0": b"over"}


async def test_bad_input_stops_nobody(kafka, tmp_path):
    """A record that cannot be read is buried and committed, and the others go on."""
    with Worker(kafka, tmp_path / "only") as only:
        await kafka.put([b"pass x", b"bad", b"pass y"], keys=1, partition=0)
        events = await kafka.events(2)
        buried = await kafka.all_of(DEAD, until=bool)
        only.signal(signal.SIGTERM)
        await only.ended()

    assert (events, [record.value for record in buried]) == ([b"0/0", b"0/2"], [b"offset 1"])
    assert await kafka.committed() == {0: 3}


WORKERS = [
    pytest.param(
        "delivery.stock_worker",
        id="stock",
        marks=pytest.mark.xfail(strict=True, raises=AssertionError, reason="an exception counts as done"),
    ),
    pytest.param("delivery.trial_worker", id="hardened"),
]


@pytest.mark.parametrize("module", WORKERS)
async def test_a_bug_loses_nothing(kafka, tmp_path, module):
    """A record on which the code fails is not committed: it is still there for the version that can do it."""
    with Worker(kafka, tmp_path / "only", module) as only:
        await kafka.put([b"pass x", b"boom", b"pass y"], partition=0)
        assert await eventually(lambda: "a bug in" in only.log.read_text() or only.running.poll() is not None, 20)
        if only.running.poll() is None:
            await kafka.events(2, within_s=10)
            only.signal(signal.SIGTERM)
        await only.ended()

    assert (await kafka.committed()).get(0, 0) <= 1


async def test_a_bug_ends_the_process(kafka, tmp_path):
    """An exception in a fold ends the worker with 70, and its log names the place but quotes no message."""
    with Worker(kafka, tmp_path / "only") as only:
        await kafka.put([b"boom secret"], partition=0)
        code = await only.ended()

    assert code == 70
    assert "RuntimeError" in only.log.read_text()
    assert "trial.py" in only.log.read_text()
    assert "secret" not in only.log.read_text()


async def test_ordered_per_key(kafka, tmp_path):
    """What is told of one key comes in the order of its records, across batches."""
    with Worker(kafka, tmp_path / "only"):
        count = await kafka.put([b"pass x"] * 1500, keys=1)
        records = await kafka.all_of(EVENTS, until=lambda seen: len(seen) >= count)

    offsets = [int(record.value.split(b"/")[1]) for record in records]
    assert offsets == list(range(count))
