"""What several commands share: options with one meaning and one help text, and the settings."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.client.waits import waiting
from pipeline.commands import shapes

if TYPE_CHECKING:
    from pipeline.client.kafka import Outgoing
    from pipeline.client.speaking import Speaker
    from pipeline.settings import Settings

TOKEN_BYTES_MAX = 8 * 1024

Org = Annotated[int, typer.Option("--org", min=0, help="Id of the org; the token must be for the same.")]
User = Annotated[
    int | None,
    typer.Option("--user", min=1, help="Mint a development token for this user id, with RW_JWT_HS256_SECRET."),
]
Token = Annotated[
    str | None,
    typer.Option("--token", help="The JWT to send. Others on this machine may see it: better use --token-file."),
]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", exists=True, dir_okay=False, help="A file that holds the JWT.")
]
ApiRequestId = Annotated[
    str | None,
    typer.Option(
        "--api-request-id",
        help="32 hex digits for the header X-CAP-REQUEST-ID. Without it: random ones.",
    ),
]


def current_settings() -> Settings:
    """The settings in force; a misspelt variable is warned of on stderr. Raises SettingsError."""
    from pipeline.settings import load_settings, unknown_variables

    settings = load_settings()
    for sentence in unknown_variables():
        typer.secho(f"Warning: {sentence}", err=True, fg="yellow")
    return settings


def speaker(
    settings: Settings,
    *,
    org_id: int,
    right: str,
    user: int | None,
    token: str | None,
    token_file: Path | None,
    api_request_id: str | None,
) -> Speaker:
    """Who publishes, from the options; exactly one of the three ways to a token. Wrong usage leaves as such."""
    from pipeline.client.speaking import Speaker, mint_token

    shapes.number(org_id, "--org")
    if sum(given is not None for given in (user, token, token_file)) != 1:
        raise typer.BadParameter("name exactly one of --user, --token and --token-file", param_hint="token")
    found_by = uuid.uuid4().hex if api_request_id is None else shapes.hex_id(api_request_id, "--api-request-id")
    if user is not None:
        token = mint_token(settings, user_id=shapes.number(user, "--user"), org_id=org_id, rights=(right,))
    elif token_file is not None:
        token = shapes.jwt(_read_token(token_file), "--token-file")
    else:
        assert token is not None
        token = shapes.jwt(token, "--token")
    return Speaker(org_id, token, found_by)


def publish_word(settings: Settings, outgoing: Outgoing, doing: str, who: Speaker, request_id: str) -> None:
    """Publish a decision or a resolution, and say where it lies and how to see what becomes of it."""
    from pipeline.client.kafka import publishing

    async def publish() -> str:
        async with publishing(settings) as publisher:
            return (await publisher.publish(outgoing)).place

    with waiting(doing):
        place = asyncio.run(publish())
    typer.echo(f"apiRequestId {who.api_request_id}")
    typer.echo(f"Published to {place}. What becomes of it: request-workflow show {request_id}", err=True)
    typer.echo(f"Where it has no effect, its dead letter says why: request-workflow show {place}", err=True)
    tell_whether_read(settings)


def tell_whether_read(settings: Settings) -> None:
    """Says on stderr when nobody reads what was just published, so that nobody waits for its event."""
    from pipeline.client.audience import is_unread

    if asyncio.run(is_unread(settings)):
        typer.secho("No worker reads it now: it lies there, and its events come when one runs.", err=True, fg="yellow")


def _read_token(path: Path) -> str:
    with path.open("rb") as file:
        held = file.read(TOKEN_BYTES_MAX + 1)
    if len(held) > TOKEN_BYTES_MAX or not held.strip().isascii():
        raise typer.BadParameter(f"{path} holds no token", param_hint="--token-file")
    return held.decode().strip()
