"""How a stage behind intake reads its inbox: who may have written the record, and what it says.

The right to write to an internal topic is not enough to have something sent: every message carries a signature over
its bytes (design, section 2). What cannot be used is buried here with its reason. No rule about requests may enter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from pipeline.domain.deadletters import DeadLetter, is_too_large, original_bytes
from pipeline.domain.ids import Origin
from pipeline.domain.messages import Due, Message, Resolution, Verdict, read_message
from pipeline.domain.noted import Noted
from pipeline.domain.reasons import DeadReason
from pipeline.stages import Arrival, Note, Step, Unusable

SIGNATURE = "rw-signature"

Seal = Callable[[tuple[str, ...], bytes], str]  # binding, what is sealed -> text
Verify = Callable[[str, bytes, bytes, bytes], bool]  # topic, key, value, signature -> did we write it
Place = Callable[[bytes], int]  # key -> the partition that it belongs to


class Undertaker(NamedTuple):
    """Makes the dead letters of one stage."""

    stage: str
    seal: Seal

    def seal_original(self, arrival: Arrival) -> str:
        """The record as it came, sealed and bound to the place where it lay."""
        original = original_bytes(arrival.key, arrival.value, arrival.headers)
        return self.seal((origin_of(arrival).place,), original)

    def bury(
        self,
        arrival: Arrival,
        reason: DeadReason,
        *,
        detail: str | None = None,
        request_id: str | None = None,
        org_id: int | None = None,
    ) -> Step:
        """The step for a record that is the original itself: a public one, or a forged internal one."""
        is_large = is_too_large(arrival.key, arrival.value, arrival.headers)
        letter = DeadLetter(
            reason=reason,
            stage=self.stage,
            source=origin_of(arrival),
            dead_at_ms=arrival.time_ms,
            sealed=None if is_large else self.seal_original(arrival),
            sha256=hashlib.sha256(arrival.value or b"").hexdigest() if is_large else None,
            detail=detail,
            request_id=request_id,
            org_id=org_id,
        )
        return Step(Note(Noted.DEAD, request_id, reason), events=(letter,))

    def bury_carried(
        self,
        arrival: Arrival,
        reason: DeadReason,
        *,
        source: Origin,
        original: str | None,
        request_id: str,
        org_id: int,
    ) -> Step:
        """The step for a message whose original lies in a public topic and travelled with it, sealed by intake."""
        letter = DeadLetter(
            reason=reason,
            stage=self.stage,
            source=source,
            dead_at_ms=arrival.time_ms,
            sealed=original,
            request_id=request_id,
            org_id=org_id,
        )
        return Step(Note(Noted.DEAD, request_id, reason), events=(letter,))

    def bury_decision(self, arrival: Arrival, said: Verdict | Resolution, reason: DeadReason) -> Step:
        """The step for a decision without effect: what it was about is untouched."""
        step = self.bury_carried(
            arrival,
            reason,
            source=said.origin,
            original=said.original,
            request_id=said.request_id,
            org_id=said.org_id,
        )
        return replace(step, note=step.note._replace(decision=said.decision))


def origin_of(arrival: Arrival) -> Origin:
    """The record's own place and time."""
    return Origin(arrival.topic, arrival.partition, arrival.offset, arrival.time_ms)


class Inbox(NamedTuple):
    """Reads the records of an internal topic."""

    undertaker: Undertaker
    verify: Verify
    place: Place

    def read(self, arrival: Arrival) -> Message:
        """The message; raises `Unusable` with the dead letter for whatever we did not write ourselves.

        The signature does not hold the partition. A good record that somebody copied into another one would meet a
        memory that knows nothing of its request, and be carried out a second time.
        """
        if arrival.value is None:
            raise Unusable(self.undertaker.bury(arrival, DeadReason.NO_VALUE))
        if self.place(arrival.key or b"") != arrival.partition:
            detail = "The record lies in another partition than its key belongs to: only the stages may write here."
            raise Unusable(self.undertaker.bury(arrival, DeadReason.BAD_HEADER, detail=detail))
        signatures = [held for name, held in arrival.headers if name == SIGNATURE]
        if not signatures and (due := _due_of(arrival)):
            return due
        if len(signatures) != 1 or not self._is_ours(arrival, arrival.value, signatures[0]):
            detail = f"The header {SIGNATURE} is missing, there twice or not ours: only the stages may write here."
            raise Unusable(self.undertaker.bury(arrival, DeadReason.BAD_HEADER, detail=detail))
        try:
            return read_message(arrival.topic, arrival.value)
        except ValueError:
            detail = "The message is signed by us but unknown to this version: was it written by a newer one?"
            raise Unusable(self.undertaker.bury(arrival, DeadReason.NOT_AN_OBJECT, detail=detail)) from None

    def _is_ours(self, arrival: Arrival, value: bytes, signature: bytes | None) -> bool:
        return signature is not None and self.verify(arrival.topic, arrival.key or b"", value, signature)


def _due_of(arrival: Arrival) -> Due | None:
    """The one message that needs no signature, because it cannot cause what time alone would not."""
    try:
        message = read_message(arrival.topic, arrival.value or b"")
    except ValueError:
        return None
    return message if isinstance(message, Due) and message.key == arrival.key else None
