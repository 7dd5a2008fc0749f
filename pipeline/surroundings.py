"""What surrounds the pump: its limits, and the few things it asks of the world. No loop and no rule lives here.

Two worlds implement these: `delivery` (Kafka through Faust) and the simulator (lists and virtual time). That is why
they are protocols, and why they are small.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from prometheus_client import Counter, Histogram

from pipeline.domain.marks import Kind
from pipeline.domain.outcomes import Outcome
from pipeline.domain.request_types import RequestType
from pipeline.domain.requests import Call
from pipeline.postings import Outlet, Posting
from pipeline.stages import Arrival, Step


class Delivered(NamedTuple):
    """A record in the pump's hands. `at_s` is the pump's clock when it came; `receipt` is the source's own note, and
    `generation` the consumer group's when it was delivered.
    """

    arrival: Arrival
    at_s: float
    receipt: Any = None
    generation: int = 0

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        headers = sum(len(name) + len(text or b"") for name, text in self.arrival.headers)
        return len(self.arrival.key or b"") + len(self.arrival.value or b"") + headers


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the pump takes upon itself. Counts are records unless they say otherwise."""

    fold: int = 250  # folded in one go: the loop stands still meanwhile
    fold_bytes: int = 1 << 20  # the same in bytes; the record that reaches this is the last one of its micro-batch
    fold_s: float = 0.05  # the same in seconds; heartbeats, calls and probes must get their turn
    rest_s: float = 0.005  # left to them after that: what they do is a chain of several turns of the loop
    depth: int = 4  # micro-batches between fold and acknowledgement
    room: int = 2000  # taken from the source and not finished
    room_bytes: int = 64 << 20  # the same in bytes; one fetch may go beyond it
    slots: int = 64  # calls at a time
    group: int = 64  # intents posted together
    look_s: float = 2.0  # between two looks through everything that is remembered
    look_share: float = 0.05  # of the loop's time, at most: what a look costs is waited out before the next one
    look_slice: int = 1000  # entries looked at in one go: the loop stands still meanwhile
    look_again_s: float = 0.2  # the same after a look that found more than may be asked about at a time
    dues: int = 500  # entries whose time has come and that are asked about at a time


class Standing(NamedTuple):
    """How many entries there are of one kind and type, and since when the oldest is (epoch ms)."""

    entries: int
    oldest_ms: int

    def and_one(self, since_ms: int) -> Standing:
        """With one more, that is there since then."""
        return Standing(self.entries + 1, min(self.oldest_ms, since_ms))


Census = Mapping[tuple[Kind, RequestType], Standing]


class Source(Protocol):
    """Where records come from, and where they go back to."""

    def finish(self, records: Sequence[Delivered]) -> None:
        """Everything these were to cause is durable: they may be acknowledged."""
        ...

    def give_back(self, records: Sequence[Delivered]) -> None:
        """Nothing was begun with these: they must be delivered again, here or elsewhere."""
        ...


class Poster(Protocol):
    """The only way out."""

    async def post(self, postings: Sequence[Posting]) -> Sequence[Awaitable[Any]]:
        """Append in this order; returns the answers to wait for. Raises when the right to write is lost."""
        ...

    async def durable(self, answers: Sequence[Awaitable[Any]]) -> None:
        """Returns when every answer says that the record is in the log for good; raises when it gives up."""
        ...


class Table(Protocol):
    """What one table of the stage holds, per partition and key, with the position of the write that put it there."""

    @property
    def changelog(self) -> str:
        """The full name of the topic behind the table."""
        ...

    def recall(self, partition: int, key: bytes) -> bytes | None:
        """None: nothing is remembered. Raises when the partition is not ours."""
        ...

    def partitions(self) -> Sequence[int]:
        """Those that are loaded here."""
        ...

    def everything(self, partition: int) -> Iterable[tuple[bytes, bytes]]:
        """Keys and values of one partition; nothing for one that is not ours. Memory may change while it is read."""
        ...

    def note(self, partition: int, key: bytes, at: int, value: bytes | None) -> bool:
        """Hold this value (None forgets) unless a write of a higher position is held; says which it was."""
        ...


class Meters(Protocol):
    """Those of the metrics that the pump itself counts."""

    @property
    def messages(self) -> Counter:
        """By stage and outcome."""
        ...

    @property
    def message_seconds(self) -> Histogram:
        """By stage; from delivery to durable."""
        ...


class Gate(Protocol):
    """Which calls may begin now. A call that has entered leaves again, whatever becomes of it."""

    def holds(self, call: Call) -> bool:
        """It had better not begin: its origin is away."""
        ...

    def enter(self, call: Call) -> float:
        """0.0 lets it begin; else the seconds after which to ask again (infinite: when another call has left)."""
        ...

    def leave(self, call: Call, outcome: Outcome) -> None:
        """It has ended so."""
        ...


class OpenGate:
    """Lets everything through: for stages that call nobody."""

    def holds(self, call: Call) -> bool:
        """Never."""
        del call
        return False

    def enter(self, call: Call) -> float:
        """At once."""
        del call
        return 0.0

    def leave(self, call: Call, outcome: Outcome) -> None:
        """Nothing to note."""


Caller = Callable[[Call], Awaitable[Outcome]]  # never raises for what the other side does; bounded in time


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything the pump needs from outside."""

    source: Source
    poster: Poster
    tables: Sequence[Table]  # in the order of `Stage.tables`
    outlet: Outlet
    certain: Callable[[], Awaitable[None]]  # returns when the partitions are certainly ours, else raises
    clock: Callable[[], float]  # seconds, never going back
    time_ms: Callable[[], int]  # epoch milliseconds; only a `Due` depends on it
    fatal: Callable[[str, BaseException], Any]  # ends everything, nothing in work is acknowledged
    meters: Meters
    caller: Caller | None = None  # needed by a stage that asks for calls
    gate: Gate = OpenGate()  # the same that the stage's folds look at  # noqa: RUF009 - it has no state
    observe: Callable[[Step], Any] = lambda _: None  # sees each step once it is durable
    survey: Callable[[Census], Any] = lambda _: None  # sees what is remembered, every few seconds
    is_steady: Callable[[], bool] = lambda: True  # our partitions are ours and loaded, and no rebalance is under way
