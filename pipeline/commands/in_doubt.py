"""`in-doubt list`: calls whose effect nobody knows, and what a person needs to find out about them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.client.waits import waiting
from pipeline.commands.options import current_settings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pipeline.client.doubts import InDoubt

app = typer.Typer(no_args_is_help=True, help="Calls whose effect nobody knows.")


@app.command(name="list")
def list_(
    org: Annotated[int | None, typer.Option(min=0, help="Only requests of this org.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Show what is in doubt, oldest first: who asked and agreed, what was sent, and how it ended. Reads topics only.

    Look each one up at Intouch, then say what you found with `resolve`. Credentials stay sealed.

    Example:
    request-workflow in-doubt list --org 51250
    """
    from pipeline.client.doubts import read_doubts
    from pipeline.client.looks import make_console

    settings = current_settings()
    with waiting("reading what execution remembers"):
        doubts = asyncio.run(read_doubts(settings))
    found = [one for one in doubts if org in {None, one.approved.pending.request.org_id}]
    console = make_console()
    if found and console.is_terminal and not as_json:
        console.print(_table(found))
    else:
        for one in found:
            typer.echo(json.dumps(_facts(one), ensure_ascii=False) if as_json else _line(one))
    words = (
        f"{len(found)} in doubt. Say what became of it: request-workflow resolve" if found else "Nothing is in doubt."
    )
    typer.echo(words, err=as_json or not console.is_terminal)


def _facts(one: InDoubt) -> dict[str, Any]:
    from pipeline.client.looks import stamp

    request, plan, texts = one.approved.pending.request, one.approved.pending.plan, one.approved.pending.texts
    return {
        "requestId": request.request_id,
        "requestType": request.request_type,
        "orgId": request.org_id,
        "makerId": request.maker_id,
        "checkerId": one.approved.decided.checker_id,
        "since": stamp(one.since_ms),
        "attempts": one.result.tried.tries,
        "ended": one.how,
        "call": f"{plan.method} {plan.host}{plan.path}",
        "queryParams": texts.read("query"),
        "body": texts.read("body"),
        "digest": plan.digest,
    }


def _line(one: InDoubt) -> str:
    from pipeline.client.looks import harmless

    facts = _facts(one)
    head = f"{facts.pop('requestId')}  {facts.pop('requestType')}"
    return harmless(
        "  ".join(
            [
                head,
                *(f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in facts.items()),
            ]
        )
    )


def _table(found: Sequence[InDoubt]) -> RenderableType:
    from rich.table import Table

    from pipeline.client.looks import duration, harmless, moment

    table = Table(border_style="bright_black", show_lines=True)
    for column in ("request", "type", "org", "maker", "checker"):
        table.add_column(column, no_wrap=True)
    table.add_column("since (UTC), how it ended, and what was sent", overflow="fold")
    for one in found:
        facts = _facts(one)
        sent = f"{facts['call']}\n{json.dumps(facts['body'], ensure_ascii=False)}"
        age = duration(time.time() - one.since_ms / 1000)
        table.add_row(
            facts["requestId"],
            facts["requestType"],
            str(facts["orgId"]),
            str(facts["makerId"]),
            str(facts["checkerId"] or "rule"),
            f"{moment(one.since_ms)} ({age}), attempts: {facts['attempts']}, {one.how}\n{harmless(sent)}",
        )
    return table
