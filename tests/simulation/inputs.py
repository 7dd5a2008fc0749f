"""What makers and checkers publish, as data: a submission, a decision, and what each of it must come to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from expected import CALLS

ORGS = ORG, OTHER_ORG = 7, 8


def task_of(value: Any) -> Any:
    """The call in a submission."""
    return value["payload"]["IntouchAPITask-Payload"]


@lru_cache(maxsize=256)
def _read(value: bytes) -> Any:
    return json.loads(value)


class Sent(NamedTuple):
    """A call to Intouch; query and body as what their JSON says."""

    method: str
    host: str
    path: str
    query: Any
    body: Any


@dataclass(slots=True)
class Wish:
    """A submission as published. `fate`: `good` reaches the desk, `refused` ends in `failed`, `dead` is buried."""

    fate: str
    maker: int
    api_request_id: str
    value: bytes | None
    key: str | None = None
    mark: str = ""  # the same mark, the same call: the digest sees no other difference
    reason: str | None = None  # what it is buried for, where that is certain
    org: int = ORG
    place: tuple[int, int] = (0, 0)  # partition, offset

    @property
    def kind(self) -> str:
        """The request type that it names."""
        return str(_read(self.value or b"")["requestType"])

    @property
    def sent(self) -> Sent:
        """The call that it asks for."""
        method, path = CALLS[self.kind]
        task = task_of(_read(self.value or b""))
        return Sent(method, task["hostname"], path, task["queryParams"], task["body"])


@dataclass(slots=True)
class Word:
    """A decision as published. `reason` is None for one that counts if it is the first; else why it cannot.

    `time_ms` is the broker's time, None where the workload does not know it: nothing was said there before AdminTask.
    """

    request_id: str
    decision: str
    decider: int
    api_request_id: str
    reason: str | None
    place: tuple[int, int] = (0, 0)
    time_ms: int | None = None
    org: int | None = None  # the decider's, where that is known

    @property
    def comment(self) -> str:
        """What the decider says about it."""
        return f"because {self.api_request_id}"
