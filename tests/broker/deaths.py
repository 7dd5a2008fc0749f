"""How the workers of a run ended, by their exit codes and their last words: which ends the faults explain.

A bug that ends a worker costs no message, as the next one takes over; so nothing but this tells a bug from a fault.
"""

from __future__ import annotations

import builtins
import json
import re
import signal
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from aiokafka import errors as kafka

from pipeline.delivery.failure import Exit
from pipeline.delivery.lease import LeaseLost
from pipeline.delivery.loading import LoadingStalled

# What a worker may end by that was frozen, or whose broker was away. Of Kafka's errors also every one that the client
# itself would try again. The others would be bugs: a right, a size, a setting, a state that cannot be.
EXPLAINED = (
    LeaseLost,
    LoadingStalled,
    ConnectionError,
    kafka.CommitFailedError,
    kafka.IllegalGenerationError,
    kafka.KafkaTimeoutError,
    kafka.KafkaUnavailableError,
    kafka.RebalanceInProgressError,
    kafka.UnknownMemberIdError,
)
OURS = {kind.__name__: kind for kind in (LeaseLost, LoadingStalled)}
AWAY = "No Kafka broker can be used"  # the sentence of a worker that ends with 1
UNSEEN = ("Task exception was never retrieved", "Exception in callback", "Future exception was never retrieved")
RAISED = re.compile(r"exception=(\w+)")


def is_explained(error: str) -> bool:
    """Whether faults lead to the exception that this text names first."""
    name = error.partition(":")[0]
    kind = OURS.get(name) or getattr(kafka, name, None) or getattr(builtins, name, None)
    if not isinstance(kind, type):
        return False
    return issubclass(kind, EXPLAINED) or (issubclass(kind, kafka.KafkaError) and kind.retriable)


def audit_log(name: str, lines: Iterable[str], code: int | None) -> Iterator[str]:
    """A sentence for each line that no fault explains, and for an end that the log says nothing of."""
    told = []
    for line in lines:
        said = _read(line)
        told.append(said.get("event") or line)
        if said.get("level") in ("critical", "fatal") and not is_explained(str(said.get("error", ""))):
            yield f"{name} ended by what no fault explains: {line.strip()[:600]}"
        if (not said and "Traceback" in line) or _is_hidden_bug(str(told[-1])):
            yield f"{name} hid an exception: {line.strip()[:600]}"
    if code == Exit.CRASHED and "fatal" not in told:
        yield f"{name} ended with {code} and did not say why"
    if code == Exit.REFUSED and not any(AWAY in line for line in told):
        yield f"{name} ended with {code}, and not because the broker was away: {''.join(told[-1:])[:300]}"


def _is_hidden_bug(event: str) -> bool:
    """The loop tells of an exception that nobody saw, and no fault explains it."""
    raised = RAISED.search(event)
    return any(words in event for words in UNSEEN) and not (raised is not None and is_explained(raised[1]))


def _read(line: str) -> dict[str, Any]:
    """The line's fields; none where it is no line of a log."""
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def audit_codes(codes: Sequence[int | None], kills: int, leaves: int) -> list[str]:
    """As many were killed and left in good order as were made to, and nobody ended in a way that is not designed. Who
    is told to leave before it can hear it, in its first second, has begun nothing, and ends by the signal.
    """
    designed = {-signal.SIGKILL, -signal.SIGTERM, Exit.DONE, Exit.REFUSED, Exit.CRASHED}
    found = [f"a worker ended with {code}" for code in codes if code not in designed]
    if (killed := codes.count(-signal.SIGKILL)) != kills:
        found.append(f"{killed} workers ended by SIGKILL, and {kills} were killed by us")
    if (left := codes.count(Exit.DONE) + codes.count(-signal.SIGTERM)) > leaves:
        found.append(f"{left} workers left, and {leaves} were told to leave")
    return found


def audit_deaths(logs: Sequence[tuple[Path, int | None]], kills: int, leaves: int) -> list[str]:
    """All of it: each worker's log with its exit code."""
    found = audit_codes([code for _, code in logs], kills, leaves)
    for log, code in logs:
        with log.open(errors="replace") as lines:
            found += audit_log(log.name, lines, code)
    return found
