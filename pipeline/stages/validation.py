"""Validation: is this the call of its type, to a host that may be called, with a body that Intouch can use?

Remembers nothing and decides nothing: what it refuses travels on to approval, which keeps the ledger and tells
`failed`. So when a crash makes it look at a submission twice, under other settings the second time, the first counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain import checks
from pipeline.domain.events import Teller
from pipeline.domain.messages import REQUESTS_RECEIVED, Pending, Received, Refused
from pipeline.domain.noted import Noted
from pipeline.domain.origins import AllowList
from pipeline.domain.policy import Policies
from pipeline.domain.request_types import ROWS
from pipeline.domain.requests import CallPlan, Fault
from pipeline.domain.states import State
from pipeline.stages import Arrival, Memory, Note, Stage, Step
from pipeline.stages.binding import Digest, plan_of
from pipeline.stages.inbox import Inbox

NAME = "validation"


@dataclass(frozen=True, slots=True)
class Validation:
    """What the stage needs: the deployment's policies and hosts, the digest, and a voice."""

    policies: Policies
    allowed: AllowList
    digest: Digest
    teller: Teller

    def fold(self, arrival: Arrival, memory: Memory, received: Received) -> Step:
        """The request goes on as `Pending` or as `Refused`; its progress is told either way."""
        request = received.request
        faults, plan = self._judge(received)
        told = self.teller.progress(
            request,
            received.texts,
            State.VALIDATE_PAYLOAD,
            request.origin.time_ms,
            previous=State.VALIDATE_MAKER_ACCESS,
        )
        if faults:
            refused = Refused(
                request=request,
                texts=received.texts,
                task=State.VALIDATE_PAYLOAD,
                faults=faults,
                digest=plan.digest,
                original=received.original,
            )
            note = Note(Noted.REFUSED, request.request_id, faults[0].code)
            return Step(note, events=told, handovers=(refused,))
        pending = Pending(request=request, texts=received.texts, plan=plan, original=received.original)
        return Step(Note(Noted.PASSED, request.request_id), events=told, handovers=(pending,))

    def _judge(self, received: Received) -> tuple[tuple[Fault, ...], CallPlan]:
        """Everything that is wrong, and the plan of the call as it would be sent."""
        request, wish, texts = received.request, received.wish, received.texts
        row, policy = ROWS[request.request_type], self.policies[request.request_type]
        parts = texts.parts()
        whole = {fault.field for fault in received.faults}  # parts that are at fault as a whole: judged no further
        body_faults = checks.check_body(row, parts.body) if texts.body else ()
        faults = (
            *checks.check_type(policy, request),
            *(() if "entityInfo" in whole else checks.check_entity(row, parts.entity, is_there=bool(texts.entity))),
            *received.faults,
            *checks.check_target(row, wish, self.allowed),
            *checks.check_org(request, wish),
            *(() if "queryParams" in whole else checks.check_query(row, parts.query)),
            *body_faults,
        )
        if texts.body:
            faults += checks.check_cap(policy, request.request_type, parts.body)
        reason = parts.body["reason"] if row.tells_reason and not body_faults and texts.body else None
        return faults, plan_of(self.digest, request, wish, texts, parts, reason=reason)


def validation(*, inbox: Inbox, parts: Validation) -> Stage:
    """The stage."""
    return Stage(NAME, (REQUESTS_RECEIVED,), (), inbox.read, parts.fold)
