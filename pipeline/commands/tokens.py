"""`token` and `keys new`: what a development set-up needs of secrets. Each prints the secret alone, on stdout."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.commands.options import current_settings

keys = typer.Typer(no_args_is_help=True, help="Keys that seal credentials and sign internal messages.")


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
            user_id=user,
            org_id=org,
            rights=rights,
            valid_s=valid_s,
            entities=None if entities is None else _split(entities),
        )
    )


@keys.command()
def new() -> None:
    """Print a new sealing key: 64 random bytes in base64, for RW_SEAL_KEYS or the file of RW_SEAL_KEYS_FILE.

    To change keys, put the new one before the old: the first seals, all open.

    Example:
    (umask 077; request-workflow keys new > seal-keys)
    """
    from pipeline.trust.sealing import new_key

    typer.echo(new_key())


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
