"""Defects of stock Faust in what it does with a record, each shown on both: stock must fail."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka.structs import TopicPartition
from delivery.rigs import OPTIONS, HardenedRig, StockApp, StockRig, both, turns
from delivery.scripted import HERE
from delivery.trial import INBOX
from faust.stores.memory import Store
from faust.tables.recovery import Recovery

from pipeline.delivery.batch import Delivery
from pipeline.delivery.failure import Refused
from pipeline.delivery.lease import LeaseLost
from pipeline.delivery.loading import Loaded, _seek
from pipeline.delivery.memory import Shelf
from pipeline.delivery.producer import producer_settings
from pipeline.delivery.stage_app import check_versions
from pipeline.postings import Posting, position_header

STOCK = "stock"


def of(defect: str, **of_whom: Any) -> pytest.MarkDecorator:
    """Run with the stock and the hardened value; stock is expected to fail because of this defect."""
    mark = pytest.mark.xfail(strict=True, raises=AssertionError, reason=defect)
    values = [pytest.param(value, marks=mark if name == STOCK else (), id=name) for name, value in of_whom.items()]
    return pytest.mark.parametrize("subject", values)


@both("a payload that cannot be decoded is acknowledged when it is fetched, ahead of what is in work")
async def test_garbage_is_not_acknowledged_when_fetched(rig):
    """A record that is no JSON acknowledges neither itself nor the records before it that are in work."""
    topic = rig.app.topic(INBOX, value_serializer="json")
    rig.app.topics.add(topic)
    await rig.app.topics._update_indices()
    await rig.app.topics.on_partitions_assigned({HERE})
    await rig.begin(range(2))
    rig.partition.log = {0: b"{}", 1: b"\xff not json"}
    rig.consumer.callback = rig.app.topics.on_message
    await rig.fetch()

    assert topic.queue.qsize() == 1
    assert await rig.commit() == []


@both("a failed delivery is logged, and its source committed")
async def test_a_refused_output_acknowledges_nothing(rig):
    """When the broker refuses what a record caused, the record is not committed."""
    await rig.begin([0])
    await rig.fetch()
    await rig.work()

    await rig.refuse()

    assert await rig.commit() == []


@both("the changelog is fire-and-forget: a flush gives up after 0.1 s and the offset is committed")
async def test_no_commit_before_the_changelog_has_it(rig):
    """While a changelog record is unanswered, the record that caused it is not committed."""
    await rig.begin([0])
    rig.partition.log = {0: b"count x"}
    await rig.fetch()
    if isinstance(rig, StockRig):
        await write_table(rig)
    else:
        await rig.work()

    assert await rig.commit() == []


async def write_table(rig: StockRig) -> None:
    """What setting a key of a table does, while the broker is away; then the record ends."""
    await rig.app.producer.maybe_start()
    await rig.app.producer.buffer.start()
    rig.app.producer.moving.clear()
    rig.app.topic("changelog", value_serializer="raw").send_soon(key=b"k", value=b"v")
    rig.finish(0)


@both("an exception leaves the agent, and its record counts as done")
async def test_a_bug_acknowledges_nothing(rig):
    """A record on which a stage fails is not acknowledged, whatever happens to the process."""
    await rig.begin([0])
    rig.partition.log = {0: b"boom"}
    await rig.fetch()
    if isinstance(rig, StockRig):
        await fail_in_stream(rig)
    else:
        await rig.work()

    assert await rig.commit() == []


async def fail_in_stream(rig: StockRig) -> None:
    """What an agent is: a loop over a stream that an exception leaves."""
    topic = rig.app.topic(INBOX, value_serializer="raw")
    stream = rig.app.stream(topic)
    stream.channel.queue.put_nowait(await topic.decode(rig.delivered[0]))
    iterator = stream._py_aiter()
    async with asyncio.timeout(5):
        await anext(iterator)
    with pytest.raises(RuntimeError):
        await iterator.athrow(RuntimeError("a bug"))


@both("a resumed zombie goes on writing")
async def test_a_zombie_writes_nothing(rig):
    """A worker that was frozen until the group went on without it sends nothing any more."""
    await rig.begin([0])
    rig.app.consumer_generation_id = 7
    if isinstance(rig, HardenedRig):
        rig.member.generation = 7
        with pytest.raises(LeaseLost):
            await rig.app.pump.around.poster.post([Posting("out", 0, b"k", b"v", ())])
        sent = rig.producer.sent
    else:
        await rig.app.topic("out", value_serializer="raw").send(value=b"v")
        sent = rig.app.producer.sent

    assert sent == []


def stock_producer_settings() -> dict[str, Any]:
    producer = StockApp("stock", broker="kafka://127.0.0.1:1", store="memory://").producer
    return {**producer._settings_default(), **producer._settings_extra()}


@of("the producer is not idempotent: a retry may repeat or reorder", stock=stock_producer_settings,
    hardened=lambda: producer_settings(OPTIONS))  # fmt: skip
async def test_the_producer_is_idempotent(subject):
    """A retry inside the client neither repeats nor reorders records."""
    settings = subject()

    assert settings.get("enable_idempotence")
    assert settings["acks"] == "all"


def stock_replay(rows: list[Any]) -> bytes | None:
    store = Store("memory://", StockApp("stock", broker="kafka://127.0.0.1:1", store="memory://"), None, table_name="t")
    store.apply_changelog_batch(rows, to_key=lambda key: key, to_value=lambda value: value)
    return store.data.get(b"k")


def hardened_replay(rows: list[Any]) -> bytes | None:
    loaded = Loaded()
    loaded.take(TopicPartition("c", 0), rows)
    return Shelf(loaded.held[TopicPartition("c", 0)]).recall(b"k")


def changelog_row(at: int, value: bytes | None) -> Any:
    """A record as both loaders see it."""
    message = SimpleNamespace(value=value, partition=0)
    return SimpleNamespace(key=b"k", value=value, headers=position_header(at), message=message)


@of("a key that is set to an empty value after its tombstone, in one batch, is dropped", stock=stock_replay,
    hardened=hardened_replay)  # fmt: skip
async def test_an_empty_value_is_a_value(subject):
    """What was forgotten and then remembered again, as nothing but an empty text, is there after loading."""
    rows = [changelog_row(at, value) for at, value in enumerate([b"v", None, b""])]

    assert subject(rows) == b""


class Changelog:
    """A log whose first records are gone, as both loaders see it."""

    def __init__(self) -> None:
        self.sought: list[int] = []

    async def earliest_offsets(self, *tps: Any) -> dict[Any, int]:
        return dict.fromkeys(tps, 50)

    async def beginning_offsets(self, tps: Any) -> dict[Any, int]:
        return dict.fromkeys(tps, 50)

    async def end_offsets(self, tps: Any) -> dict[Any, int]:
        return dict.fromkeys(tps, 60)

    def assign(self, tps: Any) -> None:
        """Nothing to do."""

    def seek(self, tp: Any, offset: int) -> None:
        del tp
        self.sought.append(offset)

    async def seek_wait(self, positions: dict[Any, int]) -> None:
        self.sought += positions.values()


async def stock_start(log: Changelog) -> None:
    app = StockApp("stock", broker="kafka://127.0.0.1:1", store="memory://")
    recovery, offsets = Recovery(app, app.tables), Counter[Any]()
    offsets[HERE] = None
    await recovery._build_offsets(log, {HERE}, offsets, "active")
    await recovery._seek_offsets(log, {HERE}, offsets, "active")


async def hardened_start(log: Changelog) -> None:
    await _seek(log, {HERE: None})


@of("#176: loading begins before the log's start, and never ends", stock=stock_start, hardened=hardened_start)
async def test_loading_begins_at_the_logs_start(subject):
    """A changelog whose first records are gone is read from the first one that is there."""
    log = Changelog()

    await subject(log)

    assert log.sought == [50]


async def skip(rig: StockRig, iterator: Any, stream: Any) -> None:
    message = rig.delivered[0]
    message.generation_id = -5
    stream.channel.queue.put_nowait(await rig.app.topic(INBOX, value_serializer="raw").decode(message))
    pending = asyncio.ensure_future(anext(iterator))
    await turns()
    pending.cancel()
    await asyncio.gather(pending, return_exceptions=True)


@of("the pure Python iterator acknowledges events that it skips", stock="_py_aiter", hardened="_c_aiter")
async def test_skipped_events_are_not_acknowledged(subject):
    """An event of an earlier assignment is skipped and not acknowledged: so we demand the compiled iterator."""
    rig = StockRig()
    await rig.begin([0])
    await rig.fetch()
    stream = rig.app.stream(rig.app.topic(INBOX, value_serializer="raw"))
    await skip(rig, getattr(stream, subject)(), stream)

    assert not rig.delivered[0].acked


async def test_a_delivery_of_an_earlier_assignment_is_given_back():
    """What was fetched under another generation is neither worked on nor finished."""
    rig = HardenedRig()
    await rig.begin([0])
    await rig.fetch()
    stale = Delivery(generation=0, records=list(rig.delivered.values()), open=2, message=SimpleNamespace(acked=False))
    stream = SimpleNamespace(noack=lambda: SimpleNamespace(events=lambda: events(SimpleNamespace(value=stale))))

    await rig.app._feed(stream)

    assert rig.app.pump.held.records == 0
    assert await rig.commit() == []


async def events(*given: Any) -> Any:
    for each in given:
        yield each


@pytest.mark.parametrize(
    ("faust_version", "aiokafka_version", "is_compiled"),
    [("0.15.2", "0.14.0", True), ("0.15.3", "0.13.0", True), ("0.15.3", "0.15.0", True), ("0.15.3", "0.14.0", False)],
)
def test_other_libraries_are_refused(faust_version, aiokafka_version, is_compiled):
    """Whatever private behaviour was not verified is not relied upon."""
    with pytest.raises(Refused, match="faust-streaming"):
        check_versions(faust_version, aiokafka_version, is_compiled=is_compiled)


def test_the_installed_libraries_are_the_verified_ones():
    """What is installed here may run."""
    is_compiled = faust.streams._CStreamIterator is not None

    assert check_versions(faust.__version__, "0.14.0", is_compiled=is_compiled) is None
