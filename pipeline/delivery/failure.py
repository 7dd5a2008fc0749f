"""How a process ends when something is wrong: at once, with nothing in work acknowledged.

Faust's way (restart the agent, count its message as done) loses messages, and a clean-up that still commits is worse
than none. So the end is `os._exit`: no destructor, no last commit. What is logged names types and places, never the
text of an unknown exception: it may quote a message, and messages hold secrets.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from contextlib import suppress
from enum import IntEnum
from typing import NoReturn

import structlog
from aiokafka.errors import KafkaError

log = structlog.get_logger()


class Exit(IntEnum):
    """Exit codes (contract, section 10)."""

    DONE = 0
    REFUSED = 1
    CRASHED = 70
    NOT_DRAINED = 75


class Refused(Exception):
    """The process cannot do what it was asked for; the text is the one sentence for stderr."""


class DeliveryError(Exception):
    """Raised by this layer. The text is ours, so it may be logged."""


def sentence(exception: BaseException) -> str:
    """What may be logged about an exception: its text if it cannot quote a message, else only its type."""
    kind = type(exception).__name__
    return f"{kind}: {exception}" if isinstance(exception, DeliveryError | KafkaError | OSError) else kind


def places(exception: BaseException) -> list[str]:
    """Where it happened, innermost last."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(exception.__traceback__)]


def end(code: Exit) -> NoReturn:
    """No clean-up, no thread is waited for, no destructor runs."""
    for handler in logging.getLogger().handlers:
        with suppress(Exception):
            handler.flush()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(code)


def fatal(reason: str, exception: BaseException | None = None) -> NoReturn:
    """End with 70. The supervisor starts us again; what was in work is delivered again."""
    if exception is None:
        log.critical("fatal", reason=reason)
    else:
        log.critical("fatal", reason=reason, error=sentence(exception), places=places(exception))
    end(Exit.CRASHED)
