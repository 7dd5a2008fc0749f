"""Starts one command and outlives its starter by a moment: `keeper.py FOLDER COMMAND...`, FOLDER `-` for none.

While the starter lives it holds the other end of our standard input. When that ends, however the starter died, we kill
the command and remove FOLDER, so that a broker of a killed test run stays behind on no machine. A parent-death signal
would be shorter, but it exists on Linux only and fires when the starting thread ends, not the program. Run as a file
by a bare interpreter: only the standard library may be imported.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from types import FrameType


def keep(folder: str, command: list[str]) -> int:
    """Run the command until it ends by itself or our standard input does; its exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    # The whole group gets the signal to end, us included; the command ends in its own time, and we stay until it has.
    signal.signal(signal.SIGTERM, _stay)
    orphaned = threading.Event()
    threading.Thread(target=_watch, args=(orphaned, child), daemon=True).start()
    code = child.wait()
    if orphaned.is_set() and folder != "-":
        shutil.rmtree(folder, ignore_errors=True)
    return code


def _stay(_signum: int, _frame: FrameType | None) -> None:
    """Do nothing; a function, because an ignored signal would be ignored by the command, too."""


def _watch(orphaned: threading.Event, child: subprocess.Popen[bytes]) -> None:
    os.read(sys.stdin.fileno(), 1)  # nobody writes there: it returns when the other end is gone
    orphaned.set()
    child.kill()


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1], sys.argv[2:]))
