"""What a world leaves behind, as the auditor wants it. Nothing is judged here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from simulation.auditor import Evidence
from simulation.intouch import DEDUPED, LyingIntouch
from simulation.ledger import heard_in
from simulation.log import Log
from simulation.operators import Operators
from simulation.plans import HOLD_S, MAX_ATTEMPTS, RETRY_FOR_S, Plan
from simulation.stories import told_in
from simulation.workload import CANARY, Workload

from pipeline.domain.messages import APPROVAL_INBOX, DEAD_LETTERS, EVENTS, PUBLIC_TOPICS
from pipeline.domain.request_types import RequestType

# The one password there is, and how every token begins: none may be anywhere, not even a piece of one.
CANARIES = (CANARY.removeprefix("Basic "), "eyJhbGciOi")
SLACK_S = 10  # from the decision to begin a call to the call
CHANGING = frozenset({"host-not-allowed", "type-disabled"})


def _clear(log: Log, logged: list[Any]) -> Iterator[bytes]:
    """Every byte that must hold no secret: keys, values, headers, and what was logged, before anything is redacted."""
    for topic in set(log.topics()) - set(PUBLIC_TOPICS):
        for _, record in log.ever(topic):
            yield record.key
            yield record.value or b""
            yield from (held or b"" for _, held in record.headers)
    yield repr(logged).encode()


def _is_calm(plan: Plan) -> bool:
    """No process ends but at rest, none loses what it owns, and all are started with the same."""
    faults = plan.faults
    breaks = (faults.crash, faults.cut_off, faults.hold_back, faults.freeze, faults.fail, faults.crash_at)
    return not any(breaks) and not plan.rewinds and not plan.is_changed


def gather(
    log: Log, workload: Workload, operators: Operators, intouch: LyingIntouch, plan: Plan, logged: list[Any]
) -> Evidence:
    """All there is to judge by."""
    return Evidence(
        wishes=workload.wishes,
        words=workload.words,
        resolutions=operators.said,
        told=[told_in(record.headers, record.value or b"") for _, record in log.ever(EVENTS)],
        letters=[json.loads(record.value or b"") for _, record in log.ever(DEAD_LETTERS)],
        heard=[heard_in(record.value or b"", record.time_ms) for _, record in log.ever(APPROVAL_INBOX)],
        effects=intouch.effects,
        attempts=intouch.attempts,
        automatic=frozenset(kind for kind in RequestType for one in plan.both if one[kind].auto_approve),
        expires_ms={kind: min(one[kind].expires_after_s for one in plan.both) * 1000 for kind in RequestType},
        expired_ms={kind: max(one[kind].expires_after_s for one in plan.both) * 1000 for kind in RequestType},
        remember_ms=plan.terms.remember_s * 1000,
        changing=CHANGING if plan.is_changed else frozenset(),
        lied=frozenset(intouch.lied),
        answers=intouch.answered,
        was_away=intouch.was_away,
        is_calm=_is_calm(plan),
        max_attempts=MAX_ATTEMPTS,
        tries_for_ms=(HOLD_S + RETRY_FOR_S + SLACK_S) * 1000,
        deduped=frozenset(DEDUPED),
        clear=_clear(log, logged),
        canaries=CANARIES,
    )
