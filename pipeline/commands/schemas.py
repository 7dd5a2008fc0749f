"""`schemas`: the JSON Schemas of every document and message, generated from the models; goldens in `topics/schemas`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def schemas(
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 when a file differs.")] = False,
    folder: Annotated[
        Path | None, typer.Option(file_okay=False, help="Where they lie; topics/schemas without it.")
    ] = None,
) -> None:
    """Write the JSON Schemas of submissions, decisions, events, dead letters and internal messages, or compare them.

    Example:
    request-workflow schemas --check
    """
    from pipeline.client.kafka import ClientError
    from pipeline.client.schemas import all_schemas, differing, write_schemas
    from pipeline.topology import topics_folder

    place = folder or topics_folder() / "schemas"
    if not check:
        try:
            written = write_schemas(place, all_schemas())
        except OSError as problem:
            raise ClientError(f"{problem.filename or place} cannot be written: {problem.strerror}.") from None
        typer.echo(f"{written} of {len(all_schemas())} schemas written to {place}.")
        return
    wrong = differing(place, all_schemas())
    for name, what in wrong:
        typer.echo(f"{place / name} {what}", err=True)
    if wrong:
        typer.echo(
            "The schemas are not those of the models: run `request-workflow schemas`, look at the diff.", err=True
        )
        raise typer.Exit(1)
    typer.echo(f"All {len(all_schemas())} schemas are those of the models.")
