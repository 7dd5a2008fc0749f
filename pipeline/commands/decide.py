"""`decide`: the checker by hand."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pipeline.commands import shapes
from pipeline.commands.options import (
    ApiRequestId,
    Org,
    Token,
    TokenFile,
    User,
    current_settings,
    publish_word,
    speaker,
)


class Word(StrEnum):
    """What a checker can say."""

    APPROVED = "approved"
    REJECTED = "rejected"


def decide(  # noqa: PLR0913 - one parameter per option
    request_id: Annotated[str, typer.Argument(metavar="REQUEST_ID", help="As `pending list` and AdminTask tell it.")],
    word: Annotated[Word, typer.Argument(metavar="approved|rejected", help="What you decide.", show_default=False)],
    *,
    message: Annotated[str, typer.Option(help="Why; observers read it.")],
    org: Org = 0,
    user: User = None,
    token: Token = None,
    token_file: TokenFile = None,
    digest: Annotated[
        str | None, typer.Option(help="rw-payload-digest of what you saw: counts only for exactly that.")
    ] = None,
    api_request_id: ApiRequestId = None,
) -> None:
    r"""Approve or reject a request as a checker, who is never its maker.

    A decision without effect (too late, not your org, your own request) becomes a dead letter and changes nothing.

    Example:
      request-workflow decide ffcf19fb-a3fd-11ee-9fa7-4650f67465b8 approved \
        --message "looked at it" --org 51250 --user 233253
    """
    from pipeline.client.speaking import decision

    wanted, seen = shapes.request_id(request_id), shapes.digest(digest)
    settings = current_settings()
    checker = speaker(
        settings,
        org_id=org,
        right="check",
        user=user,
        token=token,
        token_file=token_file,
        api_request_id=api_request_id,
    )
    outgoing = decision(wanted, word.value, checker, message=message, digest=seen)
    publish_word(settings, outgoing, "publishing the decision", checker, wanted)
