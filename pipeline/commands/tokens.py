"""`token`: mints what a development set-up needs. It prints the token alone, on stdout."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.commands import shapes
from pipeline.commands.options import current_settings


def token(
    *,
    user: Annotated[int, typer.Option(min=1, help="Id of the user: the maker or checker.")],
    org: Annotated[int, typer.Option(min=0, help="Id of the org.")],
    can: Annotated[str, typer.Option(help="Comma separated: make, check, resolve.")],
    entities: Annotated[
        str | None, typer.Option(help="Comma separated concept, zone, store or till ids to be limited to.")
    ] = None,
    valid_s: Annotated[int, typer.Option(min=1, help="Seconds until it expires.")] = 3600,
) -> None:
    """Mint a development token, signed with RW_JWT_HS256_SECRET, and print it. Never use it in production.

    Example:
    request-workflow token --user 232134 --org 51250 --can make,check > maker.jwt
    """
    from pipeline.client.speaking import RIGHTS, mint_token

    rights = _split(can)
    if not rights or not set(rights) <= set(RIGHTS):
        raise typer.BadParameter(f"must name some of {', '.join(RIGHTS)}", param_hint="--can")
    typer.echo(
        mint_token(
            current_settings(),
            user_id=shapes.number(user, "--user"),
            org_id=shapes.number(org, "--org"),
            rights=rights,
            valid_s=valid_s,
            entities=None if entities is None else _split(entities),
        )
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
