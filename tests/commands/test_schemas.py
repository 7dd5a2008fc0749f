"""The JSON Schemas are generated from models, the goldens are theirs, and the models are those of the documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import a_submission, an_approved, an_origin

from pipeline.client.documents import DeadLetterDocument, Decision, RequestWorkflowEvent, Submission
from pipeline.client.schemas import all_schemas
from pipeline.domain.deadletters import DeadLetter
from pipeline.domain.reasons import DeadReason
from pipeline.domain.request_types import ROWS
from pipeline.topology import read_topics, topics_folder

EVENTS = sorted((topics_folder() / "samples" / "events").glob("*.json"))


def test_goldens_are_those_of_the_models(run):
    """What is committed is what the models say."""
    ran = run("schemas", "--check")

    assert (ran.code, ran.err) == (0, "")


def test_every_topic_has_a_schema():
    """Whatever topic carries documents or messages is described."""
    described = {name.removesuffix(".json") for name in all_schemas()}

    for topic in read_topics():
        assert any(name == topic.name or name.startswith(f"{topic.name}.") for name in described), topic.name


def test_writing_makes_the_check_pass(run, tmp_path):
    """A fresh folder fails the check; after writing, it passes."""
    folder = str(tmp_path / "schemas")

    codes = [run("schemas", *arguments, "--folder", folder).code for arguments in (("--check",), (), ("--check",))]

    assert codes == [1, 0, 0]


@pytest.mark.parametrize("spoil", ["change", "remove", "add"])
def test_check_names_the_file_that_differs(spoil, run, tmp_path):
    """A schema that is changed, missing or nobody's is named; writing puts it right."""
    run("schemas", "--folder", str(tmp_path))
    file = tmp_path / ("stranger.json" if spoil == "add" else "events.json")
    if spoil == "remove":
        file.unlink()
    else:
        file.write_text("{}")

    ran = run("schemas", "--check", "--folder", str(tmp_path))

    assert ran.code == 1
    assert str(file) in ran.err
    run("schemas", "--folder", str(tmp_path))
    assert run("schemas", "--check", "--folder", str(tmp_path)).code == 0


@pytest.mark.parametrize("sample", EVENTS, ids=lambda file: file.stem)
def test_event_model_is_the_documented_event(sample: Path):
    """A documented event is read and written again, key for key and in the same order."""
    text = sample.read_text()

    event = RequestWorkflowEvent.model_validate_json(text)

    again = event.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert json.dumps(again) == json.dumps(json.loads(text))


@pytest.mark.parametrize("request_type", ROWS)
def test_submission_model_takes_a_good_one(request_type):
    """A good submission of each type fits its model."""
    model = Submission[ROWS[request_type].body]

    read = model.model_validate(a_submission(request_type))

    assert read.payload.task.path == ROWS[request_type].path


def test_dead_letter_model_is_what_is_written():
    """Every key of a dead letter is one that the model knows, and none is missing."""
    letter = DeadLetter(
        DeadReason.NOT_JSON, "intake", an_origin(), 5, sealed=None, sha256="ab", request_id="an-id", org_id=7
    )

    document = DeadLetterDocument.model_validate_json(letter.value())

    assert document.model_dump(mode="json", by_alias=True) == json.loads(letter.value())


def test_internal_schema_speaks_of_the_first_line():
    """The first line of a message has the keys that its schema requires."""
    schema = json.loads(all_schemas()["execution.inbox.json"])
    head = json.loads(an_approved().value().split(b"\n")[0])

    assert "first line" in schema["$comment"]
    assert set(schema["$defs"]["Approved"]["required"]) <= set(head)
    assert set(head) <= set(schema["$defs"]["Approved"]["properties"])


def test_decision_model_spells_the_documented_keys():
    """A decision is written with the documents' own keys."""
    decision = Decision.model_validate(
        {
            "requestId": "an-id",
            "actionName": "AdminTask",
            "payload": {"AdminTask-Payload": {"actionDecision": "approved", "actionMessage": "fine"}},
        }
    )

    assert decision.model_dump(by_alias=True, exclude_none=True)["payload"] == {
        "AdminTask-Payload": {"actionDecision": "approved", "actionMessage": "fine"}
    }
