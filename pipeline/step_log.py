"""The one log line per message and stage: the event's name fixed, the facts as fields (style, 12).

A dead letter is the only line that is a warning, and the only one with an origin: often it has no requestId, and its
origin is the place by which whoever looks for it finds the record and the letter. Nothing of the input enters.
"""

from __future__ import annotations

import structlog

from pipeline.domain.deadletters import DeadLetter
from pipeline.stages import Step

log = structlog.get_logger()


def log_step(stage: str, step: Step, seconds: float) -> None:
    """Log what became of a message, once all that follows from it is durable."""
    note = step.note
    named = {"stage": stage, "request_id": note.request_id, "outcome": note.outcome, "reason": note.reason}
    facts = {**named, "ms": round(seconds * 1000, 1)}
    letter = next((told for told in step.events if isinstance(told, DeadLetter)), None)
    if letter is None:
        log.info("folded", **facts)
    else:
        log.warning("folded", **facts, origin=letter.source.place)
