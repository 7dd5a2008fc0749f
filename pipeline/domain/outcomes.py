"""What an answer of Intouch means: a closed list with reasons (contract, sections 3 and 8). Written as tables."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Effect(StrEnum):
    """What a call did, as far as we know."""

    DONE = "done"  # Intouch did it and said so
    REFUSED = "refused"  # Intouch said no, readably: nothing was applied
    UNKNOWN = "unknown"  # nobody knows whether it had an effect


class Outcome(BaseModel):
    """What came back from one call. `at_ms` is the worker's clock (epoch ms) when the call had ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    effect: Effect
    reason: str
    at_ms: int
    http_status: int | None = None
