"""Requests as data: who asks, for what, where it goes back to, and the call that would be made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from pipeline.domain.ids import Origin
from pipeline.domain.jsontext import read_json
from pipeline.domain.reasons import ErrorCode
from pipeline.domain.request_types import RequestType


class Strict(BaseModel):
    """What we write ourselves: frozen, and nothing unknown is let in."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Fault(Strict):
    """One thing that is wrong with a submission, as `errors` tells it; `message` holds none of the input."""

    code: ErrorCode
    field: str
    message: str


class Parts(NamedTuple):
    """The parts of a submission as Python values; {} for one that is missing."""

    entity: Any
    path_params: Any
    query: Any
    body: Any


FAULTS_MAX = 100  # of one part of a submission: all faults travel in one record, and are read by people


def listed(faults: Sequence[Fault], code: ErrorCode, field: str) -> tuple[Fault, ...]:
    """The first hundred faults of a part; where there are more, a last entry of the whole part says how many."""
    left_out = len(faults) - FAULTS_MAX
    more = (Fault(code=code, field=field, message=f"and {left_out} more faults"),) if left_out > 0 else ()
    return (*faults[:FAULTS_MAX], *more)


class Texts(NamedTuple):
    """The parts of a submission that are told, sent or bound by the digest: JSON texts, serialised once, by intake.

    "" stands for a part that the submission did not have (or null). These very bytes go into every event and into the
    call, so numbers, key order and kinds survive.
    """

    entity: str = ""
    path_params: str = ""
    query: str = ""
    body: str = ""

    def read(self, name: str) -> Any:
        """The part as Python values; {} for one that is missing."""
        text = getattr(self, name)
        return read_json(text) if text else {}

    def parts(self) -> Parts:
        """All four as Python values: to read them is most of what validation and execution spend on a request."""
        return Parts(*map(self.read, self._fields))

    @property
    def attributes(self) -> str:
        """`requestAttributes` of every event, "" where there is nothing to show (contract, section 5)."""
        shows_query = self.query.startswith("{") and self.query != "{}"
        parts = [f'"queryParams":{self.query}'] if shows_query else []
        parts += [f'"body":{self.body}'] if self.body else []
        return "{" + ",".join(parts) + "}" if parts else ""


class Wish(Strict):
    """The call as the submission names it, as far as it could be read. `host` is canonical, None for a bad one."""

    host: str | None = None
    path: str | None = None
    method: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    sealed_headers: str | None = None


class Request(Strict):
    """Who asks: what every stage knows of a request from intake on. `is_keyed`: it brought an Idempotency-Key."""

    request_id: str
    request_type: RequestType
    org_id: int
    maker_id: int
    api_request_id: str
    origin: Origin
    is_keyed: bool = False


class CallPlan(Strict):
    """What validation found good: everything of the call but its texts. The digest binds them together.

    What is None is left out of our records, so whatever may be None has it as its default.
    """

    method: str
    host: str
    path: str
    headers: tuple[tuple[str, str], ...]
    sealed_headers: str | None = None  # None: the submission carried no credentials, and none are sent
    digest: str
    reason: str | None = None  # body.reason, where the type's AdminTask tells it


class Call(NamedTuple):
    """One HTTP call to Intouch, complete but for the sealed headers, which only the client opens, during the call.

    `host` is an origin, `scheme://name[:port]`, in canonical form; `path` is pinned by the request's type; `query` and
    `body` are JSON texts: the body's bytes are what is sent. `sealed_headers` is bound to `binding`. `attempt` counts
    from 1; `is_repeatable` says that a second one has no second effect (`domain.repeats`).
    A first one may not begin after `good_until_ms` (epoch ms).
    """

    request_id: str
    request_type: RequestType
    method: str
    host: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    sealed_headers: str | None
    binding: tuple[str, ...]
    body: str
    attempt: int = 1
    is_repeatable: bool = False
    good_until_ms: int | None = None


def credentials_binding(request: Request) -> tuple[str, ...]:
    """What sealed headers are bound to, so that they open for this request only (design, section 2)."""
    return (str(request.org_id), request.request_id, request.origin.place)
