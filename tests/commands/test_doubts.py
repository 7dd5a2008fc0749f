"""What an operator is shown as in doubt: not what is being tried again at this moment."""

from __future__ import annotations

from stages.calling import Story

from pipeline.client.doubts import in_doubt
from pipeline.domain.calls import Intent
from pipeline.domain.outcomes import Ending
from pipeline.domain.request_types import RequestType


def test_a_retry_that_is_under_way_is_nobodys_to_resolve():
    """A second operator's word on the doubt before it would be about a call that is running."""
    story = Story(RequestType.GOODWILL_POINTS, Ending.UNCLEAR)
    story.approve()
    begun, result = story.begun, story.came_to
    assert isinstance(begun, Intent)
    intents = {b"waiting": begun, b"retried": begun.model_copy(update={"attempt": 2})}

    [found] = in_doubt(intents, dict.fromkeys(intents, result))
    assert (found.approved, found.result) == (begun.approved, result)
