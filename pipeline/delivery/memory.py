"""What a stage remembers: bytes by key, per partition, each with the position of the write that put it there.

The pump notes new values here when it folds and posts them to the changelog at once; what follows from them is
published only when the changelog has them. Stock tables write fire-and-forget: an offset can be committed before the
state is in Kafka. A plain `table[key] = value` is therefore refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, NoReturn, Self

import faust

from pipeline.delivery.failure import DeliveryError

_HEAD = 8  # bytes in front of the value: twice the position, and one more for a tombstone
POSITION_MAX = (1 << 62) - 1


class PartitionNotOwned(DeliveryError):
    """A table's partition was used that is not (or no longer) assigned to this worker."""


class Held(NamedTuple):
    """What is held for a key. A `value` of None is a tombstone, kept while something older may still arrive."""

    position: int
    value: bytes | None

    def packed(self) -> bytes:
        """As one object. A tuple and a number per key would cost 90 bytes more, a third of a finished request's all."""
        head = self.position << 1 | (self.value is None)
        return head.to_bytes(_HEAD, "big") + (self.value or b"")

    @classmethod
    def unpacked(cls, packed: bytes) -> Self:
        """What `packed` made one object of."""
        head = int.from_bytes(packed[:_HEAD], "big")
        return cls(head >> 1, None if head & 1 else packed[_HEAD:])


def outranks(packed: bytes, position: int) -> bool:
    """What is held was put there by a later write than the one at this position."""
    return int.from_bytes(packed[:_HEAD], "big") >> 1 > position


def _is_tombstone(packed: bytes) -> bool:
    return bool(packed[_HEAD - 1] & 1)


class Shelf:
    """One partition of one table. Pure book-keeping; what was loaded, packed, is taken over and not copied."""

    def __init__(self, loaded: dict[bytes, bytes] | None = None) -> None:
        self._packed: dict[bytes, bytes] = {} if loaded is None else loaded
        self.keeps_tombstones = True  # until the check for late writes is over

    def recall(self, key: bytes) -> bytes | None:
        held = self.held(key)
        return None if held is None else held.value

    def note(self, key: bytes, at: int, value: bytes | None) -> bool:
        """Hold this, unless a later write is held; says which it was."""
        packed = self._packed.get(key)
        if packed is not None and outranks(packed, at):
            return False
        if value is None and not self.keeps_tombstones:
            self._packed.pop(key, None)
        else:
            self._packed[key] = Held(at, value).packed()
        return True

    def held(self, key: bytes) -> Held | None:
        """With its position, tombstones included."""
        packed = self._packed.get(key)
        return None if packed is None else Held.unpacked(packed)

    def outranks(self, key: bytes, at: int) -> bool:
        """What is held for the key was put there by a later write than the one at this position."""
        packed = self._packed.get(key)
        return packed is not None and outranks(packed, at)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Everything remembered, one after another. Whoever stops in between sees later what is held by then, of the
        keys that were there in the beginning.
        """
        for key in list(self._packed):
            packed = self._packed.get(key)
            if packed is not None and not _is_tombstone(packed):
                yield key, packed[_HEAD:]

    def settle(self) -> None:
        """Nothing older can arrive any more: drop the tombstones, or memory grows with every request ever seen."""
        self.keeps_tombstones = False
        self._packed = {key: packed for key, packed in self._packed.items() if not _is_tombstone(packed)}


class DurableTable(faust.Table):
    """A table of Faust's as far as its assignor is concerned (changelog and source stay together); ours in all else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "key_type": bytes, "value_type": bytes})
        self.shelves: dict[int, Shelf] = {}  # a partition that is lost or loaded anew is dropped as a whole

    @property
    def changelog(self) -> str:
        return str(self.changelog_topic.get_topic_name())

    def shelf(self, partition: int) -> Shelf:
        try:
            return self.shelves[partition]
        except KeyError:
            raise PartitionNotOwned(f"{self.name}[{partition}] is not loaded here") from None

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise TypeError("only the pump writes tables")

    def __delitem__(self, key: Any) -> NoReturn:
        raise TypeError("only the pump writes tables")


class PumpTable:
    """A durable table as the pump sees it; not the table itself, because in Faust's `partitions` is a number."""

    def __init__(self, table: DurableTable) -> None:
        self._table = table
        self.changelog = table.changelog

    def recall(self, partition: int, key: bytes) -> bytes | None:
        return self._table.shelf(partition).recall(key)

    def note(self, partition: int, key: bytes, at: int, value: bytes | None) -> bool:
        return self._table.shelf(partition).note(key, at, value)

    def partitions(self) -> list[int]:
        return list(self._table.shelves)

    def everything(self, partition: int) -> Iterable[tuple[bytes, bytes]]:
        shelf = self._table.shelves.get(partition)
        return () if shelf is None else shelf.items()
