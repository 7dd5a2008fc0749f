"""`watch`: the observer by hand. Follows `events`, joins no group and leaves nothing on the broker."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.client.waits import waiting
from pipeline.commands import shapes
from pipeline.commands.options import current_settings

if TYPE_CHECKING:
    from pipeline.client.board import Board
    from pipeline.client.kafka import Reader
    from pipeline.settings import Settings

ASK_EVERY_S = 3.0


def watch(
    *,
    request: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this request; a requestId or an apiRequestId.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Each event as its own bytes on one line, for programs.")
    ] = False,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="First everything that the topic still holds.")
    ] = False,
) -> None:
    """Show events as they come: on a terminal with a table of requests, else as plain lines. Ctrl-C ends it.

    Examples:
      request-workflow watch --from-beginning
      request-workflow watch --json | grep '"currentRequestState":"AdminTask"'
    """
    wanted = None if request is None else shapes.hex_id(request, "--request")
    settings = current_settings()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):  # both are how people end it
        asyncio.run(_watch(settings, wanted, json=json, from_beginning=from_beginning))


async def _watch(settings: Settings, request: str | None, *, json: bool, from_beginning: bool) -> None:
    from pipeline.client.board import Board
    from pipeline.client.kafka import reading
    from pipeline.client.looks import make_console
    from pipeline.domain.messages import EVENTS

    async with contextlib.AsyncExitStack() as stack:
        with waiting("connecting"):
            reader = await stack.enter_async_context(reading(settings, EVENTS, from_beginning=from_beginning))
        typer.echo(f"Watching {settings.topic_prefix}{EVENTS}; Ctrl-C ends it.", err=True)
        board = None
        if not json:
            board = stack.enter_context(Board(make_console(), waits_for="nothing was told yet"))
        asking = asyncio.ensure_future(_keep_asking(reader))
        stack.callback(asking.cancel)
        while True:
            await _show(reader, board, request)
            if asking.done():
                asking.result()


async def _keep_asking(reader: Reader) -> None:
    """Says when Kafka goes away and when it is back: without it, silence could mean either."""
    away_since = None
    while True:
        await asyncio.sleep(ASK_EVERY_S)
        is_there = await reader.is_reachable()
        if not is_there and away_since is None:
            away_since = time.monotonic()
            typer.echo("Kafka does not answer; watching goes on as soon as it does.", err=True)
        elif is_there and away_since is not None:
            typer.echo(f"Kafka answers again, after {time.monotonic() - away_since:.0f} s.", err=True)
            away_since = None


async def _show(reader: Reader, board: Board | None, request: str | None) -> None:
    from pipeline.client.told import read_told

    for record in await reader.more():
        told = read_told(record)
        if told is None:
            typer.echo(f"Partition {record.partition}, offset {record.offset} holds no event.", err=True)
        elif request is None or request in {told.request_id.replace("-", ""), told.event.api_request_id}:
            if board is not None:
                board.show(told)
            else:
                sys.stdout.buffer.write(told.value + b"\n")
    sys.stdout.flush()
