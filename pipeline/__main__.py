"""The console script `request-workflow`: puts the commands together and turns what went wrong into an exit code.

May not decide anything. Exit codes (contract, section 10): 0 done; 1 refused or failed, with one sentence on stderr;
2 wrong usage; 70 an unexpected exception; 75 not drained in time (the worker leaves with the last two by itself).
"""

from __future__ import annotations

import io
import sys
import traceback
from typing import Annotated

import typer

from pipeline.commands import (
    decide,
    in_doubt,
    keys,
    pending,
    resolve,
    schemas,
    settings,
    show,
    submit,
    tokens,
    topics,
    watch,
    worker,
)
from pipeline.local import commands as local

REFUSED, SURPRISED = 1, 70

_MAKERS, _OPERATION, _LOCAL = "Maker, checker, observer", "Operation", "Trying it out on one machine"

app = typer.Typer(
    name="request-workflow",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="A maker-checker request pipeline: Kafka in, one approved HTTP call, events out.",
    epilog="Settings are RW_ variables, from the environment or a .env file: see the command settings.",
)
app.command(rich_help_panel=_LOCAL)(local.demo)
app.command(rich_help_panel=_LOCAL)(local.broker)
app.command(rich_help_panel=_LOCAL)(local.intouch)
app.command(rich_help_panel=_MAKERS)(submit.submit)
app.command(rich_help_panel=_MAKERS)(decide.decide)
app.command(rich_help_panel=_MAKERS)(watch.watch)
app.command(rich_help_panel=_MAKERS)(show.show)
app.add_typer(pending.app, name="pending", rich_help_panel=_MAKERS)
app.command(rich_help_panel=_OPERATION)(worker.worker)
app.add_typer(in_doubt.app, name="in-doubt", rich_help_panel=_OPERATION)
app.command(rich_help_panel=_OPERATION)(resolve.resolve)
app.add_typer(topics.app, name="topics", rich_help_panel=_OPERATION)
app.command(rich_help_panel=_OPERATION)(settings.settings)
app.command(rich_help_panel=_OPERATION)(tokens.token)
app.add_typer(keys.app, name="keys", rich_help_panel=_OPERATION)
app.command(rich_help_panel=_OPERATION)(schemas.schemas)


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("request-workflow"))
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    assert not version  # answered by its callback


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the arguments (default: the process's) name; leaves by SystemExit with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no “ must not end a command
    command = typer.main.get_command(app)
    try:
        command(arguments, prog_name="request-workflow")
    except Exception as problem:  # noqa: BLE001 - the one place where what went wrong becomes an exit code
        sys.exit(exit_code_of(problem))


def exit_code_of(problem: Exception) -> int:
    """Says on stderr what went wrong, and gives the exit code: 1 for what was to be expected, else 70."""
    if isinstance(problem, _expected()):
        typer.secho(f"{problem}", err=True, fg="red")
        return REFUSED
    traceback.print_exception(problem)
    typer.secho("This should not have happened: it is a fault of the program.", err=True, fg="red")
    return SURPRISED


def _expected() -> tuple[type[Exception], ...]:
    """What says in one sentence what is wrong. Imported late: `--help` needs none of it."""
    from pipeline.client.kafka import ClientError
    from pipeline.connection import ConnectionProblem
    from pipeline.local.intouch import StandInError
    from pipeline.local.jars import BrokerError
    from pipeline.provision import ProvisionError
    from pipeline.settings import SettingsError
    from pipeline.topology import TopologyError

    return (SettingsError, ClientError, ConnectionProblem, ProvisionError, TopologyError, BrokerError, StandInError)


if __name__ == "__main__":
    main()
