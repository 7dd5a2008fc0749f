"""What the stages remember of requests, as the real stages write it: submissions of 1 kB, one of each of the cast.

The bytes are made by the folds themselves, from the public record on; only the requestId is exchanged afterwards, so
that a hundred thousand of them need not be folded one by one.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pipeline.app import Trust, make_stages, trust_of
from pipeline.client.kafka import Outgoing
from pipeline.client.speaking import Speaker, decision, mint_token, submission
from pipeline.domain.messages import Message
from pipeline.domain.outcomes import Ending, Outcome
from pipeline.domain.policy import Policies
from pipeline.local.demo_cast import CAST, CHECKER, MAKER, ORG, Role
from pipeline.settings import Settings
from pipeline.stages import Arrival, Memory, Stage, Step, Write

SUBMISSION_BYTES = 1000
ORIGIN = "https://eu.api.example.com"
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
    settings = settings.model_copy(update={"intouch_allowed_hosts": (ORIGIN,)})
    scene = _Scene(settings, trust_of(settings))
    return [scene.play(role) for role in CAST]


def other_ids(life: Life, value: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of ever other requests with this life."""
    for _ in itertools.count():
        key = str(uuid.uuid4()).encode()
        yield key, value.replace(life.request_id.encode(), key)


class _Scene:
    """The four stages in a row, for one request after another."""

    def __init__(self, settings: Settings, trust: Trust) -> None:
        self._trust = trust
        self._stages = make_stages(settings, trust, Policies())
        self._maker = self._speaker(settings, MAKER, "make")
        self._checker = self._speaker(settings, CHECKER, "check")
        self._now_ms, self._offset = time.time_ns() // 1_000_000, _OFFSET

    @staticmethod
    def _speaker(settings: Settings, user_id: int, right: str) -> Speaker:
        token = mint_token(settings, user_id=user_id, org_id=ORG, rights=(right,))
        return Speaker(ORG, token, uuid.uuid4().hex)

    def play(self, role: Role) -> Life:
        """From the submission to the ending; raises AssertionError where the cast does not get that far."""
        record = _of_size(role, self._maker)
        [received] = self._fold("intake", self._public(record), ()).handovers
        [pending] = self._fold("validation", self._internal(received), ()).handovers
        [waiting] = self._fold("approval", self._internal(pending), (None,)).memory
        verdict = self._verdict(received)
        decided = self._fold("approval", self._internal(verdict), (waiting.value,))
        [approved], [handed] = decided.handovers, decided.afterwards
        ended, finished = self._call(self._internal(approved))
        [settled] = self._fold("approval", self._internal(ended), (handed.value,)).memory
        sizes = [write.value for write in (waiting, settled, finished) if write.value is not None]
        return Life(pending.about, len(record.value), *sizes)

    def _verdict(self, received: Any) -> Any:
        said = decision(received.about, "approved", self._checker, message="as agreed with the store", digest=None)
        [verdict] = self._fold("intake", self._public(said), ()).handovers
        return verdict

    def _call(self, arrival: Arrival) -> tuple[Any, Write]:
        """What execution hands over at the end, and what it keeps."""
        stage = self._stages["execution"]
        [intent] = self._fold("execution", arrival, (None, None)).memory
        assert stage.on_outcome is not None
        outcome = Outcome(ending=Ending.DONE, at_ms=arrival.time_ms + 900, http_status=200)
        step = stage.on_outcome(arrival, (intent.value, None), stage.read(arrival), outcome)
        [ended], [finished, _] = step.handovers, step.afterwards
        return ended, finished

    def _fold(self, name: str, arrival: Arrival, memory: Memory) -> Any:
        stage: Stage = self._stages[name]
        step: Step = stage.fold(arrival, memory, stage.read(arrival))
        return step

    def _public(self, outgoing: Outgoing) -> Arrival:
        return self._arrival(outgoing.topic, None, outgoing.value, outgoing.headers)

    def _internal(self, message: Message) -> Arrival:
        value = message.value()
        return self._arrival(message.topic, message.key, value, self._trust.stamp(message.topic, message.key, value))

    def _arrival(self, topic: str, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]]) -> Arrival:
        self._now_ms, self._offset = self._now_ms + 5, self._offset + 1
        return Arrival(
            topic, 7, self._offset, key, self._now_ms, value, tuple(headers), is_broker_time=True, seen_ms=self._now_ms
        )


def _of_size(role: Role, maker: Speaker) -> Outgoing:
    """The role's submission, with a note in its body that makes it as long as it is to be."""
    bare = submission(_noted(role, ""), maker, request_type=role.request_type)
    note = "n" * max(0, SUBMISSION_BYTES - len(bare.value))
    return submission(_noted(role, note), maker, request_type=role.request_type)


def _noted(role: Role, note: str) -> bytes:
    return role._replace(body=role.body | {"note": note}).document(ORIGIN)
