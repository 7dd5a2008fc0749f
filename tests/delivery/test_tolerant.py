"""A header's name that is no text must not stop the records beside it, nor headers without number cost memory."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from pipeline.delivery.tolerant import TOO_MANY, TolerantRecords, be_tolerant
from pipeline.domain.deadletters import RECORD_HEADERS_MAX

CRC_AT, CRC_FROM = 17, 21


def batch(*names: str, first: int = 0) -> bytearray:
    """A batch of one record per header name, as a broker would send it."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=10_000,
    )  # fmt: skip
    for offset, name in enumerate(names):
        builder.append(offset, 1, b"k", b"v%d" % offset, [(name, b"x"), ("plain", None)])
    built = bytearray(builder.build())
    struct.pack_into(">q", built, 0, first)
    return built


def spoilt(built: bytearray) -> bytearray:
    """The same with a name that is no UTF-8, and a checksum that fits."""
    at = built.index(b"HHHH")
    built[at : at + 4] = b"\xff\xfeHH"
    struct.pack_into(">I", built, CRC_AT, calc_crc32c(bytes(built[CRC_FROM:])))
    return built


def names(fetched: bytes, reader: type) -> list[tuple[int, str]]:
    records, found = reader(fetched), []
    while records.has_next():
        found += [(record.offset, record.headers[0][0]) for record in records.next_batch()]
    return found


FETCHED = bytes(batch("a", "b") + spoilt(batch("c", "HHHH", "d", first=2)) + batch("e", first=5))

FOR_EVER = pytest.mark.xfail(strict=True, raises=UnicodeDecodeError, reason="raises on this batch, for ever")
READERS = [
    pytest.param(MemoryRecords, id="stock", marks=FOR_EVER),
    pytest.param(TolerantRecords, id="hardened"),
]


@pytest.mark.parametrize("reader", READERS)
def test_a_name_that_is_no_text_stops_nobody(reader):
    """The record is delivered with the bytes replaced, and all others as they are, each once."""
    expected = [(0, "a"), (1, "b"), (2, "c"), (3, "\ufffd\ufffdHH"), (4, "d"), (5, "e")]

    assert names(FETCHED, reader) == expected


def test_everything_else_is_the_clients_own():
    """Values, null headers, checksums and offsets come as the client reads them."""
    records = TolerantRecords(FETCHED)
    records.next_batch()
    second = records.next_batch()

    assert second.validate_crc()
    assert (second.base_offset, second.next_offset, second.is_control_batch) == (2, 5, False)
    found = list(second)
    assert [(record.key, record.value, record.headers[1]) for record in found] == [
        (b"k", b"v%d" % at, ("plain", None)) for at in range(3)
    ]


def test_the_client_reads_that_way():
    """Once asked for, every consumer of the process is tolerant."""
    be_tolerant()

    assert fetcher.MemoryRecords is TolerantRecords


def crowded(counts: list[int], *, name: str = "", size: int = 3_000_000) -> bytes:
    """A batch of one record per number, with so many headers."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=size,
    )  # fmt: skip
    for offset, count in enumerate(counts):
        assert builder.append(offset, 7 + offset, b"k", b"v%d" % offset, [(name, None)] * count) is not None
    return bytes(builder.build())


@pytest.mark.parametrize("name", ["", "HHHH"])
def test_headers_without_number_are_not_unpacked(name):
    """In their place stand as many empty ones as are too many; key, value, time and the neighbours are as they were."""
    fetched = spoilt(bytearray(crowded([2, 100_000, 2], name=name))) if name else crowded([2, 100_000, 2])

    found = list(TolerantRecords(bytes(fetched)).next_batch())

    assert [(r.offset, r.timestamp, r.key, r.value) for r in found] == [
        (at, 7 + at, b"k", b"v%d" % at) for at in range(3)
    ]
    assert [len(record.headers) for record in found] == [2, len(TOO_MANY), 2]


def test_as_many_headers_as_may_be_are_all_there():
    """The bound is inclusive, also in a batch that is looked through."""
    found = list(TolerantRecords(crowded([RECORD_HEADERS_MAX] * 40)).next_batch())

    assert [record.headers for record in found] == [[("", None)] * RECORD_HEADERS_MAX] * 40


def test_a_record_of_headers_takes_no_memory():
    """A million and a half headers, as many as the largest record holds, are read within 20 MB beside the record."""
    fetched = crowded([1_490_000])
    tracemalloc.start()
    try:
        [record] = TolerantRecords(fetched).next_batch()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert record.value == b"v0"
    assert peak < 20_000_000
