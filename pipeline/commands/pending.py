"""`pending list`: what waits on the desk, read from the memory of the approval stage."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer

from pipeline.client.waits import waiting
from pipeline.commands.options import current_settings

app = typer.Typer(no_args_is_help=True, help="What waits for a checker.")


@app.command(name="list")
def list_(
    org: Annotated[int | None, typer.Option(min=0, help="Only requests of this org.")] = None,
) -> None:
    """Show what waits on the desk and since when, oldest first. Reads topics only; asks no worker.

    Example:
      request-workflow pending list --org 51250
    """
    from rich.table import Table

    from pipeline.client.desk import read_desk
    from pipeline.client.looks import duration, make_console, moment
    from pipeline.domain.desk import Waiting

    settings = current_settings()
    with waiting("reading the desk"):
        desk = asyncio.run(read_desk(settings))
    entries = [entry for entry in desk.values() if isinstance(entry, Waiting) and org in {None, entry.request.org_id}]
    table = Table("request", "type", "org", "maker", "waits", "since (UTC)", "expires (UTC)", "call")
    for entry in sorted(entries, key=lambda waits: waits.since_ms):
        request, plan = entry.request, entry.pending.plan
        table.add_row(
            request.request_id,
            request.request_type,
            str(request.org_id),
            str(request.maker_id),
            duration(time.time() - entry.since_ms / 1000),
            moment(entry.since_ms),
            moment(entry.expires_ms),
            f"{plan.method} {plan.host}{plan.path}",
        )
    if entries:
        make_console().print(table)
    typer.echo(f"{len(entries)} waiting." if entries else "Nothing waits on the desk.")
