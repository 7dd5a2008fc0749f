"""`show`: the history of one request, its call that will be, is being or was made, and the dead letters about it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.client.waits import waiting
from pipeline.commands import shapes
from pipeline.commands.options import current_settings

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.client.dead_letters import Dead
    from pipeline.client.told import Told
    from pipeline.domain.desk import Entry
    from pipeline.settings import Settings


def show(
    request_id: Annotated[
        str,
        typer.Argument(
            metavar="REQUEST_ID", help="As events and `pending list` tell it; or the place that `submit` told."
        ),
    ],
) -> None:
    """Show what happened to one request, and its call to Intouch with the credentials hidden. Reads topics only.

    Dead letters about it are shown, too. One that belongs to no request is found by the place of its record.

    Examples:
      request-workflow show ffcf19fb-a3fd-11ee-9fa7-4650f67465b8
      request-workflow show requests.submitted/3/41
    """
    from pipeline.client.call_view import call_view
    from pipeline.client.dead_letters import dead_line, is_place, read_dead
    from pipeline.client.looks import make_console

    given = request_id.strip()
    wanted = given if is_place(given) else shapes.request_id(given)
    settings = current_settings()
    with waiting("reading the events"):
        history, entry = ([], None) if is_place(wanted) else asyncio.run(_read(settings, wanted))
        dead = asyncio.run(read_dead(settings, wanted))
    console = make_console()
    if history:
        _show_history(console, wanted, history)
        for line in call_view(history, entry):
            console.print(line, soft_wrap=True)
    _explain(settings, wanted, history, dead)
    for letter in dead:
        console.print(dead_line(letter, wanted), soft_wrap=True)


def _show_history(console: Console, wanted: str, history: Sequence[Told]) -> None:
    from pipeline.client.looks import event_line, event_row

    first = history[0]
    typer.echo(f"{first.data.request_type} {wanted}")
    typer.echo(
        f"org {first.event.org_id}, maker {first.data.requester_id}, apiRequestId {first.event.api_request_id}\n"
    )
    for told in history:
        console.print(event_row(told) if console.is_terminal else event_line(told), soft_wrap=not console.is_terminal)


def _explain(settings: Settings, wanted: str, history: Sequence[Told], dead: Sequence[Dead]) -> None:
    """What stands above the dead letters; raises ClientError where there is nothing at all."""
    from pipeline.client.dead_letters import is_place
    from pipeline.client.kafka import ClientError

    if dead:
        about = "of the record at" if is_place(wanted) else "about"
        typer.echo(f"\nDead letters {about} {wanted}:" if history else f"Dead letters {about} {wanted}:")
    elif is_place(wanted):
        raise ClientError(
            f"No dead letter goes back to {wanted}: it was taken, or waits to be read by a worker, or its dead letter"
            f" is older than what {settings.topic_prefix}dead-letters keeps."
        )
    elif not history:
        raise ClientError(
            f"Neither an event nor a dead letter tells of {wanted}: is it a requestId, does a worker run, and is it"
            f" younger than what {settings.topic_prefix}events keeps? `watch --request` finds an apiRequestId, and"
            " `show` with the place that `submit` or `decide` told finds the dead letter of that record."
        )


async def _read(settings: Settings, request_id: str) -> tuple[list[Told], Entry | None]:
    """Its events, each once and in their order, and what the desk holds of it."""
    from pipeline.client.desk import read_desk
    from pipeline.client.kafka import reading
    from pipeline.client.told import read_told
    from pipeline.domain.messages import EVENTS

    history: dict[str, Told] = {}
    key = request_id.encode()
    async with reading(settings, EVENTS, key=key) as reader:
        async for record in reader.to_end():
            told = read_told(record) if record.key == key else None
            if told is not None:
                history.setdefault(told.event.event_id, told)
    desk = await read_desk(settings, request_id) if history else {}
    return list(history.values()), desk.get(key)
