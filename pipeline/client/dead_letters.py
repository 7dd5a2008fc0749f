"""Dead letters as a person looks for them: by the request they are about, or by the place of the record that died.

What is shown is in the clear anyway: reason, stage, source, one sentence. The sealed original stays sealed.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pydantic import ValidationError
from rich.text import Text

from pipeline.client.documents import DeadLetterDocument
from pipeline.client.kafka import Record, reading
from pipeline.client.looks import harmless, stamp
from pipeline.domain.messages import DEAD_LETTERS, DECISIONS_SUBMITTED, REQUESTS_SUBMITTED
from pipeline.settings import Settings

_PLACE = re.compile(
    rf"(?P<topic>{re.escape(REQUESTS_SUBMITTED)}|{re.escape(DECISIONS_SUBMITTED)})/\d{{1,9}}/\d{{1,18}}"
)


class Dead(NamedTuple):
    """One dead letter; `place` is that of the record it goes back to."""

    letter: DeadLetterDocument

    @property
    def place(self) -> str:
        """`topic/partition/offset`."""
        source = self.letter.source
        return f"{source.topic}/{source.partition}/{source.offset}"


def is_place(text: str) -> bool:
    """Whether this is `topic/partition/offset` of a public record, as `submit` and `decide` say it."""
    return _PLACE.fullmatch(text) is not None


async def read_dead(settings: Settings, wanted: str) -> list[Dead]:
    """The dead letters about this requestId, or of the record at this place, each once. Raises ClientError."""
    found: dict[tuple[str, str], Dead] = {}
    # Keyed by requestId where one is known: by place alone it may lie in any partition.
    async with reading(settings, DEAD_LETTERS, key=None if is_place(wanted) else wanted.encode()) as reader:
        async for record in reader.to_end():
            dead = _read(record)
            if dead is not None and wanted in {dead.letter.request_id, dead.place}:
                found.setdefault((dead.place, dead.letter.reason), dead)
    return list(found.values())


def dead_line(dead: Dead, wanted: str) -> Text:
    """One line: when, which record, why, in words; and which request it is about, where that was not asked for."""
    letter = dead.letter
    line = Text(f"{stamp(letter.dead_at)}  {harmless(dead.place)}  ")
    line.append(letter.reason, "bold red")
    about = f" It is about {harmless(letter.request_id)}." if letter.request_id not in {None, wanted} else ""
    return line.append(f"  {letter.stage}: {harmless(letter.detail)}{about}")


def _read(record: Record) -> Dead | None:
    try:
        return Dead(DeadLetterDocument.model_validate_json(record.value or b""))
    except ValidationError:
        return None
