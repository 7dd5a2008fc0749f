"""`resolve`: the operator by hand, on a request whose call is in doubt."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pipeline.commands import shapes
from pipeline.commands.options import ApiRequestId, Org, Token, TokenFile, User, current_settings, publish_word, speaker


class Found(StrEnum):
    """What a person can say about a call in doubt."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRY = "retry"


def resolve(  # noqa: PLR0913 - one parameter per option
    request_id: Annotated[str, typer.Argument(metavar="REQUEST_ID", help="As `in-doubt list` tells it.")],
    found: Annotated[
        Found, typer.Argument(metavar="succeeded|failed|retry", help="What you found out.", show_default=False)
    ],
    *,
    message: Annotated[str, typer.Option(help="How you know; observers read it.")],
    org: Org = 0,
    user: User = None,
    token: Token = None,
    token_file: TokenFile = None,
    digest: Annotated[
        str | None, typer.Option(help="rw-payload-digest of what you looked up: counts only for exactly that.")
    ] = None,
    api_request_id: ApiRequestId = None,
) -> None:
    """Say what became of a call in doubt: it ends as approved or failed, or the same call is made once more.

    Look it up at Intouch first. `retry` sends the very same request again: say so only when you know that it had no
    effect, or that Intouch tells the second one from the first. Needs the right CanResolve; never by its maker.

    Example:
      request-workflow resolve ffcf19fb-a3fd-11ee-9fa7-4650f67465b8 succeeded --message "the points are there" \
      --org 51250 --user 233254
    """
    from pipeline.client.speaking import resolution

    wanted, seen = shapes.request_id(request_id), shapes.digest(digest)
    settings = current_settings()
    operator = speaker(
        settings,
        org_id=org,
        right="resolve",
        user=user,
        token=token,
        token_file=token_file,
        api_request_id=api_request_id,
    )
    outgoing = resolution(wanted, found.value, operator, message=message, digest=seen)
    publish_word(settings, outgoing, "publishing the resolution", operator, wanted)
