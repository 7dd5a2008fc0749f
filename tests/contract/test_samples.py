"""The documented submissions are accepted as printed, and become the call that their documented answers show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from assembly import Assembly

from pipeline.domain.messages import Pending
from pipeline.domain.request_types import ROWS, RequestType
from pipeline.domain.wishes import TASK

API = Path(__file__).parents[2] / "topics" / "samples" / "api"
NUMBERS = ("000", "001", "003")
HOSTS = (
    "http://internal-intouch-api.default:1900",
    "https://eu.api.capillarytech.com",
    "https://crm-nightly-new.cc.capillarytech.com",
)
VECTOR = "cd862f8c40dc8f654b1e6ad3489f74d2b55bd69d7cb9f716a0944ab645aae0a5"


def read(number: str, kind: str) -> Any:
    return json.loads((API / f"{number}_{kind}.json").read_text())


def type_of(number: str) -> RequestType:
    named = RequestType.named(read(number, "response")["data"]["requestType"])
    assert named is not None
    return named


def pending_of(number: str, *, org: str = "51250") -> Pending:
    """What lies on the desk after the sample was submitted."""
    assembly = Assembly(hosts=HOSTS)
    submission = read(number, "request") | {"requestType": type_of(number).lower().replace("_", "-")}
    assembly.submit(submission, org=org, user_id=232134)
    [pending] = [message for message in assembly.messages if isinstance(message, Pending)]
    return pending


@pytest.mark.parametrize("number", NUMBERS)
def test_documented_submission_reaches_the_desk(number: str) -> None:
    """With its type added, the documented POST body is a good submission; hostname artefacts and all."""
    pending = pending_of(number)

    row = ROWS[type_of(number)]
    assert pending.request.request_type is type_of(number)
    assert pending.plan.host in HOSTS
    assert (pending.plan.method, pending.plan.path) == (row.method, row.path)


@pytest.mark.parametrize("number", NUMBERS)
def test_documented_answer_shows_the_call_that_is_planned(number: str) -> None:
    """Method, path, query and body are those that the documented answer echoes: PUT even where the sample says POST."""
    pending = pending_of(number)
    shown = read(number, "response")["data"]["details"][TASK]

    assert (pending.plan.method, pending.plan.path) == (shown["method"], shown["path"])
    assert pending.texts.read("query") == shown.get("queryParams", {})
    assert json.dumps(pending.texts.read("body")) == json.dumps(shown["body"])


@pytest.mark.parametrize("number", NUMBERS)
def test_documented_credentials_are_sealed(number: str) -> None:
    """The sample's Authorization header is in nothing that is handed over."""
    pending = pending_of(number)

    assert b"Basic" not in pending.value()
    assert pending.plan.sealed_headers is not None


def test_digest_of_the_contract() -> None:
    """The test vector of section 5: sample 000, org 51250, maker 232134."""
    assert pending_of("000").plan.digest == VECTOR


def test_digest_changes_with_the_org() -> None:
    """The same sample under another org has another digest: the vector could not pass by accident."""
    assert pending_of("001", org="1").plan.digest != pending_of("001", org="2").plan.digest


@pytest.mark.parametrize("number", NUMBERS)
def test_state_of_the_documented_answer(number: str) -> None:
    """The documented answer says that the request waits at AdminTask, in the API's spelling of the type."""
    data = read(number, "response")["data"]

    assert data["state"] == "AdminTask"
    assert data["requestType"] == type_of(number).lower().replace("_", "-")
