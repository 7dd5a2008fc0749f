"""A worker process of stock Faust that does what the trial stage does, in the way its documentation shows.

Its one argument is a JSON object: bootstrap, prefix. It ends with SIGTERM.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import faust
from delivery.trial import EVENTS, INBOX


def stock_app(told: dict[str, Any]) -> faust.App:
    """One agent that sends and returns; an exception leaves it."""
    app = faust.App(
        f"{told['prefix']}rw-trial",
        broker=f"kafka://{told['bootstrap']}",
        store="memory://",
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=0.3,
        broker_session_timeout=6,
        broker_heartbeat_interval=1,
        stream_recovery_delay=0,
        web_enabled=False,
    )
    inbox = app.topic(told["prefix"] + INBOX, key_type=bytes, value_type=bytes, value_serializer="raw")
    events = app.topic(told["prefix"] + EVENTS, key_type=bytes, value_type=bytes, value_serializer="raw")

    @app.agent(inbox)
    async def tell(stream: Any) -> None:
        async for event in stream.events():
            if event.value.startswith(b"boom"):
                raise RuntimeError("a bug in an agent")
            await events.send(key=event.key, value=b"%d/%d" % (event.message.partition, event.message.offset))

    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    faust.Worker(stock_app(json.loads(sys.argv[1])), loglevel="info").execute_from_commandline()
