"""A data folder belongs to one broker: claimed with a lock before anything is written into it.

Whoever holds the file that `claim` returns holds the folder, children that inherit it included; the kernel takes the
lock away with the last of them, so that nothing is left behind by a crash.
"""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import IO

from pipeline.local.jars import BrokerError

PATIENCE_S = 3.0  # a broker whose starter was killed is gone a moment later
POLL_S = 0.05


def claim(folder: Path) -> IO[bytes]:
    """Make the folder if it is not there, and hold it until the returned file is closed. Raises BrokerError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = (folder / "lock").open("ab")
    except OSError as problem:
        raise BrokerError(f"{folder} cannot hold a broker's data: {problem.strerror}.") from None
    deadline = time.monotonic() + PATIENCE_S
    while not _is_ours(held):
        if time.monotonic() > deadline:
            held.close()
            raise BrokerError(f"{folder} is in use by another broker: end that one, or name another folder.")
        time.sleep(POLL_S)
    return held


def _is_ours(held: IO[bytes]) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
