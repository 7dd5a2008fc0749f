"""`show`: the history of one request, and the call that will be, is being or was made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.client.waits import waiting
from pipeline.commands.options import current_settings

if TYPE_CHECKING:
    from pipeline.client.told import Told
    from pipeline.domain.desk import Entry
    from pipeline.settings import Settings


def show(
    request_id: Annotated[str, typer.Argument(metavar="REQUEST_ID", help="As events and `pending list` tell it.")],
) -> None:
    """Show what happened to one request, and its call to Intouch with the credentials hidden. Reads topics only.

    Example:
    request-workflow show ffcf19fb-a3fd-11ee-9fa7-4650f67465b8
    """
    from pipeline.client.call_view import call_view
    from pipeline.client.kafka import ClientError
    from pipeline.client.looks import event_line, event_row, make_console

    settings, wanted = current_settings(), request_id.strip().lower()
    with waiting("reading the events"):
        history, entry = asyncio.run(_read(settings, wanted))
    if not history:
        raise ClientError(
            f"No event tells of {wanted}: is it a requestId, and is it younger than what {settings.topic_prefix}events"
            " keeps? (`watch --request` finds an apiRequestId, too.)"
        )
    console, first = make_console(), history[0]
    typer.echo(f"{first.data.request_type} {wanted}")
    typer.echo(
        f"org {first.event.org_id}, maker {first.data.requester_id}, apiRequestId {first.event.api_request_id}\n"
    )
    for told in history:
        console.print(event_row(told) if console.is_terminal else event_line(told), soft_wrap=not console.is_terminal)
    for line in call_view(history, entry):
        console.print(line, soft_wrap=True)


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
