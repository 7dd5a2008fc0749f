"""What the stages need to run in a test: written doubles for token, seal and signature, the real digest, real folds.

Each double is deterministic, as what it stands for must be. No Kafka, no clock, no chance.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from builders import CANARY, HOST, REQUEST_ID, T0

from pipeline.app import nobody_is_away
from pipeline.domain.claims import Claims
from pipeline.domain.deadletters import DeadLetter
from pipeline.domain.events import Event, Teller
from pipeline.domain.messages import Due, Message
from pipeline.domain.origins import AllowList
from pipeline.domain.policy import Policies, Policy
from pipeline.domain.request_types import RequestType
from pipeline.domain.tries import Terms
from pipeline.stages import Arrival, Memory, Stage, Step, Unusable, Write
from pipeline.stages.approval import Approval, approval
from pipeline.stages.endings import Endings
from pipeline.stages.execution import CanOpen, Execution, IsAway, execution
from pipeline.stages.inbox import SIGNATURE, Inbox, Undertaker
from pipeline.stages.intake import Intake, ReadToken, intake
from pipeline.stages.validation import Validation, validation
from pipeline.trust.digest import payload_digest

GOOD_FOR_MS = 86_400_000
REMEMBER_MS = 7 * 86_400_000
TERMS = Terms(good_for_ms=GOOD_FOR_MS, remember_ms=REMEMBER_MS)
PARTITION = 1  # where every internal record of these tests lies, and belongs


class Vault:
    """A seal that shows nothing and can be looked behind: the sealed text is a hash, what it hides is kept here."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[Any, Any]] = {}

    def seal(self, binding: tuple[str, ...], plain: Any) -> str:
        text = "sealed:" + hashlib.sha256(repr((binding, plain)).encode()).hexdigest()
        self.held[text] = (binding, plain)
        return text

    def seal_headers(self, binding: tuple[str, ...], pairs: Any) -> str | None:
        return self.seal(binding, pairs) if pairs else None


def read_token(token: bytes) -> Claims | None:
    """Believes what `builders.a_token` made."""
    try:
        canary, user_id, org_id, rights, entities, expires_ms = json.loads(token)
    except ValueError:
        return None
    assert canary == CANARY
    return Claims(
        user_id=user_id,
        name=None,
        org_id=org_id,
        permissions=frozenset(rights),
        entities=None if entities is None else frozenset(entities),
        expires_s=expires_ms / 1000,
        max_age_s=86_400,
    )


def sign(topic: str, key: bytes, value: bytes) -> bytes:
    return hashlib.sha256(repr((topic, key, value)).encode()).digest()


def verify(topic: str, key: bytes, value: bytes, signature: bytes) -> bool:
    return sign(topic, key, value) == signature


def a_policy(request_type: RequestType = RequestType.GOODWILL_POINTS, **switches: Any) -> Policies:
    """The defaults for all types but this one."""
    return Policies({request_type: Policy(**switches)})


# -- the stages


def an_intake(vault: Vault | None = None, *, read_token: ReadToken = read_token, **voice: Any) -> Stage:
    vault = vault or Vault()
    parts = Intake(
        read_token=read_token,
        seal_headers=vault.seal_headers,
        digest=payload_digest,
        undertaker=Undertaker("intake", vault.seal),
        teller=Teller("intake", **voice),
    )
    return intake(parts)


def _inbox(stage: str, partition: int = PARTITION) -> Inbox:
    return Inbox(Undertaker(stage, Vault().seal), verify, lambda _: partition)


def a_validation(policies: Policies | None = None, *, hosts: tuple[str, ...] = (HOST,), **voice: Any) -> Stage:
    parts = Validation(policies or Policies(), AllowList(hosts), payload_digest, Teller("validation", **voice))
    return validation(inbox=_inbox("validation"), parts=parts)


def an_approval(policies: Policies | None = None, **voice: Any) -> Stage:
    parts = Approval(
        policies or Policies(), REMEMBER_MS, Undertaker("approval", Vault().seal), Teller("approval", **voice)
    )
    return approval(inbox=_inbox("approval"), parts=parts)


def an_execution(
    *,
    hosts: tuple[str, ...] = (HOST,),
    digest: Any = payload_digest,
    terms: Terms = TERMS,
    is_away: IsAway = nobody_is_away,
    can_open: CanOpen = lambda _call: True,
    partition: int = PARTITION,
    **voice: Any,
) -> Stage:
    undertaker, endings = Undertaker("execution", Vault().seal), Endings(Teller("execution", **voice))
    parts = Execution(AllowList(hosts), digest, can_open, terms, is_away, undertaker, endings)
    return execution(inbox=_inbox("execution", partition), parts=parts)


# -- running them


def signed(message: Message, *, offset: int = 0, time_ms: int = T0 + 10, seen_ms: int = T0 + 20) -> Arrival:
    """The message as its reader gets it."""
    value = message.value()
    headers = ((SIGNATURE, sign(message.topic, message.key, value)),)
    return Arrival(
        message.topic, PARTITION, offset, message.key, time_ms, value, headers, is_broker_time=True, seen_ms=seen_ms
    )


def a_due(stage: Stage, time_ms: int, *, offset: int = 99) -> Arrival:
    """A `Due` for the builders' request in the stage's inbox, as the timekeeper posts it: without a signature."""
    due = Due(request_id=REQUEST_ID)
    return Arrival(
        stage.sources[0], PARTITION, offset, due.key, time_ms, due.value(), (), is_broker_time=True, seen_ms=time_ms + 5
    )


def nothing(stage: Stage) -> Memory:
    """What a stage remembers of a request that it never met."""
    return (None,) * len(stage.tables)


def folded(stage: Stage, record: Arrival | Message, memory: Memory | None = None) -> Step:
    """The step that follows from a record: read, then folded, as the runner does it."""
    arrival = record if isinstance(record, Arrival) else signed(record)
    try:
        message = stage.read(arrival)
    except Unusable as unusable:
        return unusable.step
    return stage.fold(arrival, nothing(stage) if memory is None else memory, message)


def written(stage: Stage, memory: Memory, writes: tuple[Write, ...]) -> Memory:
    """The memory after these writes."""
    held = dict(zip(stage.tables, memory, strict=True)) | {write.table: write.value for write in writes}
    return tuple(held[table] for table in stage.tables)


# -- looking at what came out


def events(step: Step) -> list[Event]:
    return [post for post in step.events if isinstance(post, Event)]


def letters(step: Step) -> list[DeadLetter]:
    return [post for post in step.events if isinstance(post, DeadLetter)]


def said(step: Step) -> list[tuple[str, bytes, bytes, Any]]:
    """All that the world sees of a step, as bytes, in order."""
    return [(post.topic, post.key, post.value(), post.headers()) for post in (*step.events, *step.handovers)]


def data_of(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.value())["data"]
    return found
