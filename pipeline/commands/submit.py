"""`submit`: the maker by hand."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.client.waits import waiting
from pipeline.commands import shapes
from pipeline.commands.options import (
    ApiRequestId,
    Org,
    Token,
    TokenFile,
    User,
    current_settings,
    speaker,
    tell_whether_read,
)

if TYPE_CHECKING:
    from pipeline.client.kafka import Outgoing
    from pipeline.domain.ids import Origin
    from pipeline.settings import Settings

FILE_BYTES_MAX = 1_100_000  # a little more than intake takes, so that it is refused by size and not cut


def submit(  # noqa: PLR0913 - one parameter per option
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The documented POST body as JSON; - reads stdin.")],
    *,
    type_: Annotated[
        str | None, typer.Option("--type", help="The request type, e.g. goodwill-points, unless the body says it.")
    ] = None,
    org: Org = 0,
    user: User = None,
    token: Token = None,
    token_file: TokenFile = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Makes it one request, however often it is submitted by this maker.")
    ] = None,
    api_request_id: ApiRequestId = None,
) -> None:
    r"""Submit a request as a maker. Prints the apiRequestId by which to find it in the events.

    Without an idempotency key, submitting the same file again makes a new request.

    Example:
      request-workflow submit goodwill.json --type goodwill-points \
        --org 51250 --user 232134
    """
    from pipeline.client.speaking import request_id_of, submission

    shapes.idempotency_key(idempotency_key)
    settings = current_settings()
    maker = speaker(
        settings,
        org_id=org,
        right="make",
        user=user,
        token=token,
        token_file=token_file,
        api_request_id=api_request_id,
    )
    outgoing = submission(_read(file), maker, request_type=type_, key=idempotency_key)
    with waiting("publishing the submission"):
        origin = asyncio.run(_publish(settings, outgoing))
    typer.echo(f"apiRequestId {maker.api_request_id}")
    named = request_id_of(origin, org_id=org, maker_id=user, key=idempotency_key)
    if named is not None:
        typer.echo(f"requestId    {named}")
    follow = f"show {named}" if named else f"watch --from-beginning --request {maker.api_request_id}"
    typer.echo(f"Published to {origin.place}. What becomes of it: request-workflow {follow}", err=True)
    typer.echo(f"Where no event comes, its dead letter says why: request-workflow show {origin.place}", err=True)
    tell_whether_read(settings)


async def _publish(settings: Settings, outgoing: Outgoing) -> Origin:
    from pipeline.client.kafka import publishing

    async with publishing(settings) as publisher:
        return await publisher.publish(outgoing)


def _read(file: Path) -> bytes:
    """At most `FILE_BYTES_MAX`; what is larger is refused later, by its size."""
    from pipeline.client.kafka import ClientError

    if str(file) == "-":
        return sys.stdin.buffer.read(FILE_BYTES_MAX)
    try:
        with file.open("rb") as opened:
            return opened.read(FILE_BYTES_MAX)
    except OSError as problem:
        raise ClientError(f"{file} cannot be read: {problem.strerror}.") from None
