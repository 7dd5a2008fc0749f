"""What a stage remembers: bytes by key, per partition, each with the position of the write that put it there.

The pump notes new values here when it folds and posts them to the changelog at once; what follows from them is
published only when the changelog has them. Stock tables write fire-and-forget: an offset can be committed before the
state is in Kafka. A plain `table[key] = value` is therefore refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

import faust

from pipeline.delivery.failure import DeliveryError


class PartitionNotOwned(DeliveryError):
    """A table's partition was used that is not (or no longer) assigned to this worker."""


class Held(NamedTuple):
    """What is held for a key. A `value` of None is a tombstone, kept while something older may still arrive."""

    position: int
    value: bytes | None


class Shelf:
    """One partition of one table. Pure book-keeping."""

    def __init__(self, held: Mapping[bytes, Held] | None = None) -> None:
        self._held: dict[bytes, Held] = dict(held or {})
        self.keeps_tombstones = True  # until the check for late writes is over

    def recall(self, key: bytes) -> bytes | None:
        held = self._held.get(key)
        return None if held is None else held.value

    def note(self, key: bytes, at: int, value: bytes | None) -> bool:
        """Hold this, unless a later write is held; says which it was."""
        held = self._held.get(key)
        if held is not None and held.position > at:
            return False
        if value is None and not self.keeps_tombstones:
            self._held.pop(key, None)
        else:
            self._held[key] = Held(at, value)
        return True

    def held(self, key: bytes) -> Held | None:
        """With its position, tombstones included."""
        return self._held.get(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Everything remembered."""
        return ((key, held.value) for key, held in self._held.items() if held.value is not None)

    def settle(self) -> None:
        """Nothing older can arrive any more: drop the tombstones, or memory grows with every request ever seen."""
        self.keeps_tombstones = False
        self._held = {key: held for key, held in self._held.items() if held.value is not None}


class DurableTable(faust.Table):
    """A table of Faust's as far as its assignor is concerned (changelog and source stay together); ours in all else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "key_type": bytes, "value_type": bytes})
        self.shelves: dict[int, Shelf] = {}  # a partition that is lost or loaded anew is dropped as a whole

    @property
    def changelog(self) -> str:
        return str(self.changelog_topic.get_topic_name())

    def recall(self, partition: int, key: bytes) -> bytes | None:
        return self.shelf(partition).recall(key)

    def note(self, partition: int, key: bytes, at: int, value: bytes | None) -> bool:
        return self.shelf(partition).note(key, at, value)

    def partitions(self) -> list[int]:
        return list(self.shelves)

    def everything(self, partition: int) -> list[tuple[bytes, bytes]]:
        shelf = self.shelves.get(partition)
        return [] if shelf is None else list(shelf.items())

    def shelf(self, partition: int) -> Shelf:
        try:
            return self.shelves[partition]
        except KeyError:
            raise PartitionNotOwned(f"{self.name}[{partition}] is not loaded here") from None

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise TypeError("only the pump writes tables")

    def __delitem__(self, key: Any) -> NoReturn:
        raise TypeError("only the pump writes tables")
