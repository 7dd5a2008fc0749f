"""Reads records that the client would choke on: header names that are not UTF-8, and headers by the hundred thousand.

The broker accepts any bytes as a header's name; the client raises while it unpacks, fetches the same batch again, and
raises again, for ever: one such record from one maker would stop intake for everybody. So where the client's quick
reader fails on a name, that batch is read once more with the client's own Python reader, and the bytes that are no
text become U+FFFD. And an empty header costs two bytes in the log and seventy in memory: of a record with more headers
than intake takes, none is unpacked. What the record is worth is then for the stage to say. Nothing else is forgiven.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecord, _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

from pipeline.domain.deadletters import RECORD_HEADERS_MAX

# In the place of the headers that nobody unpacked: too many as well.
TOO_MANY = [("", None)] * (RECORD_HEADERS_MAX + 1)
_LENGTH_AT, _OVERHEAD = 8, 12  # of a batch: its length in bytes, and what that does not count
_ATTRIBUTES_AT, _CODECS, _RECORDS_AT = 21, 0x07, 61
_SMALL = 64 << 10  # bytes of a batch whose headers are unpacked in no time, however many there are


class _Forgiving(bytearray):
    """Bytes whose slices turn into text whatever they are."""

    def __getitem__(self, where: Any) -> Any:
        found = super().__getitem__(where)
        return _Forgiving(found) if isinstance(where, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        del errors
        return super().decode(encoding, "replace")


class _ForgivingBatch(_DefaultRecordBatchPy):
    """The client's Python reader; unpacks no headers where there are too many."""

    _buffer: bytearray
    _pos: int

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Forgiving(self._buffer)

    def _read_msg(self) -> Any:
        body, end = _extent(self._buffer, self._pos)
        fields, at = _fields(self._buffer, body)
        if decode_varint(self._buffer, at)[0] <= RECORD_HEADERS_MAX:
            return super()._read_msg()
        self._pos = end
        late, offset, key, value = fields
        time_ms = self.max_timestamp if self.timestamp_type == self.LOG_APPEND_TIME else self.first_timestamp + late
        return DefaultRecord(self.base_offset + offset, time_ms, self.timestamp_type, key, value, TOO_MANY)


def _extent(buffer: Any, at: int) -> tuple[int, int]:
    """Where the record that begins here has its fields, and where it ends."""
    length, body = decode_varint(buffer, at)
    return body, body + length


def _fields(buffer: Any, at: int) -> tuple[tuple[int, int, bytes | None, bytes | None], int]:
    """Time and offset, both as differences, key and value of a record; and where its number of headers stands."""
    _, at = decode_varint(buffer, at)
    late, at = decode_varint(buffer, at)
    offset, at = decode_varint(buffer, at)
    held: list[bytes | None] = []
    for _ in ("key", "value"):
        length, at = decode_varint(buffer, at)
        held.append(None if length < 0 else bytes(memoryview(buffer)[at : at + length]))
        at += max(length, 0)
    return (late, offset, held[0], held[1]), at


def _has_too_many(raw: memoryview) -> bool:
    """One of the batch's records has more headers than are worth unpacking. What is compressed is not looked at: the
    public topics hold nothing compressed.
    """
    if len(raw) <= _SMALL or raw[_ATTRIBUTES_AT + 1] & _CODECS:
        return False
    at = _RECORDS_AT
    while at < len(raw):
        body, end = _extent(raw, at)
        if decode_varint(raw, _fields(raw, body)[1])[0] > RECORD_HEADERS_MAX:
            return True
        at = end
    return False


class TolerantBatch:
    """One batch of a fetch; in all but its iteration the client's own."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch, self._raw = batch, raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        if _has_too_many(self._raw):
            yield from _ForgivingBatch(self._raw)
            return
        count = 0
        try:
            for record in self._batch:
                count += 1
                yield record
        except UnicodeDecodeError:
            yield from islice(_ForgivingBatch(self._raw), count, None)


class TolerantRecords:
    """What one partition's fetch brought, batch by batch."""

    def __init__(self, fetched: Any) -> None:
        self._fetched, self._records, self._at = memoryview(fetched), MemoryRecords(fetched), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def next_batch(self) -> TolerantBatch:
        began = self._at
        self._at += _OVERHEAD + struct.unpack_from(">i", self._fetched, began + _LENGTH_AT)[0]
        return TolerantBatch(self._records.next_batch(), self._fetched[began : self._at])


def be_tolerant() -> None:
    """From now on every consumer of this process reads that way. The client offers no door here: its name for the
    reader is replaced.
    """
    fetcher.MemoryRecords = TolerantRecords
