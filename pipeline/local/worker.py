"""A worker as a real process of this interpreter: `python -m pipeline worker`, started, watched and ended.

Its settings travel in its environment and never on its command line, where every user of the machine could read them.
It runs under the keeper, so that it does not outlive us, and in a folder of its own, so that no `.env` file gets in.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, Self

from pydantic import SecretStr

from pipeline.local import keeper
from pipeline.settings import Settings, variable

ROOT = Path(__file__).resolve().parents[2]  # where the package lies: the worker is of the same program as we are
POLL_S = 0.05
LOG_BYTES_MAX = 64_000  # of its end, when it is asked for


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables that make another process load the same settings; the secrets are in clear."""
    given = ((name, getattr(settings, name)) for name, field in Settings.model_fields.items() if not field.exclude)
    return {variable(name): _text(value) for name, value in given if value is not None and value != ()}


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value.resolve()) if isinstance(value, Path) else str(value)


class LocalWorker:
    """One worker with all stages of the settings. Use as an async context manager: it is ended however that is left."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __aexit__
        self._folder = tempfile.TemporaryDirectory(prefix="request-workflow-worker-")
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._keeper is None else self._keeper.poll()

    async def __aenter__(self) -> Self:
        kept = [sys.executable, "-I", "-S", keeper.__file__, self._folder.name]
        self._keeper = subprocess.Popen(  # noqa: ASYNC220 - returns at once
            [*kept, sys.executable, "-m", "pipeline", "worker"],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            cwd=self._folder.name,
            env=environment_of(self._settings) | {"PYTHONPATH": str(ROOT)},
            start_new_session=True,  # Ctrl-C is for us: it is ended before Kafka goes away
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        self._log.close()
        self._folder.cleanup()

    async def stop(self) -> int | None:
        """End it in good order, within its own grace period, or kill it; its exit code."""
        if self._keeper is None:
            return None
        for number, patience_s in ((signal.SIGTERM, self._settings.grace_s), (signal.SIGKILL, 10.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._keeper.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    while self._keeper.poll() is None:  # noqa: ASYNC110 - a process gives no event to wait for
                        await asyncio.sleep(POLL_S)
                break
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()
        return self._keeper.poll()

    def last_lines(self, count: int) -> list[str]:
        """The end of what it said."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - LOG_BYTES_MAX))
        return self._log.read().decode(errors="replace").splitlines()[-count:]
