"""What several test folders share: one real Kafka for the whole run, and names of its own for each test.

Broker tests skip, with a sentence, only where Kafka cannot be had; where CI is set that is a failure.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterator

import pytest

from pipeline.local.broker import LocalBroker
from pipeline.local.jars import BrokerError, ensure_jars


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """The bootstrap address of a real Kafka that lives as long as the test run."""
    try:
        ensure_jars()
    except BrokerError as problem:
        if os.environ.get("CI"):
            pytest.fail(f"CI is set, so broker tests may not be skipped: {problem}", pytrace=False)
        pytest.skip(f"broker tests need Java, and Maven once (`make setup`): {problem}")
    with LocalBroker() as local:
        yield local.bootstrap


@pytest.fixture
def prefix() -> str:
    """A topic prefix that no other test uses, so that tests may run side by side on one broker."""
    return f"t{uuid.uuid4().hex[:10]}."


def pytest_configure() -> None:
    """A run that a script started in the background ignores Ctrl-C, and so would every command under test."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes a sentence with something measured; all of them are printed when the run is over."""
    return request.config.stash.setdefault(FIGURES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was measured, once, at the end."""
    if figures := config.stash.get(FIGURES, []):
        terminalreporter.section("figures")
        for sentence in figures:
            terminalreporter.write_line(sentence)
