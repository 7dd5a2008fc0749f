"""`settings`: what is in force, where it comes from, and whether a worker would take it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import current_settings

if TYPE_CHECKING:
    from pipeline.settings import Settings


def settings(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Say only whether a worker would start with them; exit 1 and why if not.")
    ] = False,
) -> None:
    """Show the settings in force and where each comes from; secrets are hidden. Asks no broker.

    Examples:
    request-workflow settings
    request-workflow settings --check && request-workflow worker
    """
    current = current_settings()
    if check:
        _check(current)
        typer.echo("A worker would start with these settings.")
        return
    _show(current)


def _show(current: Settings) -> None:
    from rich.table import Table

    from pipeline.client.looks import make_console
    from pipeline.describe import describe

    table = Table("setting", "value", "from", "meaning")
    for row in describe(current):
        table.add_row(*row)
    make_console().print(table)


def _check(current: Settings) -> None:
    """Everything that a worker reads of them before it asks a broker. Raises SettingsError, ConnectionProblem."""
    from pipeline.app import allow_list_of, trust_of
    from pipeline.connection import client_options
    from pipeline.policy_file import load_policies

    trust_of(current)
    client_options(current)  # loads the CA
    allowed = allow_list_of(current)
    policies = load_policies(current.request_types_file)
    for warning in policies.warnings():
        typer.secho(f"Warning: {warning}", err=True, fg="yellow")
    if not allowed:
        typer.secho("Warning: RW_INTOUCH_ALLOWED_HOSTS is empty, so nothing can be called.", err=True, fg="yellow")
