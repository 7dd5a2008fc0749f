"""A worker process with the trial stage, for tests that kill, freeze and drain one: `python -m delivery.trial_worker`.

Its one argument is a JSON object: bootstrap, prefix, and optionally partitions, session_s, call_s, calls (a file that
notes each call's begin and end), slow_s (how long a call takes), tables (false: the stage remembers nothing).
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

from delivery.doubles import NoStamp, Paper
from delivery.trial import TrialCall, trial_stage

from pipeline.delivery.options import Options
from pipeline.delivery.producer import ProducerPool
from pipeline.delivery.stage_app import Parts, make_app
from pipeline.delivery.worker import Worker, run
from pipeline.surroundings import Limits


def caller(told: dict[str, Any]) -> Any:
    """Takes its time, and notes on disk what it did: that survives the process."""

    async def call(wanted: TrialCall) -> bytes:
        note(told, b"begin " + wanted.key)
        await asyncio.sleep(told.get("slow_s", 0))
        note(told, b"end " + wanted.key)
        return b"done"

    return call


def note(told: dict[str, Any], line: bytes) -> None:
    if "calls" in told:
        with Path(told["calls"]).open("ab") as calls:
            calls.write(line + b"\n")


async def main(told: dict[str, Any]) -> None:
    options = Options(
        (told["bootstrap"],),
        prefix=told["prefix"],
        partitions=told.get("partitions", 4),
        session_s=told.get("session_s", 6),
        call_s=told.get("call_s", 5),
        limits=Limits(look_s=3600),  # what the trial stage remembers carries no mark
    )
    stage = trial_stage(remembers=told.get("tables", True))
    parts = Parts(ProducerPool(options), NoStamp(), Paper(), caller(told))
    await Worker([make_app(stage, options, parts)], options).run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    argument = json.loads(sys.argv[1])
    run(lambda: main(argument))
