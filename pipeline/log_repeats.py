"""The libraries' lines, each at most once in a while: a broker that is away is told, not told 300 times a second.

aiokafka tries again at once and says so each time, in the same words. Only lines of libraries pass here, never our own.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

QUIET_S = 20.0
REMEMBERED = 200  # different lines; beyond that the oldest is forgotten, and may be said again
# Said by a broker that is younger than its first group, which makes the topic of the offsets then: worth a line only
# when it does not stop.
_AT_FIRST_HARMLESS = ("GroupCoordinatorNotAvailableError", "CoordinatorLoadInProgressError")


class Repeats(logging.Filter):
    """Lets the same line of the same logger through once in `QUIET_S`, with `repeated`, how often it was held back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()  # until when it is held, how often

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a line that is held back."""
        text, now = record.getMessage(), self._clock()
        line = (record.name, text)
        if line not in self._seen:
            if len(self._seen) >= REMEMBERED:
                self._seen.popitem(last=False)
            is_told = not any(word in text for word in _AT_FIRST_HARMLESS)
            self._seen[line] = (now + QUIET_S, 0 if is_told else 1)
            return is_told
        until, held = self._seen[line]
        if now < until:
            self._seen[line] = (until, held + 1)
            return False
        if held:
            record.repeated = held
        self._seen[line] = (now + QUIET_S, 0)
        self._seen.move_to_end(line)
        return True
