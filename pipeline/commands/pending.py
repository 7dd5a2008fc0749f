"""`pending list`: what waits on the desk, read from the memory of the approval stage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.client.waits import waiting
from pipeline.commands.options import current_settings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pipeline.domain.desk import Waiting

app = typer.Typer(no_args_is_help=True, help="What waits for a checker.")


@app.command(name="list")
def list_(
    org: Annotated[int | None, typer.Option(min=0, help="Only requests of this org.")] = None,
) -> None:
    """Show what waits on the desk and since when, oldest first. Reads topics only; asks no worker.

    Example:
    request-workflow pending list --org 51250
    """
    from pipeline.client.desk import read_desk
    from pipeline.client.looks import make_console
    from pipeline.domain.desk import Waiting

    settings = current_settings()
    with waiting("reading the desk"):
        desk = asyncio.run(read_desk(settings))
    entries = [entry for entry in desk.values() if isinstance(entry, Waiting) and org in {None, entry.request.org_id}]
    entries.sort(key=lambda entry: entry.since_ms)
    console = make_console()
    if entries and console.is_terminal:
        console.print(_table(entries))
    elif entries:
        for entry in entries:
            console.print(_line(entry), soft_wrap=True)
    typer.echo(f"{len(entries)} waiting." if entries else "Nothing waits on the desk.", err=not console.is_terminal)


def _table(entries: Sequence[Waiting]) -> RenderableType:
    from rich.table import Table

    from pipeline.client.looks import duration, moment

    table = Table(border_style="bright_black")
    for column in ("request", "type", "org", "maker", "waits"):
        table.add_column(column, no_wrap=True)
    table.add_column("since (UTC), and for which call", overflow="fold")
    for entry in entries:
        request = entry.request
        table.add_row(
            request.request_id,
            request.request_type,
            str(request.org_id),
            str(request.maker_id),
            duration(time.time() - entry.since_ms / 1000),
            f"{moment(entry.since_ms)}\n{_call(entry)}",
        )
    return table


def _line(entry: Waiting) -> str:
    from pipeline.client.looks import stamp

    request = entry.request
    return (
        f"{request.request_id}  {request.request_type}  org={request.org_id}  maker={request.maker_id}"
        f"  since={stamp(entry.since_ms)}  expires={stamp(entry.expires_ms)}  {_call(entry)}"
    )


def _call(entry: Waiting) -> str:
    plan = entry.pending.plan
    return f"{plan.method} {plan.host}{plan.path}"
