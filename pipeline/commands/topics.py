"""`topics create | check | list`: the topics as the pipeline needs them, on the broker of the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from pipeline.client.waits import waiting
from pipeline.commands.options import current_settings

if TYPE_CHECKING:
    from pipeline.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="Create, compare and list the ten topics. Nothing is ever deleted or altered."
)


@app.command()
def create() -> None:
    """Create the topics that are missing, and say what differs in those that are there.

    Example:
      RW_TOPIC_REPLICATION=3 request-workflow topics create
    """
    from pipeline.provision import create_missing
    from pipeline.topology import wanted_topics

    settings = current_settings()
    wanted = wanted_topics(settings)
    with waiting("creating topics"):
        created = asyncio.run(create_missing(settings, wanted))
    for name in created:
        typer.echo(f"created {name}")
    typer.echo(f"{len(created)} created, {len(wanted) - len(created)} were there.")
    _compare(settings)


@app.command()
def check() -> None:
    """Compare partitions, replication and configuration with what is wanted; exit 1 and a table when they differ.

    Example:
      request-workflow topics check && request-workflow worker
    """
    _compare(current_settings())
    typer.echo("All topics are as wanted.")


def _compare(settings: Settings) -> None:
    from rich.table import Table

    from pipeline.client.looks import make_console
    from pipeline.provision import compare
    from pipeline.topology import wanted_topics

    with waiting("comparing topics"):
        differences = asyncio.run(compare(settings, wanted_topics(settings)))
    if not differences:
        return
    table = Table("topic", "what", "wanted", "found")
    for difference in differences:
        table.add_row(*difference)
    make_console().print(table)
    missing = sum(difference.is_missing for difference in differences)
    advice = "`request-workflow topics create` makes those" if missing else "change the topics or the settings"
    told = f"{len(differences)} differences" if len(differences) != 1 else "1 difference"
    typer.echo(f"{told}, {missing} of them missing topics: {advice}.", err=True)
    raise typer.Exit(1)


@app.command(name="list")
def list_() -> None:
    """Show every topic: who writes and reads it, and how it has to be. Asks no broker.

    Example:
      RW_TOPIC_PREFIX=demo. request-workflow topics list
    """
    from rich.table import Table

    from pipeline.client.looks import make_console
    from pipeline.topology import read_topics, wanted_topics

    settings = current_settings()
    wanted = wanted_topics(settings)
    table = Table("topic", "written by", "read by", "key", "partitions x replicas", "configuration", show_lines=True)
    for topic in read_topics():
        name = settings.topic_prefix + topic.name
        counts = f"{wanted[name].partitions} x {wanted[name].replication}"
        config = "\n".join(f"{key}={value}" for key, value in sorted(wanted[name].config.items()))
        table.add_row(name, _lines(topic.written_by), _lines(topic.read_by), topic.key, counts, config)
    make_console().print(table)


def _lines(names: Iterable[str]) -> str:
    return "\n".join(names)
