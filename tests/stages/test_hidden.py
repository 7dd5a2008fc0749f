"""What holds secrets in clear shows none of them when somebody prints it: in a log, an assertion, a debugger."""

from __future__ import annotations

import pytest
from builders import CANARY, PASSWORD, a_submission, an_arrival
from wiring import an_intake

from pipeline.domain.wishes import take_apart
from pipeline.surroundings import Delivered

ARRIVAL = an_arrival(a_submission())
OPENED = an_intake().read(ARRIVAL)


def _inside(holder):
    """All that it holds, spelled out."""
    return f"({', '.join(map(_inside, holder))})" if isinstance(holder, tuple) else str(holder)


@pytest.mark.parametrize(
    "holder",
    [ARRIVAL, Delivered(ARRIVAL, 0.0), OPENED, OPENED.transport, take_apart(a_submission())],
    ids=lambda holder: type(holder).__name__,
)
def test_printing_shows_no_secret(holder):
    """Neither the token nor the password, as text, in f-strings, or inside of something else."""
    assert CANARY in _inside(holder) or PASSWORD in _inside(holder)
    for shown in (repr(holder), str(holder), f"{holder}", repr([holder])):
        assert CANARY not in shown
        assert PASSWORD not in shown
