"""Calls in doubt, as an operator reads them: execution's two tables (contract, section 11, "Names")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.client.remembered import read_remembered
from pipeline.domain.calls import Begun, CameTo, Doubt, Result, read_begun, read_result
from pipeline.domain.messages import INTENTS, RESULTS, Approved
from pipeline.domain.outcomes import Ending
from pipeline.domain.resolutions import open_doubt
from pipeline.settings import Settings

_HOW = {
    Ending.UNCLEAR: "no clear answer",
    Ending.LOST: "the worker ended before the answer was remembered",
    Ending.ALREADY_THERE: "Intouch says that some of it was there already",
    Ending.NOT_NOW: "refused for now, after a try without a clear answer",
    Ending.UNREACHED: "not reached, after a try without a clear answer",
}


class InDoubt(NamedTuple):
    """One request in doubt: what was approved, and what is known of its call."""

    approved: Approved
    result: Result

    @property
    def last(self) -> Doubt:
        """The latest doubt."""
        return self.result.doubts[-1]

    @property
    def since_ms(self) -> int:
        """Since when nobody knows, epoch milliseconds."""
        return self.result.doubts[0].at_ms

    @property
    def how(self) -> str:
        """How the last attempt ended, in a few words."""
        told = _HOW.get(self.last.ending, f"not made again: {self.last.ending}")
        return told if self.last.http_status is None else f"{told} (HTTP {self.last.http_status})"


async def read_doubts(settings: Settings) -> list[InDoubt]:
    """All that is in doubt, oldest first. Raises ClientError."""
    results: dict[bytes, CameTo] = await read_remembered(settings, RESULTS, read_result)
    parked = {key: came_to for key, came_to in results.items() if isinstance(came_to, Result) and came_to.end is None}
    begun: dict[bytes, Begun] = await read_remembered(settings, INTENTS, read_begun) if parked else {}
    return in_doubt(begun, parked)


def in_doubt(begun: Mapping[bytes, Begun], parked: Mapping[bytes, Result]) -> list[InDoubt]:
    """What these hold in doubt, oldest first; not what is being tried again at this moment."""
    found = [
        InDoubt(one.approved, result)
        for key, result in parked.items()
        if (one := begun.get(key)) is not None and open_doubt(one, result)
    ]
    return sorted(found, key=lambda one: one.since_ms)
