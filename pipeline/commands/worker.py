"""`worker`: runs stages in this process until it is told to stop."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.commands.options import current_settings


def worker(
    stages: Annotated[
        str | None,
        typer.Option(help="Comma separated: intake, validation, approval, execution. Without it: RW_STAGES, else all."),
    ] = None,
) -> None:
    """Run the stages in this process until SIGTERM or SIGINT; then drain, commit and exit 0.

    Refuses to start, with the list, when a topic is missing or differs. Exit code 70 after a surprise or a lost
    lease, 75 when it was not drained in time: start it again.

    Example:
      request-workflow worker --stages intake,validation
    """
    from pipeline.app import run_worker
    from pipeline.logs import configure_logs

    settings = current_settings()
    named = settings.stages if stages is None else _named(stages)
    settings.require_worker()
    configure_logs(settings.log_format, settings.log_level)
    run_worker(settings, named)


def _named(text: str) -> tuple[str, ...]:
    from pipeline.settings import STAGES

    named = tuple(part.strip() for part in text.split(",") if part.strip())
    if not named or len(set(named)) < len(named) or not set(named) <= set(STAGES):
        raise typer.BadParameter(f"must name some of {', '.join(STAGES)}, each once", param_hint="--stages")
    return named
