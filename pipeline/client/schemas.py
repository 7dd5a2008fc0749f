"""JSON Schemas generated from the models, one file per document: what others can check their records with.

The files are goldens: generated, committed, compared by `make check`, so that a change of what others rely on shows in
a diff. A message behind intake is written as lines (domain.lines); its schema describes the first one. What is left of
a finished call is a mark and one word, and has no schema.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from pipeline.client.documents import DeadLetterDocument, Decision, RequestWorkflowEvent, Resolution, Submission
from pipeline.domain.calls import Intent, Parked, Result, Trying
from pipeline.domain.desk import Deciding, Declined, Waiting
from pipeline.domain.messages import (
    APPROVAL_INBOX,
    DEAD_LETTERS,
    DECISIONS_SUBMITTED,
    EVENTS,
    EXECUTION_INBOX,
    REQUESTS_RECEIVED,
    REQUESTS_SUBMITTED,
    Approved,
    Ended,
    Pending,
    Received,
    Refused,
    Verdict,
)
from pipeline.domain.messages import Resolution as ResolutionMessage
from pipeline.domain.remnants import SettledLine
from pipeline.domain.request_types import ROWS, RequestType, Row

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXTS = "four lines of JSON texts follow where the submission is carried along."
_LINES = f"The record's first line; {_TEXTS}"
_MEMORY = f"The record's second line, behind its mark (kind, type, times); {_TEXTS}"

_PUBLIC: dict[str, Any] = {
    DECISIONS_SUBMITTED: Decision | Resolution,
    EVENTS: RequestWorkflowEvent,
    DEAD_LETTERS: DeadLetterDocument,
}
_INTERNAL: dict[str, Any] = {
    REQUESTS_RECEIVED: Received,
    APPROVAL_INBOX: Pending | Refused | Verdict | Ended,
    EXECUTION_INBOX: Approved | ResolutionMessage,
}
_REMEMBERED: dict[str, Any] = {
    "approval.desk": Waiting | Deciding | Declined | SettledLine,
    "execution.intents": Intent | Parked,
    "execution.results": Trying | Result,
}


class _Untitled(GenerateJsonSchema):
    """Without a title per field, which would only repeat the field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the library's signature
        """Never."""
        return False


def all_schemas() -> dict[str, str]:
    """File name to the schema's text, for every document."""
    found = {
        f"{REQUESTS_SUBMITTED}.{request_type.lower().replace('_', '-')}": _submission(request_type, row)
        for request_type, row in ROWS.items()
    }
    found |= {topic: _schema(model, title=topic) for topic, model in _PUBLIC.items()}
    found |= {topic: _schema(model, title=topic) | {"$comment": _LINES} for topic, model in _INTERNAL.items()}
    found |= {topic: _schema(model, title=topic) | {"$comment": _MEMORY} for topic, model in _REMEMBERED.items()}
    return {f"{name}.json": _text(schema) for name, schema in found.items()}


def write_schemas(folder: Path, schemas: dict[str, str]) -> int:
    """Write those that differ and remove what is no schema of ours any more; how many files were written."""
    folder.mkdir(parents=True, exist_ok=True)
    wrong = differing(folder, schemas)
    for name, _ in wrong:
        if name in schemas:
            (folder / name).write_text(schemas[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return sum(name in schemas for name, _ in wrong)


def differing(folder: Path, schemas: dict[str, str]) -> list[tuple[str, str]]:
    """File names with what is wrong with each: missing, different, or nobody's."""
    there = {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.json"))}
    wrong = [(name, "is missing") for name in schemas if name not in there]
    wrong += [(name, "differs") for name, text in schemas.items() if name in there and there[name] != text]
    wrong += [(name, "belongs to no model") for name in there if name not in schemas]
    return sorted(wrong)


def _submission(request_type: RequestType, row: Row) -> dict[str, Any]:
    model = Submission[row.body]  # type: ignore[name-defined]
    schema = _schema(model, title=f"{request_type} on {REQUESTS_SUBMITTED}")
    needed = ["entityInfo"] if row.needs_entity else []
    return schema | {"required": [*schema["required"], *needed]}


def _schema(model: Any, *, title: str) -> dict[str, Any]:
    # A generic model's own title changes with the library; the file's name does not.
    return {
        "$schema": _DIALECT,
        **TypeAdapter(model).json_schema(by_alias=True, schema_generator=_Untitled),
        "title": title,
    }


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
