"""Log lines: structlog, JSON or for people, with secrets taken out; the libraries' own lines come out the same way.

They go to stderr: stdout belongs to what a command answers. No stage and no message type may be known here. Redaction
comes after everything that others said, so that it also sees tracebacks, which never show local variables. It is a
net below a rule, not the rule: secrets are typed, and nobody logs them.
"""

from __future__ import annotations

import functools
import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from pipeline.log_repeats import Repeats

REDACTED = "[redacted]"
DEPTH_MAX = 6
_HARMLESS = frozenset({type(None), bool, int, float})
_SECRET_NAME = re.compile(r"authorization|token|secret|passw|cookie|credential|signature|key", re.IGNORECASE)
# One word that no JWT begins: an id, a stage, a reason. Most values are such, and this is asked once per value.
_PLAIN = re.compile(r"(?!eyJ)[\w-]{0,64}", re.IGNORECASE)
# A JWT, and the credentials of HTTP.
_SECRET_TEXT = re.compile(r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*|\b(?:basic|bearer)\s+[\w+/=.~-]{6,}", re.IGNORECASE)
_NAMED_IN_TEXT = re.compile(
    r"""((?:authorization|token|secret|password|cookie)\w*["']?\s*[=:]\s*)(?:["'][^"']*["']|[^\s,;)}\]]+)""",
    re.IGNORECASE,
)
# Their lines about every rebalance and connection are for those who look for a fault. Under our own name it is Faust's
# base classes that talk about their start and stop: we log with structlog alone.
_TALKATIVE = ("pipeline", "aiokafka", "faust", "mode", "kafka", "aiohttp", "asyncio")


def configure_logs(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send all log lines of this process to `stream` (default stderr), as `json` or `console`, from `level` on.

    Lines of the libraries below warnings are written with level `debug` only, and each of their repetitions, too.
    """
    out = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    chain = _chain()
    renderer = _renderer(log_format, out)
    structlog.configure(
        processors=[*chain, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    last = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
            processors=[last, *chain, renderer],
        )
    )
    if number > logging.DEBUG:
        handler.addFilter(Repeats())  # our own lines do not come this way
    logging.basicConfig(handlers=[handler], level=number, force=True)
    logging.captureWarnings(capture=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO if number <= logging.DEBUG else max(number, logging.WARNING))


def redact(value: Any, depth: int = 0) -> Any:
    """The same value without what looks like a secret; what is no plain data becomes text."""
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else _without_secrets(value)
    if type(value) in _HARMLESS:
        return value
    if depth > DEPTH_MAX:
        return REDACTED
    if isinstance(value, Mapping):
        return {str(name): redact_named(str(name), inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(inner, depth + 1) for inner in value]
    return _without_secrets(repr(value))


def redact_named(name: str, value: Any, depth: int = 0) -> Any:
    """As `redact`; whatever text stands under a secret's name is taken out as a whole."""
    if type(value) in _HARMLESS:
        return value
    return REDACTED if _is_secret_name(name) else redact(value, depth)


def _without_secrets(text: str) -> str:
    return _NAMED_IN_TEXT.sub(rf"\1{REDACTED}", _SECRET_TEXT.sub(REDACTED, text))


@functools.lru_cache(maxsize=1000)
def _is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _redacting(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    for name, value in line.items():
        line[name] = redact_named(name, value)
    return line


def _ordered(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """When, how bad, what; then the facts. Read by people, too."""
    first = {name: line.pop(name, None) for name in ("timestamp", "level", "event")}
    return {**first, **line}


def _chain() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        _redacting,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _ordered,
    ]


def _renderer(log_format: str, out: TextIO) -> Processor:
    if log_format == "console":
        return structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.JSONRenderer()
