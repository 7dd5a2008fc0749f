"""What the stages remember of requests, as the real stages write it: submissions of 1 kB, one of each of the cast.

The bytes are made by the folds themselves, from the public record on; only the requestId is exchanged afterwards, so
that a hundred thousand of them need not be folded one by one.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pipeline.app import Trust, make_stages, trust_of
from pipeline.client.kafka import Outgoing
from pipeline.client.speaking import Speaker, decision, mint_token, submission
from pipeline.domain.messages import Message
from pipeline.domain.outcomes import Ending, Outcome
from pipeline.domain.policy import Policies
from pipeline.local.demo_cast import CAST, CHECKER, MAKER, ORG, Role
from pipeline.postings import partition_of
from pipeline.settings import Settings
from pipeline.stages import Arrival, Memory, Stage, Step, Unusable, Write

SUBMISSION_BYTES = 1000
ORIGIN = "https://eu.api.example.com"
_PARTITION = 7  # of a public record
_OFFSET = 123_456_789  # of a topic that has been in use for a while: numbers cost their digits


class Life(NamedTuple):
    """What is remembered of one request: on the desk; then, when all is over, by approval and by execution."""

    request_id: str
    submission_bytes: int
    waiting: bytes
    settled: bytes
    finished: bytes


def lives(settings: Settings) -> list[Life]:
    """One for each of the cast that execution is to call."""
    scene = Scene(settings)
    return [scene.play(role) for role in CAST]


def other_ids(life: Life, value: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of ever other requests with this life."""
    for _ in itertools.count():
        key = str(uuid.uuid4()).encode()
        yield key, value.replace(life.request_id.encode(), key)


class Stand:
    """One record before its stage, with what the stage remembers of its key."""

    def __init__(self, stage: Stage, arrival: Arrival, memory: dict[str, bytes | None], trust: Trust) -> None:
        self.stage, self._arrival, self._memory, self._trust = stage, arrival, memory, trust
        self.message: Any = None

    def fold(self) -> Step:
        """Read and folded, on what is remembered now."""
        try:
            self.message = self.stage.read(self._arrival)
        except Unusable as unusable:
            return unusable.step
        return self.stage.fold(self._arrival, self._known(), self.message)

    def answer(self, outcome: Outcome) -> Step:
        """What the stage makes of the end of the call that it asked for."""
        assert self.stage.on_outcome is not None
        return self.stage.on_outcome(self._arrival, self._known(), self.message, outcome)

    def keep(self, writes: Sequence[Write]) -> None:
        """Remember this from now on."""
        self._memory.update({write.table: write.value for write in writes})

    def written(self, step: Step) -> list[Any]:
        """The bytes and headers of all that the step says, signed as the runner does it."""
        posts = [(post, post.value()) for post in (*step.events, *step.handovers)]
        return [(held, post.headers(), self._trust.stamp(post.topic, post.key, held)) for post, held in posts]

    def _known(self) -> Memory:
        return tuple(self._memory.get(table) for table in self.stage.tables)


class Scene:
    """The four stages with real keys, and a maker and a checker who may do their part."""

    def __init__(self, settings: Settings) -> None:
        settings = settings.model_copy(update={"intouch_allowed_hosts": (ORIGIN,)})
        self._trust, self._partitions = trust_of(settings), settings.topic_partitions
        stages = make_stages(settings, self._trust, Policies())
        self._stages = {source: stage for stage in stages.values() for source in stage.sources}
        self._memories: dict[bytes | None, dict[str, bytes | None]] = defaultdict(dict)
        self.maker = self._speaker(settings, MAKER, "make")
        self.checker = self._speaker(settings, CHECKER, "check")
        self._now_ms, self._offset = time.time_ns() // 1_000_000, _OFFSET

    @staticmethod
    def _speaker(settings: Settings, user_id: int, right: str) -> Speaker:
        token = mint_token(settings, user_id=user_id, org_id=ORG, rights=(right,))
        return Speaker(ORG, token, uuid.uuid4().hex)

    def play(self, role: Role) -> Life:
        """From the submission to the ending; raises AssertionError where the cast does not get that far."""
        record = _of_size(role, self.maker)
        [received] = self._stood(self._public(record)).handovers
        [pending] = self._stood(self.internal(received)).handovers
        waiting = self._stood(self.internal(pending)).memory
        said = decision(pending.about, "approved", self.checker, message="as agreed with the store", digest=None)
        [verdict] = self._stood(self._public(said)).handovers
        [approved] = self._stood(self.internal(verdict)).handovers
        stand = self.stand(self.internal(approved))
        stand.keep(stand.fold().memory)
        ending: Any = stand.answer(Outcome(ending=Ending.DONE, at_ms=self._now_ms + 900, http_status=200))
        [ended], [finished, _] = ending.handovers, ending.afterwards
        settled = self._stood(self.internal(ended)).memory
        sizes = [write.value for write in (*waiting, *settled, finished) if write.value is not None]
        return Life(pending.about, len(record.value), *sizes)

    def _stood(self, arrival: Arrival) -> Any:
        """The step, with all that it wants to be remembered."""
        stand = self.stand(arrival)
        step = stand.fold()
        stand.keep((*step.memory, *step.afterwards))
        return step

    def stand(self, arrival: Arrival) -> Stand:
        """The record before the stage that reads its topic."""
        return Stand(self._stages[arrival.topic], arrival, self._memories[arrival.key], self._trust)

    def _public(self, outgoing: Outgoing) -> Arrival:
        return self.arrival(outgoing.topic, None, outgoing.value, outgoing.headers)

    def internal(self, message: Message) -> Arrival:
        """The message as its reader gets it."""
        value = message.value()
        return self.arrival(message.topic, message.key, value, self._trust.stamp(message.topic, message.key, value))

    def arrival(self, topic: str, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]]) -> Arrival:
        """A record as it comes, where its key belongs, a little later than the one before."""
        partition = _PARTITION if key is None else partition_of(key, self._partitions)
        self._now_ms, self._offset = self._now_ms + 5, self._offset + 1
        return Arrival(
            topic,
            partition,
            self._offset,
            key,
            self._now_ms,
            value,
            tuple(headers),
            is_broker_time=True,
            seen_ms=self._now_ms,
        )


def _of_size(role: Role, maker: Speaker) -> Outgoing:
    """The role's submission, with a note in its body that makes it as long as it is to be."""
    bare = submission(_noted(role, ""), maker, request_type=role.request_type)
    note = "n" * max(0, SUBMISSION_BYTES - len(bare.value))
    return submission(_noted(role, note), maker, request_type=role.request_type)


def _noted(role: Role, note: str) -> bytes:
    return role._replace(body=role.body | {"note": note}).document(ORIGIN)
