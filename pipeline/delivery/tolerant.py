"""Reads records whose header names are not UTF-8. Nothing else is forgiven.

The broker accepts any bytes as a header's name; the client raises while it unpacks, fetches the same batch again, and
raises again, for ever: one such record from one maker would stop intake for everybody. So where the client's quick
reader fails on a name, that batch is read once more with the client's own Python reader, and the bytes that are no
text become U+FFFD. What the record is worth is then for the stage to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy


class _Forgiving(bytearray):
    """Bytes whose slices turn into text whatever they are."""

    def __getitem__(self, where: Any) -> Any:
        found = super().__getitem__(where)
        return _Forgiving(found) if isinstance(where, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        del errors
        return super().decode(encoding, "replace")


class TolerantBatch:
    """One batch of a fetch; in all but its iteration the client's own."""

    def __init__(self, batch: Any, fetched: Any, index: int) -> None:
        self._batch, self._fetched, self._index = batch, fetched, index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        count = 0
        try:
            for record in self._batch:
                count += 1
                yield record
        except UnicodeDecodeError:
            yield from islice(_read_again(self._fetched, self._index), count, None)


class TolerantRecords:
    """What one partition's fetch brought, batch by batch."""

    def __init__(self, fetched: Any) -> None:
        self._fetched, self._records, self._count = fetched, MemoryRecords(fetched), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def next_batch(self) -> TolerantBatch:
        self._count += 1
        return TolerantBatch(self._records.next_batch(), self._fetched, self._count - 1)


def _read_again(fetched: Any, index: int) -> Iterator[Any]:
    slices = _MemoryRecordsPy(bytes(fetched))
    for _ in range(index):
        slices.next_batch()
    batch = _DefaultRecordBatchPy(slices._next_slice)
    batch._maybe_uncompress()
    batch._buffer = _Forgiving(batch._buffer)
    return iter(batch)


def be_tolerant() -> None:
    """From now on every consumer of this process reads that way. The client offers no door here: its name for the
    reader is replaced.
    """
    fetcher.MemoryRecords = TolerantRecords
