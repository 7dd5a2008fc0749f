"""`broker`, `demo` and `intouch`: the commands that are for trying it out on one machine. Never needed by a worker."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer


def broker(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where it listens, loopback only; 0: any free one.")
    ] = 9092,
    data: Annotated[
        Path | None, typer.Option(file_okay=False, help="Keep the data here; without it they go when it ends.")
    ] = None,
) -> None:
    """Run a real Kafka (one node) on this machine until Ctrl-C. Prints the bootstrap address as soon as it answers.

    Needs Java 17 or newer and, the first time, Maven to fetch Kafka's files.

    Example:
    request-workflow broker --data .kafka
    """
    from pipeline.local.broker import serve
    from pipeline.local.fetch import fetch_kafka

    fetch_kafka()
    serve(port=port, data=data, announce=typer.echo)


def intouch(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens, loopback only; 0: any free one.")] = 0,
) -> None:
    r"""Run the stand-in for Intouch until Ctrl-C. Prints its origin, for RW_INTOUCH_ALLOWED_HOSTS and `hostname`.

    It answers as documented. GET /_calls shows what was called, POST /_behave
    adds a rule by which it misbehaves, DELETE /_behave drops them all.

    A rule is a JSON object, and each of its fields may be left out:
      path, body_contains  which calls; without them all
      times                how often; without it always
      status, body, headers, delay_ms  the answer, and how late it comes
      drop                 cuts the line "before" or "after" the body is read
      hang                 true: never answers
      apply                true: the call has its effect all the same

    Examples:
      request-workflow intouch --port 1900
      curl http://127.0.0.1:1900/_behave \
        -d '{"path": "/internal/goodwill/", "status": 503, "times": 2}'
    """
    from pipeline.local.intouch import run

    asyncio.run(run(port=port, announce=typer.echo))


def demo() -> None:
    """Play the whole story: topics, worker, a stand-in for Intouch, one request of every documented type, decisions.

    Uses the Kafka of RW_KAFKA_BOOTSTRAP_SERVERS where that is set, and takes its topics away again; else it starts a
    real one. Exit code 0 exactly when every request ended as announced. Ctrl-C leaves nothing behind.

    Example:
    request-workflow demo
    """
    from pipeline.local.demo import run_demo

    raise typer.Exit(run_demo())
