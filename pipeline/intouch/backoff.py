"""How long to wait before another try: exponential with full jitter, or what Intouch itself asks for.

The arithmetic is tenacity's; whether there is another try at all is decided in `domain.tries`.
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState, Retrying, wait_random_exponential

FIRST_S = 1.0  # the longest wait after the first attempt; doubled after each one
LONGEST_S = 20.0
ASKED_S_MAX = 86_400  # a Retry-After beyond a day is taken for a day

_wait = wait_random_exponential(multiplier=FIRST_S, max=LONGEST_S)


def backoff_ms(attempt: int) -> int:
    """A random wait in milliseconds, of at most twice what was possible after the attempt before; they count from 1."""
    state = RetryCallState(retry_object=Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempt
    return round(_wait(state) * 1000)


def retry_after_ms(header: str | None, now_ms: int) -> int | None:
    """What a `Retry-After` asks for, in milliseconds from now: seconds or an HTTP date; None for anything else."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), ASKED_S_MAX) * 1000
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # no date, or one with a number that no machine counts with
        return None
    at_ms = round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    return min(max(0, at_ms - now_ms), ASKED_S_MAX * 1000)
