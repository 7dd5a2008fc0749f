"""`keys new` and `keys status`: a new sealing key, and how much is still sealed with each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from pipeline.client.waits import waiting
from pipeline.commands.options import current_settings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pipeline.client.sealed import Seals

app = typer.Typer(no_args_is_help=True, help="Keys that seal credentials and sign internal messages.")


@app.command()
def new() -> None:
    """Print a new sealing key: 64 random bytes in base64, for RW_SEAL_KEYS or the file of RW_SEAL_KEYS_FILE.

    To change keys, put the new one before the old: the first seals, all open. `keys status` tells when the old may go.

    Example:
    (umask 077; request-workflow keys new > seal-keys)
    """
    from pipeline.trust.sealing import new_key

    typer.echo(new_key())


@app.command()
def status() -> None:
    """Count what is kept and still sealed, by key. Shows ids, never a key; reads topics only; opens nothing.

    A key may go when nothing is sealed with it and no stage has records left that it signed: let the workers run with
    the new key first until rw_lag_records is 0. Ends with 1 where something is sealed with a key that is not here.

    Example:
    request-workflow keys status
    """
    from pipeline.client.kafka import ClientError
    from pipeline.client.looks import make_console
    from pipeline.client.sealed import count_seals, key_ids_of

    settings = current_settings()
    ours = key_ids_of(settings)
    with waiting("reading the desk, the intents and the dead letters"):
        seals = asyncio.run(count_seals(settings))
    make_console().print(_table(ours, seals))
    strange = sorted({key for key, _ in seals} - set(ours))
    for key in ours[1:]:
        if not any(held == key for held, _ in seals):
            typer.echo(f"Nothing is sealed with {key}: it may go once rw_lag_records is 0 for every stage.")
    if strange:
        raise ClientError(
            f"Something is sealed with {', '.join(strange)}, and no such key is in RW_SEAL_KEYS: add it again, last."
        )


def _table(ours: tuple[str, ...], seals: Seals) -> RenderableType:
    from rich.table import Table

    from pipeline.client.sealed import PLACES

    table = Table(border_style="bright_black")
    for column in ("key", "in RW_SEAL_KEYS", *PLACES):
        table.add_column(column, no_wrap=True)
    for key in [*ours, *sorted({key for key, _ in seals} - set(ours))]:
        place = "no" if key not in ours else "seals and opens" if key == ours[0] else "opens"
        table.add_row(key, place, *(str(seals[key, topic]) for topic in PLACES))
    return table
