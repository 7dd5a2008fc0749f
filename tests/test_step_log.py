"""The line of a message: facts as fields; a dead letter stands out and can be traced."""

from __future__ import annotations

import pytest
import structlog
from builders import T0

from pipeline.domain.deadletters import DeadLetter
from pipeline.domain.ids import Origin
from pipeline.domain.noted import Noted
from pipeline.domain.reasons import DeadReason
from pipeline.stages import Note, Step
from pipeline.step_log import log_step

LETTER = DeadLetter(
    reason=DeadReason.NOT_JSON,
    stage="approval",
    source=Origin("requests.submitted", 3, 41, T0),
    dead_at_ms=T0,
    sealed="sealed",
)


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (Step(Note(Noted.PASSED, "an-id")), {"log_level": "info", "request_id": "an-id", "reason": None}),
        (
            Step(Note(Noted.DEAD, None, DeadReason.NOT_JSON), events=(LETTER,)),
            {
                "log_level": "warning",
                "request_id": None,
                "reason": "not-json",
                "origin": "requests.submitted/3/41",
            },
        ),
    ],
    ids=["passed", "dead"],
)
def test_a_dead_letter_can_be_traced(step, line):
    """A dead letter is a warning with its origin, not the hop that it died at; all else is plain news."""
    with structlog.testing.capture_logs() as lines:
        log_step("approval", step, 0.0123)

    assert lines == [{"event": "folded", "stage": "approval", "outcome": step.note.outcome, "ms": 12.3, **line}]
